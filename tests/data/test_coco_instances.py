# SPDX-License-Identifier: Apache-2.0
"""COCO's instance maps from annotations as COCO has them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spade_core.cli import main
from spade_core.data.coco_instances import instance_map
from spade_core.data.layouts.layouts import find_pairs
from tests.support import published_data


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    return published_data.coco_stuff(tmp_path / "coco", instances=False)


def annotations(coco: Path, split: str = "train") -> Path:
    """Two people side by side in the first picture, and a crowd; nothing in the others."""
    names = [pair.name for pair in find_pairs(coco, split)]
    images = [{"id": 7 + place, "file_name": f"{name}.jpg"} for place, name in enumerate(names)]
    left, right = (
        [40.0, 40.0, 56.0, 40.0, 56.0, 60.0, 40.0, 60.0],
        [56.0, 40.0, 72.0, 40.0, 72.0, 60.0, 56.0, 60.0],
    )
    objects = [
        {"image_id": 7, "iscrowd": 0, "segmentation": [left]},
        {"image_id": 7, "iscrowd": 1, "segmentation": {"counts": [10, 5], "size": [96, 128]}},
        {
            "image_id": 7,
            "iscrowd": 0,
            "segmentation": [right, [80.0, 70.0, 90.0, 70.0, 90.0, 80.0, 80.0, 80.0]],
        },
    ]
    file = coco.parent / f"instances_{split}2017.json"
    file.write_text(json.dumps({"images": images, "annotations": objects, "categories": []}))
    return file


def test_objects_are_numbered_over_the_label_map_and_crowds_are_left_out(coco: Path, capsys):
    assert main(["dataset", "instances", str(annotations(coco)), "--data", str(coco)]) == 0
    assert "6 instance maps" in capsys.readouterr().out
    pairs = find_pairs(coco, "train")
    assert all(pair.instances is not None for pair in pairs), "the layout finds them"
    first = np.asarray(Image.open(pairs[0].instances))
    labels = np.asarray(Image.open(pairs[0].labels))
    assert first.dtype == np.uint8
    assert (first[41:59, 41:55] == 0).all() and (first[41:59, 57:71] == 1).all()
    assert (first[71:79, 81:89] == 1).all(), "all polygons of an object have its number"
    untouched = np.ones_like(labels, bool)
    untouched[38:62, 38:74] = untouched[68:82, 78:92] = False
    assert (first[untouched] == labels[untouched]).all()
    assert np.array_equal(np.asarray(Image.open(pairs[1].instances)), np.asarray(Image.open(pairs[1].labels)))


def test_what_is_there_already_stays_and_annotations_of_another_split_are_refused(coco: Path, capsys):
    words = ["dataset", "instances", str(annotations(coco)), "--data", str(coco)]
    assert main(words) == main(words) == 0
    assert "0 instance maps, 6 were there already" in capsys.readouterr().out
    assert main([*words, "--split", "val"]) == 2
    assert "instances_val2017.json" in capsys.readouterr().err


def test_a_file_without_annotations_is_refused(coco: Path, capsys):
    (coco / "captions.json").write_text('{"annotations": [{"caption": "a hill"}]}')
    assert main(["dataset", "instances", str(coco / "captions.json"), "--data", str(coco)]) == 2
    assert "captions.json" in capsys.readouterr().err


def test_a_picture_of_very_many_objects_has_sixteen_bits():
    square = [[0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0]]
    found = instance_map(np.zeros((8, 8), np.uint8), [square] * 300)
    assert found.dtype == np.uint16 and found.max() == 299
