# SPDX-License-Identifier: Apache-2.0
"""What other programs export becomes a data set with the same pixels, or is refused plainly and leaves nothing."""

from __future__ import annotations

import base64
import json
import re
import shlex
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spade_core.cli import main
from spade_core.contract.labels import LabelSet, load_label_set
from spade_core.data.exports.areas import run_lengths
from spade_core.data.exports.brush import decoded
from spade_core.data.exports.registry import how_to_convert, known_formats, recognised
from spade_core.data.layouts.layouts import find_pairs, label_set_of
from spade_core.data.pairs import read_labels, read_pair
from tests.support import exports
from tests.support.exports import NAMES, PHOTOS, WRITERS, truth
from tests.support.small_data import save

pytest.importorskip("pycocotools")
pytest.importorskip("pyarrow")


def convert(*words: object) -> int:
    return main(["dataset", "convert", *map(str, words)])


def names_of(root: Path, moved: int, found: dict[str, np.ndarray]) -> str:
    """The name under which a label map of the truth, with the tree moved so far, is found."""
    return next(name for name, ids in found.items() if np.array_equal(ids, truth(moved)))


def read(root: Path) -> dict[str, np.ndarray]:
    """Places in NAMES, of each label map of a converted data set; pairs are read as training reads them."""
    label_set = label_set_of(root)
    places = {entry.id: place for place, name in enumerate(NAMES) if (entry := label_set.class_named(name))}
    found = {}
    for pair in find_pairs(root, None):
        ids = np.asarray(read_pair(pair, label_set)[1])
        found[pair.name] = np.vectorize(lambda id: places.get(id, 99))(ids)
    return found


def test_every_format_has_a_test_of_its_own():
    assert set(WRITERS) == set(known_formats())


WITH_NAMES = [name for name in WRITERS if name not in ("pix2pix", "black-and-white")]


@pytest.mark.parametrize("name", WITH_NAMES)
def test_an_export_becomes_a_data_set_with_exactly_its_pixels_and_names(tmp_path, name):
    root = WRITERS[name](tmp_path / "export")
    assert convert(root, "-o", tmp_path / "out") == 0
    found = read(tmp_path / "out")
    assert len(found) == len(PHOTOS)
    for _, moved in exports.moves():
        assert names_of(tmp_path / "out", moved, found)
    assert {entry.name for entry in label_set_of(tmp_path / "out").classes} == set(NAMES)
    assert (tmp_path / "out" / "contact_sheet.jpg").exists() and not (tmp_path / "out.part").exists()


@pytest.mark.parametrize("name", WRITERS)
def test_check_recognises_an_export_and_names_the_command_that_reads_it(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    WRITERS[name](tmp_path / "my export")
    assert [each.name for each in recognised(tmp_path / "my export")] == [name]
    main(["dataset", "check", "my export"])
    said = capsys.readouterr()
    command = re.search(r"`(spade dataset convert .*?)`", (said.out + said.err).replace("\n", " "))
    assert command and main(shlex.split(command[1])[1:]) == 0, said
    capsys.readouterr()
    main(["dataset", "check", "my export_data"])
    assert "3 train" in capsys.readouterr().out, "what was written is a data set"


@pytest.mark.parametrize("named", [".", "../export.v2", "annotations.xml"])
def test_the_command_that_check_names_works_from_inside_the_export_and_for_a_file(
    tmp_path, monkeypatch, capsys, named
):
    monkeypatch.chdir(exports.cvat_xml(tmp_path / "export.v2"))
    found = recognised(Path(named))
    assert [each.name for each in found] == ["cvat-xml"]
    command = how_to_convert(Path(named), found).strip("`")
    assert main(["dataset", "check", named]) == 2 and command in capsys.readouterr().err
    assert main(shlex.split(command)[1:]) == 0
    made = {"annotations.xml": tmp_path / "export.v2" / "annotations_data"}.get(
        named, tmp_path / "export.v2_data"
    )
    assert len(read(made)) == 3


def test_roboflows_coco_export_is_coco_with_a_split(tmp_path):
    assert convert(exports.roboflow_coco(tmp_path / "export"), "-o", tmp_path / "out") == 0
    rows = (tmp_path / "out" / "index.csv").read_text().split()
    assert rows == ["name,split", "a,train", "b,train", "c,train"] and len(read(tmp_path / "out")) == 3


def test_side_by_side_pictures_get_classes_called_by_their_colours(tmp_path):
    root = exports.pix2pix(tmp_path / "export")
    for file in (root / "train").iterdir():  # as the published data sets are: JPEG, of which borders suffer
        Image.open(file).save(file.with_suffix(".jpg"), quality=92)
        file.unlink()
    assert convert(root, "-o", tmp_path / "out") == 0
    label_set = label_set_of(tmp_path / "out")
    assert len(label_set.classes) == 3 and all(entry.name.startswith("#") for entry in label_set.classes)
    named = LabelSet("named", 1, exports.classes())
    (tmp_path / "named.toml").write_text(named.to_toml())
    assert convert(root, "-o", tmp_path / "named", "--label-set", tmp_path / "named.toml") == 0
    for name, moved in exports.moves():
        ids = read_labels(tmp_path / "named" / "labels" / f"{name}.png", named)
        assert (ids == truth(moved)).mean() > 0.98, "by the colours of the label set"
        photo = np.asarray(Image.open(tmp_path / "named" / "images" / f"{name}.png"))
        assert photo.shape == (48, 64, 3) and photo.std() > 30, "the noisy half is the photo"


def test_black_and_white_masks_are_said_and_become_two_classes(tmp_path, capsys):
    root = exports.black_and_white(tmp_path / "masks")
    assert main(["dataset", "check", str(root)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "only 0 and 255" in said and "--format black-and-white" in said
    assert convert(root, "-o", tmp_path / "out") == 0
    label_set = label_set_of(tmp_path / "out")
    assert [entry.name for entry in label_set.classes] == ["background", "object"]
    ids = read_labels(tmp_path / "out" / "labels" / "b.png", label_set)
    np.testing.assert_array_equal(ids, truth(7) == 2)


def test_classes_go_to_those_of_a_named_set_by_name_alias_and_table(tmp_path, capsys):
    root = exports.labelme(tmp_path / "export")
    for file in root.glob("*.json"):
        text = file.read_text().replace('"ground"', '"zeppelin"').replace('"tree"', '"Pine_Trees"')
        file.write_text(text)
    words = [root, "-o", tmp_path / "out", "--label-set", "landscape"]
    assert convert(*words) == 2, "landscape has no zeppelin"
    said = capsys.readouterr().err
    assert "zeppelin" in said and "fix:" in said and not list(tmp_path.glob("out*"))
    (tmp_path / "table.csv").write_text("name,class\nZeppelin,dirt\n")
    assert convert(*words, "--palette", tmp_path / "table.csv") == 0
    landscape = load_label_set("landscape")
    said = capsys.readouterr().out
    assert "zeppelin: dirt" in said and "Pine_Trees: tree" in said
    ids = read_labels(tmp_path / "out" / "labels" / "a.png", landscape)
    wanted = np.array([landscape.class_named(name).id for name in ("sky", "dirt", "tree")])
    np.testing.assert_array_equal(ids, wanted[truth()])
    assert label_set_of(tmp_path / "out").digest == landscape.digest


def test_what_nobody_labelled_has_no_class_and_shapes_without_area_are_told(tmp_path, capsys):
    root = exports.labelme(tmp_path / "export")
    held = json.loads((root / "a.json").read_text())
    held["shapes"] = held["shapes"][2:]
    (root / "a.json").write_text(json.dumps(held))
    assert convert(root, "-o", tmp_path / "out") == 0
    label_set = label_set_of(tmp_path / "out")
    ids = read_labels(tmp_path / "out" / "labels" / "a.png", label_set)
    assert set(np.unique(ids[truth() != 2])) == {label_set.ignore_id}
    assert "3 shapes of the kind 'line' cover no area" in capsys.readouterr().out


# What an annotation of a, b and c is changed into, and what is said of it.
DAMAGE = {
    "a photo of another size": (lambda root: save(root / "a.jpg", np.zeros((48, 63, 3), np.uint8)), "64 x 48"),
    "no photo": (lambda root: (root / "a.jpg").unlink(), "no photo"),
    "a damaged photo": (lambda root: (root / "a.jpg").write_bytes((root / "a.jpg").read_bytes()[:400]), "damaged"),
    "half a file": (lambda root: (root / "a.json").write_text('{"shapes": ['), "no JSON"),
    "corners that are no numbers": (
        lambda root: (root / "a.json").write_text(
            (root / "a.json").read_text().replace("[64, 16], [64, 48]", '["x", 16], [NaN, 48]')
        ),
        "not as LabelMe",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", DAMAGE)
def test_one_faulty_picture_is_refused_by_name_and_the_others_are_converted(tmp_path, capsys, fault):
    root = exports.labelme(tmp_path / "export")
    damage, said = DAMAGE[fault]
    damage(root)
    assert convert(root, "-o", tmp_path / "out") == 1
    out = capsys.readouterr().out
    assert "2 pairs" in out and "1 refused" in out and said in out and "fix:" in out
    assert sorted(read(tmp_path / "out")) == ["b", "c"]


@pytest.mark.parametrize("name", [name for name in WITH_NAMES if name != "parquet"])
def test_an_export_without_its_photos_is_refused_leaves_nothing_and_takes_them_from_elsewhere(
    tmp_path, capsys, name
):
    root = WRITERS[name](tmp_path / "export")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in [*root.rglob("*.jpg")]:
        file.rename(elsewhere / file.name)
    assert convert(root, "-o", tmp_path / "out", "--format", name) == 2
    assert "--photos" in capsys.readouterr().err
    assert {file.name for file in tmp_path.iterdir()} == {"export", "elsewhere"}
    assert convert(root, "-o", tmp_path / "out", "--format", name, "--photos", elsewhere) == 0
    assert len(read(tmp_path / "out")) == 3


def test_training_on_an_export_names_the_command_too(tmp_path, capsys):
    root = exports.labelme(tmp_path / "export")
    assert main(["train", "--data", str(root), "-o", str(tmp_path / "run"), "--device", "cpu"]) == 2
    said = capsys.readouterr().err
    assert "LabelMe" in said and "spade dataset convert" in said and not (tmp_path / "run").exists()


def test_a_link_to_a_folder_above_is_not_followed_for_ever(tmp_path):
    root = exports.labelme(tmp_path / "export")
    (root / "loop").symlink_to(root, target_is_directory=True)
    assert convert(root, "-o", tmp_path / "out") == 0 and len(read(tmp_path / "out")) == 3


def test_what_is_there_already_is_never_written_over(tmp_path, capsys):
    root = exports.labelme(tmp_path / "export")
    save(tmp_path / "out" / "mine.png", np.zeros((4, 4), np.uint8))
    assert convert(root, "-o", tmp_path / "out") == 2
    assert "there already" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine.png"]


def test_a_conversion_that_was_stopped_goes_on_and_another_one_starts_anew(tmp_path, monkeypatch, capsys):
    from spade_core.data.exports import writing

    root, written = exports.labelme(tmp_path / "export"), []
    real = writing.write_label_map

    def until_the_second(path, ids):
        if len(written) == 1:
            raise KeyboardInterrupt
        real(path, ids)
        written.append(path)

    monkeypatch.setattr(
        writing, "ThreadPoolExecutor", lambda: __import__("concurrent.futures").futures.ThreadPoolExecutor(1)
    )
    monkeypatch.setattr(writing, "write_label_map", until_the_second)
    assert convert(root, "-o", tmp_path / "out") == 130
    assert not (tmp_path / "out").exists() and (tmp_path / "out.part").exists()
    monkeypatch.setattr(writing, "write_label_map", real)
    assert convert(root, "-o", tmp_path / "out") == 0
    assert "2 pairs, 1 were there already" in capsys.readouterr().out
    assert len(read(tmp_path / "out")) == 3 and not (tmp_path / "out.part").exists()


def test_two_possible_formats_are_both_named_and_one_is_chosen(tmp_path, capsys):
    root = exports.labelme(exports.cvat(tmp_path / "export"))
    assert convert(root, "-o", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "--format cvat" in said and "--format labelme" in said
    assert convert(root, "-o", tmp_path / "out", "--format", "labelme") == 0
    assert convert(root, "-o", tmp_path / "out2", "--format", "photoshop") == 2
    assert "labelme" in capsys.readouterr().err


def test_photos_of_one_name_in_several_folders_keep_apart(tmp_path):
    for split in ("train", "val", "test"):
        exports.labelme(tmp_path / "export" / split)
    assert convert(tmp_path / "export", "-o", tmp_path / "out") == 0
    assert {file.stem for file in (tmp_path / "out" / "images").iterdir()} >= {"train-a", "val-a", "test-a"}


def test_splits_of_an_export_are_those_of_the_data_set_and_test_is_kept_apart(tmp_path):
    for split in ("train", "valid", "test"):
        exports.roboflow_masks(tmp_path / "whole").joinpath("train").rename(tmp_path / split)
    (tmp_path / "export").mkdir()
    for split in ("train", "valid", "test"):
        (tmp_path / split).rename(tmp_path / "export" / split)
    assert convert(tmp_path / "export", "-o", tmp_path / "out") == 0
    assert len(find_pairs(tmp_path / "out", "train")) == 3 and len(find_pairs(tmp_path / "out", "val")) == 3
    assert len(list((tmp_path / "out" / "images").iterdir())) == 9


def test_a_photo_on_its_side_fits_labels_of_the_photo_as_it_is_shown_and_as_it_is_stored(tmp_path):
    root = exports.labelme(tmp_path / "export")
    for name in ("a", "b"):
        stored = Image.open(root / f"{name}.jpg").transpose(Image.Transpose.ROTATE_90)
        exif = stored.getexif()
        exif[0x112] = 6
        stored.save(root / f"{name}.jpg", exif=exif)
    held = json.loads((root / "b.json").read_text())
    held |= {
        "imageWidth": 48,
        "imageHeight": 64,
        "shapes": [{"label": "sky", "points": [[0, 0], [48, 0], [48, 64], [0, 64]]}],
    }
    (root / "b.json").write_text(json.dumps(held))
    assert convert(root, "-o", tmp_path / "out") == 0
    found = read(tmp_path / "out")
    assert found["a"].shape == (48, 64) and found["b"].shape == (64, 48)


def test_names_that_lead_out_of_the_export_find_nothing(tmp_path, capsys):
    root = exports.labelme(tmp_path / "export")
    save(tmp_path / "secret.jpg", np.zeros((48, 64, 3), np.uint8))
    held = json.loads((root / "a.json").read_text()) | {"imagePath": "../secret.jpg"}
    (root / "a.json").write_text(json.dumps(held))
    assert convert(root, "-o", tmp_path / "out") == 1
    assert "no photo" in capsys.readouterr().out and sorted(read(tmp_path / "out")) == ["b", "c"]


def test_names_spelled_in_two_ways_that_look_the_same_are_one(tmp_path):
    root = exports.labelme(tmp_path / "export")
    (root / "a.jpg").rename(root / (unicodedata.normalize("NFD", "äöü") + ".jpg"))
    held = json.loads((root / "a.json").read_text()) | {
        "imagePath": unicodedata.normalize("NFC", "äöü") + ".jpg"
    }
    (root / "a.json").write_text(json.dumps(held))
    assert convert(root, "-o", tmp_path / "out") == 0


def test_label_studios_brush_is_read_as_its_own_library_wrote_it():
    # label-studio-converter 0.0.59, encode_rle of a picture 8 wide and 6 high, 255 in rows 1-2 and columns 2-3
    code = bytes([0, 0, 0, 192, 57, 27, 254, 39, 0, 159, 255, 11, 128, 79, 255, 155, 192, 0])
    wanted = np.zeros((6, 8), np.uint8)
    wanted[1:3, 2:4] = 255
    np.testing.assert_array_equal(decoded(code, (8, 6)), wanted)
    for broken in (code[:9], b"", b"\xff" * 18):
        with pytest.raises(ValueError):
            decoded(broken, (8, 6))
    with pytest.raises(ValueError, match="size"):
        decoded(code, (6, 6))


@pytest.mark.parametrize("counts", [[5, 5], "zzzz", "00", [-3, 51], "", b"\xff\xff", [48, 0, 1]])
def test_run_lengths_that_do_not_fill_the_picture_are_refused(counts):
    with pytest.raises(ValueError):
        run_lengths(counts, (8, 6))


def test_a_photo_inside_labelmes_file_circles_and_old_files_without_kinds_and_sizes(tmp_path):
    root = exports.labelme(tmp_path / "export")
    photo = root / "a.jpg"
    held = json.loads((root / "a.json").read_text())
    held["shapes"] = [
        {"label": "sky", "points": exports.corners((0, 0, 64, 48))},  # no shape_type
        {"label": "tree", "shape_type": "circle", "points": [[32, 24], [32, 34]]},
        {"label": "ground", "shape_type": "polygon", "points": [[1, 1], [9, 9]]},  # two corners cover nothing
    ]
    held["imageData"] = base64.b64encode(photo.read_bytes()).decode()
    del held["imageWidth"], held["imageHeight"]
    photo.unlink()
    (root / "a.json").write_text(json.dumps(held))
    assert convert(root, "-o", tmp_path / "out") == 0
    ids = read(tmp_path / "out")["a"]
    rows, columns = np.mgrid[0.5:48.5, 0.5:64.5]
    away = np.hypot(columns - 32, rows - 24)
    assert (ids[away < 9] == 2).all() and (ids[away > 11] == 0).all()


def test_label_studios_short_export_and_turned_rectangles(tmp_path):
    root = tmp_path / "export"
    exports.photo(root, "a")
    box = {"x": 50, "y": 50, "width": 25, "height": 25, "rotation": 90}  # 16 x 12 pixels about (32, 24)
    size = {"original_width": 64, "original_height": 48}
    task = {"id": 1, "annotation_id": 7, "annotator": 1, "image": "/data/local-files/?d=some%2Fwhere%2Fa.jpg",
            "label": [{**box, **size, "rectanglelabels": ["tree"]}]}  # fmt: skip
    exports.write_json(root / "export.json", [task])
    assert convert(root / "export.json", "-o", tmp_path / "out") == 0
    label_set = label_set_of(tmp_path / "out")
    ids = read_labels(tmp_path / "out" / "labels" / "a.png", label_set)
    wanted = np.full((48, 64), label_set.ignore_id)
    wanted[24:40, 20:32] = 0  # clockwise: down and to the left
    np.testing.assert_array_equal(ids, wanted)


def test_yolo_in_one_folder_with_a_text_file_of_names(tmp_path):
    whole = exports.yolo(tmp_path / "whole")
    root = tmp_path / "export"
    root.mkdir()
    for file in [*whole.rglob("*.jpg"), *whole.rglob("?.txt")]:
        file.rename(root / file.name)
    (root / "classes.txt").write_text("\n".join(NAMES))
    assert [each.name for each in recognised(root)] == ["yolo"]
    assert convert(root, "-o", tmp_path / "out") == 0 and len(read(tmp_path / "out")) == 3


def test_objects_of_coco_and_yolo_lie_the_smaller_over_the_larger_whatever_their_order(tmp_path):
    root = exports.yolo(tmp_path / "export")
    for file in (root / "labels" / "train").iterdir():
        file.write_text("\n".join(reversed(file.read_text().splitlines())))
    assert convert(root, "-o", tmp_path / "out") == 0
    assert names_of(tmp_path / "out", 7, read(tmp_path / "out"))


def test_cocos_own_annotations_of_objects_and_stuff_are_drawn_together_and_captions_are_none(
    tmp_path, capsys
):
    root = exports.coco(tmp_path / "export", "annotations/instances_train2017.json", "train2017")
    file = root / "annotations" / "instances_train2017.json"
    held = json.loads(file.read_text())
    photo = held["images"][0] | {"id": 9, "file_name": "empty.jpg"}
    exports.photo(root / "train2017", "empty")
    kinds = {"instances": [5], "stuff": [1, 3]}
    for kind, ids in kinds.items():
        part = held | {
            "annotations": [each for each in held["annotations"] if each["category_id"] in ids],
            "categories": [each for each in held["categories"] if each["id"] in ids],
            "images": [*held["images"], photo],
        }
        exports.write_json(file.with_name(f"{kind}_train2017.json"), part)
    captions = held | {"annotations": [{"image_id": 0, "caption": "a tree"}]}
    exports.write_json(file.with_name("captions_train2017.json"), captions)
    assert convert(root, "-o", tmp_path / "out") == 0
    assert "no class is shown anywhere: 1." in capsys.readouterr().out
    found = read(tmp_path / "out")
    assert sorted(found) == ["a", "b", "c"] and all(
        names_of(root, moved, found) for _, moved in exports.moves()
    )


def test_mapillary_as_it_was_before_and_splits_by_its_folders(tmp_path):
    root = exports.mapillary(tmp_path / "export")
    (root / "training" / "v2.0" / "labels").rename(root / "training" / "labels")
    (root / "config_v2.0.json").rename(root / "config.json")
    shutil.copytree(root / "training", root / "validation")
    assert [each.name for each in recognised(root)] == ["mapillary"]
    assert convert(root, "-o", tmp_path / "out") == 0, "it looks like plain folders, too"
    assert len(find_pairs(tmp_path / "out", "train")) == len(find_pairs(tmp_path / "out", "val")) == 3


def test_photos_that_training_does_not_read_become_png(tmp_path):
    root = exports.labelme(tmp_path / "export")
    for ending in ("bmp", "gif"):
        name = {"bmp": "a", "gif": "b"}[ending]
        with Image.open(root / f"{name}.jpg") as photo:
            photo.save(root / f"{name}.{ending}")
        (root / f"{name}.jpg").unlink()
    assert convert(root, "-o", tmp_path / "out") == 0
    kept = sorted(file.name for file in (tmp_path / "out" / "images").iterdir())
    assert kept == ["a.png", "b.png", "c.jpg"] and len(read(tmp_path / "out")) == 3
    assert (tmp_path / "out" / "images" / "c.jpg").read_bytes() == (root / "c.jpg").read_bytes()


def test_coloured_label_maps_that_are_twice_as_wide_as_high_are_no_pictures_side_by_side(tmp_path):
    landscape = load_label_set("landscape")
    ids = np.zeros((64, 128), np.uint8)
    ids[30:] = np.random.default_rng(1).integers(1, 9, (34, 8)).repeat(16, axis=1)
    save(tmp_path / "coloured" / "a.png", landscape.colorize(ids))
    assert recognised(tmp_path / "coloured") == []
    assert convert(tmp_path / "coloured", "-o", tmp_path / "labels") == 0
    np.testing.assert_array_equal(read_labels(tmp_path / "labels" / "a.png", landscape), ids)


def test_an_export_of_many_classes_has_ids_of_16_bits_and_a_colour_for_each(tmp_path):
    root = exports.hugging_face(tmp_path / "export")
    write = {str(id): f"thing {id}" for id in range(300)}
    (root / "id2label.json").write_text(json.dumps(write))
    assert convert(root, "-o", tmp_path / "out") == 0
    label_set = label_set_of(tmp_path / "out")
    assert len(label_set.classes) == 300 and label_set.ignore_id == 300
    assert len({entry.color for entry in label_set.classes}) == 300
    assert find_pairs(tmp_path / "out", None)
    ids = read_labels(tmp_path / "out" / "labels" / "a.png", label_set)
    assert ids.dtype == np.uint16 and np.array_equal(ids, truth())


def test_cvats_turned_boxes_and_ellipses_and_a_file_that_is_no_xml(tmp_path, capsys):
    root = exports.cvat_xml(tmp_path / "export")
    shapes = (
        '<box label="tree" xtl="20" ytl="16" xbr="36" ybr="24" rotation="90" z_order="9"/>'
        '<ellipse label="tree" cx="50" cy="30" rx="8" ry="4" z_order="9"/></image>'
    )
    text = (root / "annotations.xml").read_text().replace("</image>", shapes, 1)
    (root / "annotations.xml").write_text(text)
    assert convert(root / "annotations.xml", "-o", tmp_path / "out") == 0
    found = read(tmp_path / "out")["a"]
    assert (found[13:27, 24:32] == 2).all() and found[20, 33] == 1, "about its middle"
    assert (found[27:33, 46:54] == 2).all() and found[30, 57] == 2 and found[36, 50] == 1
    (root / "annotations.xml").write_text(text[:-30])
    assert convert(root, "-o", tmp_path / "out2") == 2 and "not as CVAT" in capsys.readouterr().err


def test_options_of_label_images_are_refused_for_exports(tmp_path, capsys):
    root = exports.labelme(tmp_path / "export")
    for words in (["--tolerance", 3], ["--unknown", "nearby"], ["--palette", "landscape"]):
        assert convert(root, "-o", tmp_path / "out", *words) == 2 and "fix:" in capsys.readouterr().err


def test_yolo_boxes_are_no_segmentation(tmp_path, capsys):
    root = exports.yolo(tmp_path / "export")
    for file in (root / "labels" / "train").iterdir():
        file.write_text("0 0.5 0.5 0.2 0.2\n")
    assert convert(root, "-o", tmp_path / "out") == 2
    assert "boxes only" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_an_export_whose_every_file_is_nonsense_ends_in_a_sentence(tmp_path, capsys):
    """Each of some changes to JSON is taken, or refused plainly: no traceback, nothing left behind."""
    random = np.random.default_rng(10)
    values = [None, -1, 1e30, "", "x", [], {}, [[]], True, float("nan")]
    for number, name in enumerate(["labelme", "coco", "label-studio", "supervisely"] * 8):
        place = tmp_path / str(number)
        root = WRITERS[name](place / "export")
        file = sorted(root.rglob("*.json"))[int(random.integers(len(list(root.rglob("*.json")))))]
        held = json.loads(file.read_text())
        _change(held, random, values)
        file.write_text(json.dumps(held))
        code = convert(root, "-o", place / "out", "--format", name)
        said = capsys.readouterr()
        assert code in (0, 1, 2), said
        assert "Something broke" not in said.err, (name, said.err)
        assert code != 2 or not (place / "out").exists()


def _change(held: object, random: np.random.Generator, values: list) -> None:
    """One value somewhere below becomes another one."""
    while True:
        keys = (
            list(held) if isinstance(held, dict) else list(range(len(held))) if isinstance(held, list) else []
        )
        if not keys:
            return
        key = keys[int(random.integers(len(keys)))]
        if not isinstance(held[key], dict | list) or random.random() < 0.2:
            held[key] = values[int(random.integers(len(values)))]
            return
        held = held[key]
