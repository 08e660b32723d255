# SPDX-License-Identifier: Apache-2.0
"""Reading a pair: what is unambiguous is read rightly, all else is refused with the file's name and a fix."""

import numpy as np
import pytest
from PIL import Image

from spade_core.contract.errors import BadImageError, BadLabelError, SpadeError
from spade_core.contract.labels import LabelClass, LabelSet, load_label_set
from spade_core.data.pairs import Pair, read_instances, read_labels, read_pair
from tests.support.small_data import save, stripes, write_pair

LANDSCAPE = load_label_set("landscape")
IDS = stripes()


def palette_image(ids, colors):
    image = Image.fromarray(ids, mode="P")
    image.putpalette([value for color in colors for value in color])
    return image


def written(path, kind):
    """IDS in one of the ways people have label maps on disk."""
    if kind == "palette of its own":
        palette_image(IDS, [(index, 255 - index, 7) for index in range(17)]).save(path)
    elif kind == "palette of the set":
        palette_image(IDS, [entry.rgb for entry in LANDSCAPE.classes]).save(path)
    elif kind == "16 bit":
        save(path, IDS.astype(np.uint16))
    elif kind == "the set's colours":
        save(path, LANDSCAPE.colorize(IDS))
    elif kind == "the set's colours, opaque":
        save(path, np.dstack([LANDSCAPE.colorize(IDS), np.full_like(IDS, 255)]))
    elif kind == "8 bit with opaque alpha":
        Image.merge("LA", [Image.fromarray(IDS), Image.new("L", IDS.shape[::-1], 255)]).save(path)
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "palette of its own",
        "palette of the set",
        "16 bit",
        "the set's colours",
        "the set's colours, opaque",
        "8 bit with opaque alpha",
    ],
)
def test_ids_come_out_right_however_they_are_written(tmp_path, kind):
    np.testing.assert_array_equal(read_labels(written(tmp_path / "a.png", kind), LANDSCAPE), IDS)


def refused(tmp_path, image):
    path = tmp_path / "refused.png"
    image.save(path)
    with pytest.raises(SpadeError) as caught:
        read_labels(path, LANDSCAPE)
    assert "refused.png" in caught.value.message and caught.value.fix
    return caught.value


def test_ids_outside_the_set_are_refused(tmp_path):
    assert isinstance(refused(tmp_path, Image.fromarray(np.full((8, 8), 99, np.uint8))), BadLabelError)


def test_16_bit_ids_that_were_stretched_are_refused(tmp_path):
    assert isinstance(refused(tmp_path, Image.fromarray(IDS.astype(np.uint16) * 257)), BadLabelError)


def test_colours_that_no_class_has_are_refused(tmp_path):
    rgb = LANDSCAPE.colorize(IDS)
    rgb[3, 3] = (1, 2, 3)
    assert "#010203" in refused(tmp_path, Image.fromarray(rgb)).message


def test_transparent_places_are_refused(tmp_path):
    rgba = np.dstack([LANDSCAPE.colorize(IDS), np.full_like(IDS, 255)])
    rgba[0, 0, 3] = 0
    assert "transparent" in refused(tmp_path, Image.fromarray(rgba)).message


def test_a_coloured_map_that_was_saved_with_a_palette_is_not_taken_for_ids(tmp_path):
    """A drawing program numbers the colours as it finds them: mountain's colour gets the index of cloud."""
    used = [LANDSCAPE.classes[index].rgb for index in (0, 3, 6)]
    problem = refused(tmp_path, palette_image(np.searchsorted((0, 3, 6), IDS).astype(np.uint8), used))
    assert isinstance(problem, BadImageError) and "convert" in problem.fix


def test_a_jpeg_is_refused_as_a_label_map(tmp_path):
    Image.fromarray(IDS).save(tmp_path / "a.jpg")
    with pytest.raises(BadImageError, match="JPEG"):
        read_labels(tmp_path / "a.jpg", LANDSCAPE)


def test_255_is_the_ignore_id_where_neither_is_a_class(tmp_path):
    classes = tuple(LabelClass(index, f"thing {index}", "#000000") for index in range(3))
    ids = stripes(ids=(0, 1, 255))
    path = save(tmp_path / "a.png", ids)
    large = read_labels(path, LabelSet("large", 1, classes, ignore_id=60000))
    assert large.dtype == np.uint16 and set(np.unique(large)) == {0, 1, 60000}
    with pytest.raises(
        BadLabelError, match="255"
    ):  # ignore id 0 is a class there: 255 is a sign of other ids
        read_labels(path, load_label_set("cityscapes"))


@pytest.mark.parametrize("file", ["images", "labels"])
@pytest.mark.parametrize("damage", ["cut short", "empty", "no picture", "missing"])
def test_a_damaged_file_is_named(tmp_path, file, damage):
    random = np.random.default_rng(0).integers(0, 17, (64, 64)).astype(np.uint8)
    write_pair(tmp_path, "p", random)
    path = tmp_path / file / "p.png"
    content = {"cut short": path.read_bytes()[:400], "empty": b"", "no picture": b"hello"}
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[damage])
    with pytest.raises(BadImageError) as caught:
        read_pair(Pair("p", tmp_path / "images" / "p.png", tmp_path / "labels" / "p.png"), LANDSCAPE)
    assert str(path) in caught.value.message and caught.value.fix


def test_sizes_that_differ_are_refused_and_a_turned_photo_is_recognised(tmp_path):
    labels = save(tmp_path / "a.png", IDS)
    for shape, fix in (((24, 32, 3), "size"), ((64, 48, 3), "upright")):
        image = save(tmp_path / f"{shape[0]}.png", np.zeros(shape, np.uint8))
        with pytest.raises(BadImageError) as caught:
            read_pair(Pair("a", image, labels), LANDSCAPE)
        assert fix in caught.value.fix


def test_a_16_bit_photo_keeps_its_brightness_and_a_transparent_one_is_laid_on_grey(tmp_path):
    labels = save(tmp_path / "a.png", IDS)
    grey = save(tmp_path / "grey.png", np.full(IDS.shape, 100 << 8, np.uint16))
    clear = save(tmp_path / "clear.png", np.zeros((*IDS.shape, 4), np.uint8))
    assert np.asarray(read_pair(Pair("a", grey, labels), LANDSCAPE)[0])[0, 0].tolist() == [100] * 3
    assert np.asarray(read_pair(Pair("a", clear, labels), LANDSCAPE)[0])[0, 0].tolist() == [128] * 3


def test_a_large_jpeg_may_be_decoded_smaller_but_never_below_what_is_needed(tmp_path):
    labels = save(tmp_path / "a.png", stripes(480, 640))
    photo = save(tmp_path / "a.jpg", np.zeros((480, 640, 3), np.uint8))
    for needed, size in ((0, (640, 480)), (300, (640, 480)), (200, (320, 240)), (100, (160, 120))):
        read, map_ = read_pair(Pair("a", photo, labels), LANDSCAPE, short_side=needed)
        assert read.size == size and map_.size == (640, 480)


@pytest.mark.parametrize("kind", ["8 bit", "16 bit", "colours"])
def test_instance_maps_keep_objects_apart(tmp_path, kind):
    objects = np.arange(48 * 64).reshape(48, 64) // 300
    pixels = {
        "8 bit": objects.astype(np.uint8),
        "16 bit": (objects * 1000).astype(np.uint16),
        "colours": np.dstack([objects, objects % 3, objects]).astype(np.uint8),
    }[kind]
    read = read_instances(save(tmp_path / "a.png", pixels))
    assert read.dtype == np.int32
    np.testing.assert_array_equal(read[:, 1:] != read[:, :-1], objects[:, 1:] != objects[:, :-1])
