# SPDX-License-Identifier: Apache-2.0
"""tools/average_models.py: the parts that are named come halfway, all else stays."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.support.tiny import tiny_checkpoint
from tools.average_models import averaged


def test_named_parts_are_averaged_and_all_else_stays():
    before = tiny_checkpoint()
    after = replace(
        before, generator_weights={name: weight + 1 for name, weight in before.generator_weights.items()}
    )
    made = averaged(before, after, 0.25, ("conv_img",))
    changed = {
        name
        for name, weight in made.generator_weights.items()
        if weight is not before.generator_weights[name]
    }
    assert changed and all(name.startswith("conv_img.") for name in changed)
    for name in changed:
        off = made.generator_weights[name] - before.generator_weights[name]
        assert torch.allclose(off.float(), torch.full_like(off, 0.25).float(), atol=1e-3)
    assert made.encoder_weights == before.encoder_weights


def test_parts_that_a_generator_has_not_are_refused():
    with pytest.raises(ValueError, match="no roof"):
        averaged(tiny_checkpoint(), tiny_checkpoint(), 0.5, ("roof",))
