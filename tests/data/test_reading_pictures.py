# SPDX-License-Identifier: Apache-2.0
"""Pictures as programs and cameras save them: read for what they mean, or refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spade_core.contract.errors import BadImageError, TooLargeError
from spade_core.contract.labels import load_label_set
from spade_core.data.pairs import Pair, read_pair
from spade_core.image_files import is_grey_as_rgb, open_picture, read_label_map, read_photo
from tests.support.small_data import save

LANDSCAPE = load_label_set("landscape")


def grey_png(path: Path, ids: np.ndarray, bits: int) -> Path:
    """A PNG of one grey channel of so few bits, which Pillow cannot write."""
    rows = []
    for row in ids:
        padded = np.pad(row, (0, -len(row) % (8 // bits))).reshape(-1, 8 // bits)
        shifts = np.arange(8 - bits, -1, -bits)
        rows.append(b"\0" + (padded << shifts).sum(1).astype(np.uint8).tobytes())

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_ids_in_few_bits_are_not_stretched(tmp_path: Path, bits: int):
    ids = (np.arange(6 * 10).reshape(6, 10) % min(2**bits, 17)).astype(np.uint8)
    read = read_label_map(grey_png(tmp_path / "few.png", ids, bits), LANDSCAPE)
    assert np.array_equal(read, ids)


def test_a_jpeg_inside_a_tiff_is_refused_as_a_label_map(tmp_path: Path):
    ids = np.random.default_rng(0).integers(0, 17, (48, 64)).astype(np.uint8)
    Image.fromarray(ids).save(tmp_path / "smeared.tif", compression="jpeg")
    with pytest.raises(BadImageError, match="JPEG"):
        read_label_map(tmp_path / "smeared.tif", LANDSCAPE)
    Image.fromarray(ids).save(tmp_path / "exact.tif", compression="tiff_lzw")
    assert np.array_equal(read_label_map(tmp_path / "exact.tif", LANDSCAPE), ids)


def test_one_channel_of_ids_written_three_times_is_taken_and_colours_of_the_set_are_colours(tmp_path: Path):
    ids = np.random.default_rng(0).integers(0, 17, (48, 64)).astype(np.uint8)
    grey = save(tmp_path / "grey.png", np.repeat(ids[..., None], 3, 2))
    assert is_grey_as_rgb(open_picture(grey), LANDSCAPE)
    assert np.array_equal(read_label_map(grey, LANDSCAPE), ids)
    coloured = save(tmp_path / "coloured.png", LANDSCAPE.colorize(ids))
    assert not is_grey_as_rgb(open_picture(coloured), LANDSCAPE)
    assert np.array_equal(read_label_map(coloured, LANDSCAPE), ids)
    shades = save(tmp_path / "shades.png", np.full((48, 64, 3), 77, np.uint8))
    with pytest.raises(BadImageError):
        read_label_map(shades, LANDSCAPE)


def turned_photo(path: Path, shown: np.ndarray) -> Path:
    """As a phone stores it: on its side, with a note."""
    image = Image.fromarray(np.rot90(shown))  # orientation 6: to be turned by a quarter, clockwise
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(path, exif=exif, quality=98)
    return path


def upright(width: int = 64, height: int = 48) -> np.ndarray:
    """Bright above, dark below."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[: height // 2] = 200
    return rgb


@pytest.mark.parametrize("size", [(64, 48), (48, 48)], ids=["oblong", "square"])
def test_a_photo_that_a_camera_stored_on_its_side_is_trained_upright(tmp_path: Path, size: tuple[int, int]):
    photo = turned_photo(tmp_path / "phone.jpg", upright(*size))
    labels = save(tmp_path / "phone.png", np.zeros(size[::-1], np.uint8))
    read, map_ = read_pair(Pair("p", photo, labels), LANDSCAPE)
    assert read.size == map_.size == size
    assert np.asarray(read)[5].mean() > 150 > 50 > np.asarray(read)[-5].mean()


def test_a_photo_whose_labels_fit_only_as_it_is_stored_is_taken_so(tmp_path: Path):
    photo = turned_photo(tmp_path / "phone.jpg", upright())
    labels = save(tmp_path / "phone.png", np.zeros((64, 48), np.uint8))
    read, map_ = read_pair(Pair("p", photo, labels), LANDSCAPE)
    assert read.size == map_.size == (48, 64)


def test_a_large_camera_photo_gives_a_style_and_is_read_upright(tmp_path: Path):
    large = Image.new("RGB", (6000, 4000), (200, 100, 50))
    large.save(tmp_path / "large.jpg")
    assert read_photo(tmp_path / "large.jpg").shape == (2731, 4096, 3)
    assert read_photo(turned_photo(tmp_path / "phone.jpg", upright()))[5].mean() > 150


def test_a_photo_of_as_many_pixels_as_a_camera_has_is_no_bomb(tmp_path: Path):
    Image.new("L", (20_000, 9_500), 90).save(tmp_path / "stitched.jpg")
    assert read_photo(tmp_path / "stitched.jpg").shape == (1946, 4096, 3)
    Image.new("1", (20_001, 8)).save(tmp_path / "long.png")
    with pytest.raises(TooLargeError, match="20001 x 8"):
        read_photo(tmp_path / "long.png")
