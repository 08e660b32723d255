# SPDX-License-Identifier: Apache-2.0
"""Previews in the numbers that a device has, and exact pictures in float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spade_core.contract.labels import load_label_set
from spade_core.contract.request import PictureRequest
from spade_core.synthesis.compiled import generator
from spade_core.synthesis.paint import paint
from spade_core.synthesis.precision import computed_in, preview_on
from spade_core.synthesis.synthesizer import Synthesizer

LANDSCAPE = load_label_set("landscape")
LABELS = np.repeat([[2], [0], [6]], 32, 0).repeat(96, 1).astype(np.uint8)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Synthesizer:
    """As on a device with bfloat16: PyTorch's networks, whose convolutions have it also where they are slow."""
    monkeypatch.setattr(generator, "library", lambda: None)
    model = Synthesizer.load("landscape", "cpu")
    model.preview = "bfloat16"
    return model


def painted(model: Synthesizer, precision: str) -> np.ndarray:
    return paint(model, PictureRequest(LABELS, LANDSCAPE, seed=1, precision=precision)).rgb.astype(int)


@pytest.mark.parametrize("in_parts", [False, True])
def test_a_preview_differs_from_the_exact_picture_by_rounding_alone(model: Synthesizer, in_parts: bool):
    if in_parts:
        model.parted.whole_bytes = model.parted.part_bytes = 2**21
    exact = painted(model, "exact")
    differences = np.abs(painted(model, "preview") - exact)
    assert 0 < differences.max() <= 16 and differences.mean() < 1
    assert np.array_equal(painted(model, "exact"), exact)


def test_on_a_processor_a_preview_is_the_exact_picture():
    model = Synthesizer.load("landscape", "cpu")
    assert model.preview == preview_on(torch.device("cpu")) == ""
    assert np.array_equal(painted(model, "preview"), painted(model, "exact"))


def test_exact_pictures_use_all_digits_of_float32_and_others_work_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with computed_in(torch.device("cpu"), ""):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32
    with computed_in(torch.device("cpu"), "bfloat16"):
        assert torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3)).dtype == torch.bfloat16
