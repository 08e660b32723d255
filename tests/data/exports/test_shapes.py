# SPDX-License-Identifier: Apache-2.0
"""Exports of shapes: polygons, boxes, brushes and run lengths, in the ways that programs write them."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from spade_core.data.exports.areas import run_lengths
from spade_core.data.exports.brush import decoded
from spade_core.data.exports.registry import recognised
from spade_core.data.layouts.layouts import label_set_of
from spade_core.data.pairs import read_labels
from tests.support import exports
from tests.support.conversions import convert, name_of, read
from tests.support.exports import NAMES

pytest.importorskip("pycocotools")
pytest.importorskip("pyarrow")


def test_roboflows_coco_export_is_coco_with_a_split(tmp_path):
    assert convert(exports.roboflow_coco(tmp_path / "export"), "-o", tmp_path / "out") == 0
    rows = (tmp_path / "out" / "index.csv").read_text().split()
    assert rows == ["name,split", "a,train", "b,train", "c,train"] and len(read(tmp_path / "out")) == 3


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


def test_yolo_boxes_are_no_segmentation(tmp_path, capsys):
    root = exports.yolo(tmp_path / "export")
    for file in (root / "labels" / "train").iterdir():
        file.write_text("0 0.5 0.5 0.2 0.2\n")
    assert convert(root, "-o", tmp_path / "out") == 2
    assert "boxes only" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_objects_of_coco_and_yolo_lie_the_smaller_over_the_larger_whatever_their_order(tmp_path):
    root = exports.yolo(tmp_path / "export")
    for file in (root / "labels" / "train").iterdir():
        file.write_text("\n".join(reversed(file.read_text().splitlines())))
    assert convert(root, "-o", tmp_path / "out") == 0
    assert name_of(7, read(tmp_path / "out"))


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
    assert sorted(found) == ["a", "b", "c"] and all(name_of(moved, found) for _, moved in exports.moves())


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
