# SPDX-License-Identifier: Apache-2.0
"""Previews in the numbers that a device has, and exact pictures in float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spade_core.contract.labels import load_label_set
from spade_core.contract.request import PictureRequest
from spade_core.model.convolution import library
from spade_core.synthesis import precision
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


@pytest.mark.skipif(library.library() is None, reason="there is no C compiler, or SPADE_FUSED is 0")
def test_where_a_processor_has_nothing_faster_a_preview_is_the_exact_picture(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    model = Synthesizer.load("landscape", "cpu")
    assert model.preview == preview_on(torch.device("cpu")) == ""
    assert np.array_equal(painted(model, "preview"), painted(model, "exact"))


@pytest.mark.skipif(
    not library.has_bfloat16(), reason="this processor has no bfloat16, or there is no C compiler"
)
class TestOnAProcessorWithBfloat16:
    @pytest.mark.parametrize("in_parts", [False, True])
    def test_a_preview_differs_from_the_exact_picture_by_rounding_alone(self, in_parts: bool):
        model = Synthesizer.load("landscape", "cpu")
        assert model.preview == "bfloat16"
        if in_parts:
            model.parted.whole_bytes = model.parted.part_bytes = 2**21
        differences = np.abs(painted(model, "preview") - painted(model, "exact"))
        assert 0 < differences.max() <= 16 and differences.mean() < 0.5

    def test_exact_pictures_stay_what_they_are_and_previews_come_out_the_same_again(self):
        alone, model = Synthesizer.load("landscape", "cpu"), Synthesizer.load("landscape", "cpu")
        preview, exact = painted(model, "preview"), painted(model, "exact")
        assert np.array_equal(exact, painted(alone, "exact"))
        assert np.array_equal(preview, painted(model, "preview"))


def test_exact_pictures_use_all_digits_of_float32_and_others_work_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with computed_in(torch.device("cpu"), ""):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32
    with computed_in(torch.device("cpu"), "bfloat16"):
        assert torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3)).dtype == torch.bfloat16
