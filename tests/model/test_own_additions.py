# SPDX-License-Identifier: Apache-2.0
"""What our own models add to the published network, and what each addition promises."""

from __future__ import annotations

import pytest
import torch

from spade_core.model.config import ParamFreeNorm
from spade_core.model.semantic_input import one_hot
from spade_core.model.spade import Generator, GeneratorConfig
from spade_core.training.objective import mean_colors

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


def spread_over_a_uniform_map(replicate_padding: bool) -> float:
    torch.manual_seed(0)
    config = GeneratorConfig(
        label_channels=3, base_width=4, max_width=16, spade_hidden=8, norm="pixel", spectral=False,
        replicate_padding=replicate_padding,
    )  # fmt: skip
    with torch.no_grad():
        picture = Generator(config).eval()(one_hot(torch.ones(1, 64, 96, dtype=torch.long), 3))
    return float(picture.std((2, 3)).max())


def test_a_border_is_painted_like_the_inside_where_convolutions_repeat_the_edge():
    assert spread_over_a_uniform_map(replicate_padding=True) < 1e-6
    assert spread_over_a_uniform_map(replicate_padding=False) > 1e-3


def test_colours_are_compared_region_by_region_and_texture_is_not():
    photo = torch.zeros(1, 3, 64, 64)
    photo[..., :32, :] = 0.5
    texture = torch.ones(1, 3, 64, 64)
    texture[..., ::2] = -1
    torch.testing.assert_close(mean_colors(photo + 0.2 * texture), mean_colors(photo))
    assert (mean_colors(photo.flip(2)) - mean_colors(photo)).abs().mean() > 0.4
