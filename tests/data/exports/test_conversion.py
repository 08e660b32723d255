# SPDX-License-Identifier: Apache-2.0
"""Converting an export: its classes, splits and photos; what is faulty is refused by name, nothing is left in part."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from spade_core.cli import main
from spade_core.contract.labels import load_label_set
from spade_core.data.layouts.layouts import find_pairs, label_set_of
from spade_core.data.pairs import read_labels
from tests.support import exports
from tests.support.conversions import convert, read
from tests.support.exports import truth
from tests.support.small_data import save

pytest.importorskip("pycocotools")
pytest.importorskip("pyarrow")


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


def test_options_of_label_images_are_refused_for_exports(tmp_path, capsys):
    root = exports.labelme(tmp_path / "export")
    for words in (["--tolerance", 3], ["--unknown", "nearby"], ["--palette", "landscape"]):
        assert convert(root, "-o", tmp_path / "out", *words) == 2 and "fix:" in capsys.readouterr().err
