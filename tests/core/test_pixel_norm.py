# SPDX-License-Identifier: Apache-2.0
"""What the pixel norm of our own models promises, beside the paper's norms."""

from __future__ import annotations

import pytest
import torch

from spade_core.model.config import GeneratorConfig, ParamFreeNorm
from spade_core.model.generator import Generator
from spade_core.model.spade import one_hot

BEYOND_REACH = 256
"""Pixels: more than the reach of the network's convolutions (223)."""


def left_part_changes(norm: ParamFreeNorm) -> float:
    """How much the left of a picture changes when only the far right of its label map does."""
    torch.manual_seed(0)
    generator = Generator(
        GeneratorConfig(label_channels=3, base_width=4, max_width=16, spade_hidden=8, norm=norm)
    ).eval()
    labels = torch.zeros(1, 32, 96 + BEYOND_REACH, dtype=torch.long)
    changed = labels.clone()
    changed[..., -32:] = 2
    with torch.no_grad():
        before, after = (generator(one_hot(each, 3))[..., :64] for each in (labels, changed))
    return float((before - after).abs().max())


def test_a_far_away_region_does_not_change_a_picture_under_the_pixel_norm():
    assert left_part_changes("pixel") == 0


def test_a_far_away_region_does_change_it_under_the_instance_norm():
    assert left_part_changes("instance") > 0


@pytest.mark.parametrize("together", [1, 3])
def test_a_picture_is_the_same_in_training_and_serving_and_in_any_batch(together: int):
    torch.manual_seed(0)
    config = GeneratorConfig(
        label_channels=3, base_width=4, max_width=16, spade_hidden=8, norm="pixel", spectral=False
    )
    generator = Generator(config)
    labels = one_hot(torch.randint(0, 3, (3, 64, 64)), 3)
    with torch.no_grad():
        trained = generator.train()(labels)[:together]
        served = generator.eval()(labels[:together])
    torch.testing.assert_close(trained, served, atol=1e-5, rtol=0)
