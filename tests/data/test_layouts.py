# SPDX-License-Identifier: Apache-2.0
"""Finding the pairs of each data set as people have it on disk."""

import numpy as np
import pytest

from spade_core.cli import main
from spade_core.contract.errors import BadImageError
from spade_core.contract.labels import load_label_set
from spade_core.data.layouts.layouts import find_pairs, label_set_of, layout_of, list_files, own_label_set
from spade_core.data.pairs import read_pair
from spade_core.data.placement import Preprocess
from tests.support import published_data
from tests.support.small_data import save, stripes, write_pair

PHOTO = np.zeros((48, 64, 3), np.uint8)


def names(root, split, layout="auto"):
    return [pair.name for pair in find_pairs(root, split, layout)]


def reads_with_its_own_set(root, layout="auto"):
    label_set = label_set_of(root, layout)
    return all(read_pair(pair, label_set) for pair in find_pairs(root, None, layout))


def test_a_plain_folder_with_an_index(tmp_path):
    for name in ("a", "b", "c"):
        write_pair(tmp_path, name, stripes())
    (tmp_path / "index.csv").write_text("name,split\na,train\nb,val\nc,train\n", encoding="utf-8-sig")
    save(tmp_path / "instances" / "a.png", stripes().astype(np.uint16))
    assert layout_of(tmp_path).name == "folder"
    assert names(tmp_path, "train") == ["a", "c"] and names(tmp_path, "val") == ["b"]
    assert names(tmp_path, None) == ["a", "c", "b"]
    assert [pair.instances is not None for pair in find_pairs(tmp_path, "train")] == [True, False]


def test_a_plain_folder_without_an_index_has_no_splits(tmp_path):
    write_pair(tmp_path, "a", stripes())
    assert names(tmp_path, "train") == names(tmp_path, "val") == names(tmp_path, None) == ["a"]


def test_a_plain_folder_may_bring_its_label_set(tmp_path):
    write_pair(tmp_path, "a", stripes())
    assert own_label_set(tmp_path) is None and label_set_of(tmp_path).name == "landscape"
    (tmp_path / "label_set.toml").write_text(load_label_set("landscape").to_toml())
    assert reads_with_its_own_set(tmp_path)


def test_files_without_a_partner_are_listed_and_no_pairs(tmp_path):
    for name in ("a", "b", "c"):
        write_pair(tmp_path, name, stripes())
    (tmp_path / "images" / "b.png").unlink()
    (tmp_path / "labels" / "c.png").unlink()
    (tmp_path / "images" / "._a.jpg").write_bytes(b"left by a copy")
    found = list_files(tmp_path, None)
    assert [pair.name for pair in found.pairs] == ["a"]
    assert [file.name for file in found.unlabelled] == ["c.png"]
    assert [file.name for file in found.unpictured] == ["b.png"]


def test_two_photos_of_one_name_are_refused(tmp_path):
    write_pair(tmp_path, "a", stripes())
    save(tmp_path / "images" / "a.jpg", PHOTO)
    with pytest.raises(BadImageError, match="a.jpg"):
        find_pairs(tmp_path, None)


@pytest.mark.parametrize("text", ["name,part\na,train\n", "a,train\n", "name,split\na,train\na,val\n"])
def test_an_index_that_cannot_be_trusted_is_refused(tmp_path, text):
    write_pair(tmp_path, "a", stripes())
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(BadImageError, match=r"index\.csv"):
        find_pairs(tmp_path, "train")


def test_coco_stuff_as_the_reference_has_it_and_as_it_comes(tmp_path):
    for split, places in (
        ("train", ("{}_img", "{}_label", "{}_inst")),
        ("val", ("{}_img", "{}_label", "{}_inst")),
    ):
        images, labels, instances = (place.format(split) for place in places)
        write_pair(tmp_path / "reference", f"0000{split}", stripes(ids=(0, 181, 255)), images, labels)
        save(tmp_path / "reference" / instances / f"0000{split}.png", stripes())
        write_pair(
            tmp_path / "coco", f"0000{split}", stripes(), f"images/{split}2017", f"stuffthingmaps/{split}2017"
        )
    for root, instances in ((tmp_path / "reference", True), (tmp_path / "coco", False)):
        assert layout_of(root).name == "coco_stuff"
        assert names(root, "train") == ["0000train"] and names(root, "val") == ["0000val"]
        assert (find_pairs(root, "val")[0].instances is not None) is instances
        assert reads_with_its_own_set(root)


def ade20k(root, **maps):
    """Images of the validation split with these ids in stripes, and one of the training split."""
    for name, ids in {"train_00000001": (1, 2), **maps}.items():
        split = "training" if "train" in name else "validation"
        save(root / "images" / split / f"ADE_{name}.jpg", PHOTO)
        save(root / "annotations" / split / f"ADE_{name}.png", stripes(ids=ids))
    return root


@pytest.mark.parametrize("above", ["", "ADEChallengeData2016"])
def test_ade20k_is_split_by_its_names_and_read_as_raw_ids(tmp_path, above):
    ade20k(tmp_path / above, val_00000001=(0, 3, 150))
    assert layout_of(tmp_path).name == "ade20k"
    assert names(tmp_path, "train") == ["ADE_train_00000001"]
    assert names(tmp_path, "val") == ["ADE_val_00000001"]
    assert reads_with_its_own_set(tmp_path)


def test_the_full_ade20ks_coloured_parts_are_refused(tmp_path):
    save(tmp_path / "ADE_train_00000001.jpg", PHOTO)
    save(tmp_path / "ADE_train_00000001_seg.png", PHOTO)
    with pytest.raises(BadImageError, match="parts"):
        find_pairs(tmp_path, "train", "ade20k")


def test_ade20k_outdoor_by_classes_keeps_sky_mountain_or_earth_without_indoor_things(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sky, mountain, earth, ceiling, bed, sink = 3, 17, 14, 6, 8, 48
    root = ade20k(
        tmp_path / "data",
        val_00000001=(sky, 1),
        val_00000002=(mountain,),
        val_00000003=(earth, 0),
        val_00000004=(1, 2),
        val_00000005=(sky, ceiling),
        val_00000006=(mountain, bed),
        val_00000007=(earth, sink),
    )
    kept = ["ADE_val_00000001", "ADE_val_00000002", "ADE_val_00000003"]
    for _ in range(2):  # the second time from the cache
        assert names(root, "val", "ade20k-outdoor") == kept
    assert len(list((tmp_path / "cache").rglob("*.json"))) == 1
    save(root / "annotations" / "validation" / "ADE_val_00000001.png", stripes(ids=(1, 2, 2)))
    assert names(root, "val", "ade20k-outdoor") == kept[1:], "a map that changed is looked at again"


def test_ade20k_outdoor_by_scene_takes_the_word_of_the_scene_file(tmp_path):
    root = ade20k(tmp_path, val_00000001=(3,), val_00000002=(3,))
    with pytest.raises(BadImageError, match="sceneCategories"):
        names(root, "val", "ade20k-outdoor-scenes")
    (root / "sceneCategories.txt").write_text(
        "ADE_val_00000001 bedroom\nADE_val_00000002 athletic_field_outdoor\n"
    )
    assert names(root, "val", "ade20k-outdoor-scenes") == ["ADE_val_00000002"]


def test_cityscapes_pairs_by_city_sequence_and_frame(tmp_path):
    for city in ("aachen", "bochum"):
        frame = f"{city}_000001_000019"
        save(tmp_path / "leftImg8bit" / "train" / city / f"{frame}_leftImg8bit.png", PHOTO)
        place = tmp_path / "gtFine" / "train" / city
        save(place / f"{frame}_gtFine_labelIds.png", stripes(ids=(7, 11, 33)))
        save(place / f"{frame}_gtFine_labelTrainIds.png", stripes(ids=(0, 1, 255)))
        save(place / f"{frame}_gtFine_color.png", PHOTO)
        save(place / f"{frame}_gtFine_instanceIds.png", stripes().astype(np.uint16) * 1000)
    assert layout_of(tmp_path).name == "cityscapes"
    found = find_pairs(tmp_path, "train")
    assert [pair.name for pair in found] == ["aachen_000001_000019", "bochum_000001_000019"]
    assert all(pair.labels.name.endswith("labelIds.png") and pair.instances for pair in found)
    assert list_files(tmp_path, "train").unpictured == []
    assert reads_with_its_own_set(tmp_path)
    assert layout_of(tmp_path).preprocess == Preprocess("fixed", 512, 512, aspect=2.0)


def test_flickr_photos_lie_in_folders_and_are_split_by_their_names(tmp_path):
    for number in range(120):
        save(tmp_path / "images" / f"user{number % 3}" / f"{number}.png", PHOTO)
        save(tmp_path / "labels" / f"user{number % 3}" / f"{number}.png", stripes())
    train, val = set(names(tmp_path, "train", "flickr")), set(names(tmp_path, "val", "flickr"))
    assert not train & val and len(train | val) == 120 and 1 <= len(val) <= 10
    assert "user1/1" in train | val
    for file in (tmp_path / "images" / "user1").iterdir():
        file.unlink()
    assert {name for name in train if not name.startswith("user1")} == set(names(tmp_path, "train", "flickr"))


def test_flickr_folders_are_recognised_and_a_plain_folder_stays_one(tmp_path):
    for kind in ("images", "labels"):
        save(tmp_path / "flickr" / kind / "user" / "a.png", PHOTO if kind == "images" else stripes())
        save(tmp_path / "plain" / kind / "a.png", PHOTO if kind == "images" else stripes())
        (tmp_path / "plain" / kind / "old").mkdir()
    assert layout_of(tmp_path / "flickr").name == "flickr"
    assert layout_of(tmp_path / "plain").name == "folder"


def test_a_folder_of_no_known_layout_says_what_there_is(tmp_path):
    with pytest.raises(BadImageError) as caught:
        find_pairs(tmp_path, None)
    assert "images/" in caught.value.fix and "cityscapes" in caught.value.fix
    for root, layout in ((tmp_path / "none", "auto"), (tmp_path, "imagenet")):
        with pytest.raises(BadImageError):
            find_pairs(root, None, layout)


@pytest.mark.parametrize(
    ("images", "labels", "val"),
    [("images", "labels", "val"), ("images", "masks", "valid"), ("img_dir", "ann_dir", "val"),
     ("images", "annotations", "test")],
)  # fmt: skip
def test_folders_named_as_splits_are_splits(tmp_path, images, labels, val):
    for split, numbers in (("train", range(4)), (val, range(4, 6))):
        for number in numbers:
            save(tmp_path / images / split / f"p{number}.png", PHOTO)
            save(tmp_path / labels / split / f"p{number}.png", stripes())
    assert layout_of(tmp_path).name == "split-folders"
    assert names(tmp_path, "train") == ["p0", "p1", "p2", "p3"] and names(tmp_path, "val") == ["p4", "p5"]


def test_photos_in_folders_beside_others_are_not_dropped(tmp_path):
    for name in ("a", "deep/b", "deep/er/c"):
        save(tmp_path / "images" / f"{name}.png", PHOTO)
        save(tmp_path / "labels" / f"{name}.png", stripes())
    assert layout_of(tmp_path).name == "folder"
    assert names(tmp_path, "train") == ["a", "deep/b", "deep/er/c"]


def test_outdoor_scenes_by_the_users_own_list_of_categories(tmp_path, capsys):
    root = published_data.ade20k(tmp_path / "ade")
    inner = root / "ADEChallengeData2016"
    with pytest.raises(BadImageError, match="outdoor"):
        find_pairs(root, "train", "ade20k-outdoor-scenes")
    (inner / "outdoorCategories.txt").write_text("mountain\nvalley\n")
    kept = names(root, "train", "ade20k-outdoor-scenes")
    assert kept == [f"ADE_train_{number:08}" for number in (1, 3, 4, 6)]
    assert main(["dataset", "check", str(root), "--layout", "ade20k-outdoor-scenes"]) == 0
    assert "3 by the rule 'ade20k-outdoor-scenes' (most of bedroom 3)" in capsys.readouterr().out
