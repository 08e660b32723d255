# SPDX-License-Identifier: Apache-2.0
"""Panoramas and seamless tiles by the embedded model, on the whole way from request to picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import Wrap
from spade_core.contract.request import PictureRequest
from spade_core.synthesis.natural_edges import with_natural_edges
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer

LANDSCAPE = load_label_set("landscape")
SKY, GRASS, SAND = (LANDSCAPE.match(name).id for name in ("sky", "grass", "sand"))


@pytest.fixture(scope="module")
def model() -> Synthesizer:
    return Synthesizer.load("landscape", "cpu")


def painted(model: Synthesizer, labels: np.ndarray, wrap: Wrap, **more) -> np.ndarray:
    return paint(model, PictureRequest(labels, LANDSCAPE, seed=2, wrap=wrap, **more)).rgb.astype(int)


def seam(rgb: np.ndarray, axis: int) -> tuple[float, np.ndarray]:
    """How much the two sides of the seam differ, and neighbours everywhere else."""
    lines = np.moveaxis(rgb, axis, 0)
    steps = np.abs(lines - np.roll(lines, 1, 0)).mean((1, 2))
    return steps[0], steps[1:]


@pytest.mark.parametrize("below", [GRASS, SAND])
def test_the_seams_of_a_tile_are_like_any_other_place_in_it(model: Synthesizer, below: int):
    tile = painted(model, np.full((256, 256), below, np.uint8), (True, True))
    for axis in (0, 1):
        across, inside = seam(tile, axis)
        assert across <= inside.max()
    plain = painted(model, np.full((256, 256), below, np.uint8), (False, False))
    assert seam(plain, 1)[0] > seam(plain, 1)[1].max(), "which a picture that does not wrap is not"


def test_a_tile_is_as_lively_as_a_picture_of_its_class(model: Synthesizer):
    labels = np.full((128, 128), GRASS, np.uint8)
    tile, plain = (contrast(painted(model, labels, wrap)) for wrap in ((True, True), (False, False)))
    assert tile > 0.8 * plain > 4


def contrast(rgb: np.ndarray) -> float:
    """Standard deviation of the brightness in windows of 15 pixels."""
    plane = torch.from_numpy(rgb.mean(2, dtype=np.float32))[None]
    mean, square = (torch.nn.functional.avg_pool2d(each, 15, 4) for each in (plane, plane.square()))
    return float((square - mean.square()).clamp(min=0).sqrt().mean())


def test_an_enlarged_panorama_with_natural_edges_has_no_seam_from_left_to_right(model: Synthesizer):
    labels = np.full((192, 768), SKY, np.uint8)
    labels[100:] = GRASS
    request = PictureRequest(labels, LANDSCAPE, seed=2, wrap=(False, True), natural_edges=1.0)
    picture = paint(model, request)
    assert picture.upscaler, "it is enlarged"
    across, inside = seam(picture.rgb.astype(int), 1)
    assert across <= inside.max()


def test_natural_edges_meet_where_the_picture_does():
    labels = np.full((256, 512), SKY, np.uint8)
    labels[100:] = GRASS
    apart = []
    for seed in range(8):
        rows = (with_natural_edges(labels, LANDSCAPE, 1.0, seed, (False, True)) != SKY).argmax(0)
        assert len(set(rows.tolist())) > 4
        apart.append(abs(int(rows[0]) - int(rows[-1])))
    assert max(apart) <= 2
