# SPDX-License-Identifier: Apache-2.0
"""What the landscape model that ships with the product promises to everybody who presses Generate."""

from __future__ import annotations

import numpy as np
import pytest

from spade_core.contract.labels import load_label_set
from spade_core.synthesis.synthesizer import Synthesizer, model_file

LANDSCAPE = load_label_set("landscape")
SIDE = 160


@pytest.fixture(scope="module")
def model() -> Synthesizer:
    return Synthesizer.load("landscape", "cpu")


def uniform(name: str) -> np.ndarray:
    return np.full((SIDE, SIDE), LANDSCAPE.match(name).id, np.uint8)


def ring(rgb: np.ndarray, depth: int, width: int) -> np.ndarray:
    """The pixels of a square ring that begins `depth` pixels inside: (N, 3)."""
    inside = np.zeros(rgb.shape[:2], bool)
    inside[depth : SIDE - depth, depth : SIDE - depth] = True
    inside[depth + width : SIDE - depth - width, depth + width : SIDE - depth - width] = False
    return rgb[inside].astype(float)


def frame_contrast(model: Synthesizer) -> float:
    """How far the outermost pixels are from those a little inside, on maps of one class: mean of 0 to 255."""
    pictures = [
        model.render(uniform(name), seed=seed) for name in ("sky", "grass", "water") for seed in (0, 1)
    ]
    return float(
        np.mean([np.abs(ring(rgb, 0, 2).mean(0) - ring(rgb, 12, 8).mean(0)).mean() for rgb in pictures])
    )


def test_a_picture_has_no_frame(model: Synthesizer, monkeypatch: pytest.MonkeyPatch):
    with_margin = frame_contrast(model)
    monkeypatch.setattr(model, "_margin", 0)
    assert with_margin < 0.6 * frame_contrast(model)


def test_it_is_small_enough_to_ship(model: Synthesizer):
    assert model_file("landscape").stat().st_size <= 16_000_000
