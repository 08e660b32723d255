# SPDX-License-Identifier: Apache-2.0
"""Photos and label maps of one size, and which photos pictures are compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spade_core.contract.errors import BadImageError, BadOptionError, LabelSetMismatchError, TooFewImagesError
from spade_core.contract.labels import load_label_set
from spade_core.evaluation.scenes import Comparison, PictureSize, Scenes
from tests.support.small_data import save, stripes, write_pair

LANDSCAPE = load_label_set("landscape")


def folder(root: Path, count: int, val: int | None = None) -> Path:
    """So many pairs; the first `val` of them in the split val, or no splits at all."""
    for index in range(count):
        write_pair(root, f"p{index:02}", stripes(32, 32))
    if val is not None:
        rows = [f"p{index:02},{'val' if index < val else 'train'}" for index in range(count)]
        (root / "index.csv").write_text("\n".join(["name,split", *rows]))
    return root


def scenes(root: Path, split: str = "val", limit: int | None = None) -> Scenes:
    return Scenes.of(root, split, LANDSCAPE, PictureSize(32, 32), limit)


@pytest.mark.parametrize(
    "size", [PictureSize(32, 32), PictureSize(32, 64), PictureSize(64, 32), PictureSize(32, 32, "squeeze")]
)
def test_photo_and_label_map_are_cut_alike_to_the_size(tmp_path: Path, size: PictureSize):
    ids = np.tile(np.repeat(np.arange(8, dtype=np.uint8), 8), (48, 1))  # columns, 64 wide
    write_pair(tmp_path, "a", ids)
    scene = Scenes.of(tmp_path, "val", LANDSCAPE, size)[0]
    assert scene.photo.shape == (size.height, size.width, 3)
    assert scene.label_map.shape == (size.height, size.width)
    assert np.abs(scene.photo[..., 0] / 10.0 - scene.label_map).mean() < 0.2  # a photo is 10 times its ids


def test_a_cut_keeps_the_shape_and_a_squeeze_keeps_everything(tmp_path: Path):
    ids = np.tile(np.repeat(np.arange(8, dtype=np.uint8), 8), (32, 1))  # 64 x 32
    write_pair(tmp_path, "a", ids)
    cut, squeezed = (
        Scenes.of(tmp_path, "val", LANDSCAPE, PictureSize(32, 32, fit))[0].label_map
        for fit in ("cut", "squeeze")
    )
    assert np.unique(cut).tolist() == [2, 3, 4, 5]
    assert np.unique(squeezed).tolist() == [*range(8)]


def test_a_limit_takes_scenes_from_the_whole_split(tmp_path: Path):
    names = [pair.name for pair in scenes(folder(tmp_path, 30, val=21), limit=3).pairs]
    assert names == ["p00", "p10", "p20"]


def test_pictures_are_compared_with_photos_of_the_other_split(tmp_path: Path):
    folder(tmp_path, 40, val=12)
    comparison = Comparison.of(scenes(tmp_path), tmp_path, "val", count=20)
    assert len(comparison.painted) == 12 and len(comparison.reference) == 20
    assert {pair.name for pair in comparison.reference.pairs} <= {f"p{index:02}" for index in range(12, 40)}
    assert "'train'" in comparison.reference_description


@pytest.mark.parametrize("limit", [None, 12])
def test_without_splits_no_picture_is_compared_with_the_photo_of_its_own_label_map(tmp_path: Path, limit):
    folder(tmp_path, 24)
    comparison = Comparison.of(scenes(tmp_path, limit=limit), tmp_path, "val", count=100)
    painted, compared = (
        {pair.name for pair in part.pairs} for part in (comparison.painted, comparison.reference)
    )
    assert len(painted) == len(compared) == 12 and not painted & compared
    assert "not painted" in comparison.reference_description


@pytest.mark.parametrize(("count", "val"), [(14, None), (30, 4), (4, None)])
def test_too_few_pairs_for_the_statistics_are_refused_with_the_number_that_is_needed(tmp_path, count, val):
    folder(tmp_path, count, val)
    with pytest.raises(TooFewImagesError, match="at least 10"):
        Comparison.of(scenes(tmp_path), tmp_path, "val", count=100)


def test_data_that_say_they_are_of_another_label_set_are_refused(tmp_path: Path):
    folder(tmp_path, 3)
    (tmp_path / "label_set.toml").write_text(load_label_set("ade20k").to_toml(), encoding="utf-8")
    with pytest.raises(LabelSetMismatchError, match="ade20k"):
        scenes(tmp_path)


def test_a_photo_that_cannot_be_read_is_named(tmp_path: Path):
    folder(tmp_path, 3)
    (tmp_path / "images" / "p01.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(BadImageError, match="p01"):
        list(scenes(tmp_path))


def test_instance_maps_come_along_in_the_same_size(tmp_path: Path):
    folder(tmp_path, 1)
    objects = np.zeros((32, 32), np.uint8)
    objects[:, 16:] = 7
    save(tmp_path / "instances" / "p00.png", objects)
    scene = Scenes.of(tmp_path, "val", LANDSCAPE, PictureSize(64, 64))[0]
    assert scene.instance_map is not None
    assert scene.instance_map[:, :32].max() == 0 and scene.instance_map[:, 32:].min() == 7


def test_blocked_out_label_maps_are_the_same_every_time_and_photos_keep_their_own(tmp_path: Path):
    ragged = np.where(np.arange(64)[:, None] < 30 + np.random.default_rng(0).integers(-1, 2, 64), 0, 6)
    write_pair(tmp_path, "a", ragged.astype(np.uint8))
    plain, first, again = (
        Scenes.of(tmp_path, "val", LANDSCAPE, PictureSize(64, 64), grey_box=grey_box)[0]
        for grey_box in (False, True, True)
    )
    assert np.array_equal(plain.label_map, plain.photo_labels)
    assert np.array_equal(first.label_map, again.label_map)
    assert np.array_equal(first.photo_labels, plain.label_map)
    steps = [np.abs(np.diff((each.label_map == 0).sum(0))).sum() for each in (plain, first)]
    assert steps[1] < steps[0] / 4  # the border is straight


def test_sizes_and_numbers_that_cannot_be_are_refused(tmp_path: Path):
    pairs = folder(tmp_path, 2)
    for wrong in (lambda: PictureSize(16, 64), lambda: PictureSize(64, 0), lambda: scenes(pairs, limit=0)):
        with pytest.raises(BadOptionError):
            wrong()
