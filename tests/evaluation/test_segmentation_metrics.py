# SPDX-License-Identifier: Apache-2.0
"""mIoU and pixel accuracy, counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spade_core.contract.labels import LabelClass, LabelSet
from spade_core.evaluation.segmentation_metrics import ConfusionMatrix

THREE = LabelSet(
    "three", 1, tuple(LabelClass(id, name, "#808080") for id, name in ((2, "a"), (5, "b"), (9, "c")))
)
ALL = np.ones(3, bool)


def test_miou_and_pixel_accuracy_are_those_of_the_pixels_of_all_pictures():
    agreement = ConfusionMatrix(THREE, ALL)
    # a: 3 pixels, 2 seen as a; b: 1 pixel, seen as b; one a is seen as b
    assert agreement.add(np.array([[2, 2], [2, 5]]), np.array([[0, 0], [1, 1]])) == pytest.approx(3 / 4)
    assert agreement.add(np.array([[5, 5]]), np.array([[1, 0]])) == pytest.approx(1 / 2)
    scores = agreement.scores()
    assert scores.pixel_accuracy == pytest.approx(4 / 6)
    assert scores.iou == pytest.approx({"a": 2 / 4, "b": 2 / 4})
    assert scores.miou == pytest.approx(0.5)
    assert scores.share == pytest.approx({"a": 3 / 6, "b": 3 / 6})


def test_pixels_without_a_class_count_nowhere():
    agreement = ConfusionMatrix(THREE, ALL)
    assert agreement.add(np.array([[2, 255]]), np.array([[0, 1]])) == 1
    assert agreement.scores().iou == {"a": 1}
    assert math.isnan(agreement.add(np.full((2, 2), 255), np.zeros((2, 2), int)))


def test_a_class_that_is_only_seen_and_never_wanted_lowers_the_others_but_is_no_class_of_the_mean():
    agreement = ConfusionMatrix(THREE, ALL)
    agreement.add(np.array([[2, 2]]), np.array([[0, 2]]))
    assert agreement.scores().iou == {"a": 0.5}


def test_what_the_segmenter_sees_as_none_of_the_classes_is_wrong():
    agreement = ConfusionMatrix(THREE, ALL)
    assert agreement.add(np.array([[2, 2]]), np.array([[0, -1]])) == 0.5


def test_classes_that_the_segmenter_cannot_tell_are_left_out():
    agreement = ConfusionMatrix(THREE, np.array([True, False, True]))
    assert agreement.add(np.array([[2, 5, 5]]), np.array([[0, 0, 2]])) == 1


def test_an_ignore_id_inside_the_classes_is_left_out():
    inside = LabelSet("inside", 1, THREE.classes, ignore_id=2)
    agreement = ConfusionMatrix(inside, ALL)
    assert agreement.add(np.array([[2, 5]]), np.array([[1, 1]])) == 1
    assert agreement.scores().iou == {"b": 1}


def test_nothing_to_count_is_told_and_is_no_zero():
    with pytest.raises(ValueError, match="no labelled pixel"):
        ConfusionMatrix(THREE, ALL).scores()
