# SPDX-License-Identifier: GPL-3.0-or-later
"""Class ids as colours, and back."""

import numpy as np
import pytest
from spade_backdrops.contract.errors import BadLabelError
from spade_backdrops.contract.labels import LabelClass, LabelSet, load_label_set, shipped_label_sets
from spade_backdrops.label_image.colors import colorized, paint_colors, read_labels


def every_id(label_set: LabelSet) -> np.ndarray:
    ids = list(dict.fromkeys([*(entry.id for entry in label_set.classes), label_set.ignore_id]))
    return np.array([ids, ids[::-1]], label_set.dtype)


@pytest.mark.parametrize("name", shipped_label_sets())
def test_every_id_of_a_shipped_label_set_comes_back_from_its_colour(name):
    label_set = load_label_set(name)
    read = read_labels(colorized(every_id(label_set), label_set), label_set)
    np.testing.assert_array_equal(read.label_map, every_id(label_set))
    assert read.strange == 0.0 and read.label_map.dtype == label_set.dtype


def test_classes_of_one_colour_are_painted_in_two():
    grey = LabelSet("grey", 1, tuple(LabelClass(id, f"class {id}", "#808080") for id in range(300)))
    assert len(set(paint_colors(grey).values())) == 300
    read = read_labels(colorized(every_id(grey), grey), grey)
    np.testing.assert_array_equal(read.label_map, every_id(grey))


def test_the_colours_of_a_set_that_has_no_doubles_are_its_own():
    label_set = load_label_set("landscape")
    colors = paint_colors(label_set)
    assert [colors[entry.id] for entry in label_set.classes] == [entry.rgb for entry in label_set.classes]


def test_colours_that_an_editor_has_rounded_are_still_the_class():
    label_set = load_label_set("landscape")
    rgb = colorized(every_id(label_set), label_set).astype(int)
    read = read_labels((rgb + 2).clip(0, 255).astype(np.uint8), label_set)
    np.testing.assert_array_equal(read.label_map, every_id(label_set))
    assert read.strange == 0.0


def test_a_colour_of_no_class_is_read_as_the_nearest_and_said():
    label_set = load_label_set("landscape")
    grass = label_set.class_named("grass")
    rgb = colorized(np.full((10, 10), grass.id, np.uint8), label_set)
    red, green, blue = grass.rgb
    rgb[0, :3] = (red, green - 12, blue)
    read = read_labels(rgb, label_set)
    assert (read.label_map == grass.id).all()
    assert read.strange == 0.03 and read.example == f"#{red:02X}{green - 12:02X}{blue:02X}"


def test_a_photo_is_refused():
    photo = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    with pytest.raises(BadLabelError, match="no label map"):
        read_labels(photo, load_label_set("landscape"))
