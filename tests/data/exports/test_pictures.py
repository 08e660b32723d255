# SPDX-License-Identifier: Apache-2.0
"""Exports of pictures: label maps as images, side by side with their photos, or in black and white."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from spade_core.cli import main
from spade_core.contract.labels import LabelSet, load_label_set
from spade_core.data.exports.registry import recognised
from spade_core.data.layouts.layouts import find_pairs, label_set_of
from spade_core.data.pairs import read_labels
from tests.support import exports
from tests.support.conversions import convert
from tests.support.exports import truth
from tests.support.small_data import save

pytest.importorskip("pycocotools")
pytest.importorskip("pyarrow")


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


def test_mapillary_as_it_was_before_and_splits_by_its_folders(tmp_path):
    root = exports.mapillary(tmp_path / "export")
    (root / "training" / "v2.0" / "labels").rename(root / "training" / "labels")
    (root / "config_v2.0.json").rename(root / "config.json")
    shutil.copytree(root / "training", root / "validation")
    assert [each.name for each in recognised(root)] == ["mapillary"]
    assert convert(root, "-o", tmp_path / "out") == 0, "it looks like plain folders, too"
    assert len(find_pairs(tmp_path / "out", "train")) == len(find_pairs(tmp_path / "out", "val")) == 3


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
