# SPDX-License-Identifier: Apache-2.0
"""Styles in training are those of photographs, and label maps are seen by area."""

from __future__ import annotations

import torch

from spade_core.model.semantic_input import resize_labels
from spade_core.training.augment import soften_borders
from spade_core.training.style_bank import CAPACITY, StyleBank


def test_a_drawn_style_is_the_code_of_a_photo_seen_lately():
    bank = StyleBank(3)
    for first in range(0, 2 * CAPACITY, 4):
        bank.add(torch.arange(first, first + 4).float()[:, None].expand(4, 3))
    drawn = bank.draw(2000)
    assert len(bank.codes) == CAPACITY
    assert drawn.shape == (2000, 3) and drawn.min() >= CAPACITY and drawn.max() < 2 * CAPACITY
    assert len(drawn[:, 0].unique()) > CAPACITY / 2


def test_styles_are_drawn_by_torchs_seed():
    bank = StyleBank(2)
    bank.add(torch.randn(50, 2))
    torch.manual_seed(5)
    first = bank.draw(10)
    torch.manual_seed(5)
    assert torch.equal(bank.draw(10), first)


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
