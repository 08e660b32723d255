# SPDX-License-Identifier: Apache-2.0
"""Styles: read from photos of any size, mixed, turned down, and drawn from around a photo's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spade_core.contract.errors import BadShapeError
from spade_core.model.losses import kl_divergence
from spade_core.model.style_encoder import StyleEncoder, StyleEncoderConfig, sample_style
from spade_core.synthesis.style import at_strength, between, mixed
from spade_core.synthesis.synthesizer import Synthesizer
from tests.support.tiny import tiny_model

ZERO = np.zeros(4, np.float32)
A, B, C = (np.full(4, value, np.float32) for value in (1, 3, -5))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    return Synthesizer.load(tiny_model(tmp_path_factory.mktemp("model")), "cpu")


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)


def test_a_mix_lies_between_its_codes_by_their_weights():
    assert np.allclose(mixed((A, B), (1, 1)), 2)
    assert np.allclose(mixed((A, B, C), (0.5, 0.25, 0.25)), 0)
    assert np.allclose(mixed((A, B), (30, 10)), 1.5)
    assert np.array_equal(between(A, B, 0), A) and np.array_equal(between(A, B, 1), B)
    assert mixed((A, B), (1, 2)).dtype == np.float32


def test_strength_leads_from_the_average_look_to_the_style_itself():
    assert np.array_equal(at_strength(B, 0, ZERO), np.zeros(4, np.float32))
    assert np.array_equal(at_strength(B, 1, ZERO), B)
    assert np.allclose(at_strength(B, 0.5, ZERO), 1.5)


@pytest.mark.parametrize("weights", [(1,), (0, 0), (-1, 2), (float("nan"), 1)])
def test_weights_that_mix_nothing_are_refused(weights):
    with pytest.raises(BadShapeError):
        mixed((A, B), weights)


def test_codes_of_two_models_are_not_mixed():
    with pytest.raises(BadShapeError):
        mixed((A, np.zeros(5, np.float32)), (1, 1))


def test_a_photo_always_has_the_same_style(model: Synthesizer, photo: np.ndarray):
    assert np.array_equal(model.encode_style(photo), model.encode_style(photo))


def test_draws_from_around_a_photo_follow_their_seed_and_centre_on_its_mean(
    model: Synthesizer, photo: np.ndarray
):
    draws = np.array([model.encode_style(photo, seed) for seed in range(400)])
    assert np.array_equal(draws[7], model.encode_style(photo, 7))
    assert not np.array_equal(draws[7], draws[8])
    spread = draws.std(0)
    assert np.all(spread > 0.1)
    assert np.all(np.abs(draws.mean(0) - model.encode_style(photo)) < 5 * spread / np.sqrt(len(draws)))


def test_a_style_is_that_of_the_whole_photo_and_not_of_single_pixels(model: Synthesizer):
    stripes = np.zeros((640, 640, 3), np.uint8)
    stripes[:, ::2] = (
        255  # of one pixel: every 20th column of a photo sampled point by point would be of one colour
    )
    grey = np.full((640, 640, 3), 127, np.uint8)
    assert np.allclose(model.encode_style(stripes), model.encode_style(grey), atol=0.02)


def test_an_encoder_as_published_picks_single_pixels_of_a_large_photo():
    images = torch.randn(1, 3, 600, 900, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    config = StyleEncoderConfig(4, base_width=2, input_size=64, spectral=False, antialias=False)
    encoder = StyleEncoder(config).eval()
    small = torch.nn.functional.interpolate(images, (64, 64), mode="bilinear", align_corners=False)
    with torch.no_grad():
        assert torch.equal(encoder(images)[0], encoder(small)[0])


def test_the_kl_divergence_is_that_of_torch_summed_over_everything():
    mean, log_variance = torch.randn(3, 5), torch.randn(3, 5)
    posterior = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    standard = torch.distributions.Normal(torch.zeros(3, 5), torch.ones(3, 5))
    expected = torch.distributions.kl_divergence(posterior, standard).sum()
    assert torch.allclose(kl_divergence(mean, log_variance), expected)


def test_a_draw_has_the_spread_that_the_encoder_says():
    log_variance = torch.full((20000, 2), np.log(9.0))
    draws = sample_style(torch.ones(20000, 2), log_variance, torch.Generator().manual_seed(0))
    assert torch.allclose(draws.std(0), torch.full((2,), 3.0), atol=0.1)
    assert torch.allclose(draws.mean(0), torch.ones(2), atol=0.1)
