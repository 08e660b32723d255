# SPDX-License-Identifier: Apache-2.0
"""Styles in training are those of photographs, and label maps are seen by area."""

from __future__ import annotations

import torch

from spade_core.model.semantic_input import resize_labels
from spade_core.training.augment import soften_borders
from spade_core.training.styles import CAPACITY, StyleSampler


class PhotoNumber(torch.nn.Module):
    """Stands in for a style encoder: the code of a photo is the number it shows."""

    def forward(self, photos: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return photos[:, :1, 0, 0].expand(-1, 3), torch.full((len(photos), 3), -200.0)


def numbered(first: int) -> torch.Tensor:
    return torch.arange(first, first + 4).float()[:, None, None, None].expand(4, 3, 2, 2)


def test_a_drawn_style_is_the_code_of_a_photo_seen_lately():
    torch.manual_seed(0)
    styles = StyleSampler(3, drawn_share=1.0)
    codes = [styles.of(numbered(first), PhotoNumber()).code for first in range(0, 4 * CAPACITY, 4)]  # type: ignore[arg-type]
    age = torch.stack([4 * (step + 1) - 1 - code[:, 0] for step, code in enumerate(codes)])[CAPACITY // 2 :]
    assert age.min() >= 0 and age.max() < CAPACITY
    assert 0.4 * CAPACITY < age.mean() < 0.6 * CAPACITY


def test_a_style_that_is_not_drawn_is_the_photos_own():
    own = StyleSampler(3, drawn_share=0.0).of(numbered(7), PhotoNumber())  # type: ignore[arg-type]
    assert torch.equal(own.code[:, 0], torch.tensor([7.0, 8, 9, 10])) and own.drawn is not None
    assert not own.drawn.any()


def test_styles_follow_torchs_seed():
    torch.manual_seed(5)
    first = StyleSampler(3, 0.5).of(numbered(0), PhotoNumber())  # type: ignore[arg-type]
    torch.manual_seed(5)
    assert torch.equal(StyleSampler(3, 0.5).of(numbered(0), PhotoNumber()).code, first.code)  # type: ignore[arg-type]


def test_a_thin_thing_that_single_samples_miss_keeps_its_share_by_area():
    labels = torch.zeros(1, 2, 16, 16)
    labels[:, 0], labels[:, 0, :, 5], labels[:, 1, :, 5] = 1, 0, 1
    assert resize_labels(labels, 4, 4)[:, 1].max() == 0
    by_area = resize_labels(labels, 4, 4, sampling="area")
    assert torch.allclose(by_area[0, 1], torch.tensor([0.0, 0.25, 0, 0]).expand(4, 4))
    assert torch.allclose(by_area.sum(1), torch.ones(1, 4, 4))


def test_softened_borders_are_shares_of_the_classes_beside_them():
    labels = torch.zeros(2, 2, 8, 8)
    labels[:, 0, :4], labels[:, 1, 4:] = 1, 1
    soft = soften_borders(labels, torch.tensor([0.0, 0.25]))
    assert torch.equal(soft[0], labels[0])
    assert torch.allclose(soft[1, 0, :, 3], torch.tensor([1, 1, 1, 0.75, 0.25, 0, 0, 0]))
    assert torch.allclose(soft.sum(1), torch.ones(2, 8, 8))
