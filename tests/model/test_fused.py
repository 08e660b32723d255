# SPDX-License-Identifier: Apache-2.0
"""What is fused into one pass over memory gives what plain PyTorch gives, and the same gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spade_core.model import spade
from spade_core.model.fused import library
from spade_core.model.fused.cross_entropy import cross_entropy, plain_cross_entropy
from spade_core.model.fused.label_rows import LabelRows
from spade_core.model.fused.modulation import Table, Use, modulate, plainly_modulated
from spade_core.model.fused.unit_length import plain_unit_length, unit_length
from spade_core.model.layers import conv
from spade_core.model.semantic_input import one_hot
from spade_core.model.spade import Generator
from spade_core.training.augment import soften_borders
from spade_core.training.presets import PRESETS

if library.library() is None:
    pytest.skip("there is no C compiler, or SPADE_FUSED is 0", allow_module_level=True)

TOLERANCE = {torch.float32: 3e-6, torch.bfloat16: 1e-2}
"""Of the largest value; bfloat16 has eight bits."""


def alike(ours: Tensor, exact: Tensor, tolerance: float) -> bool:
    return bool((ours.double() - exact.double()).abs().max() <= tolerance * exact.double().abs().max())


def values_and_gradients(
    function: Callable[..., Tensor | tuple[Tensor, ...]], *leaves: Tensor
) -> list[Tensor]:
    """What a function gives, and the gradients of a fixed weighing of it."""
    leaves = tuple(leaf.detach().clone().requires_grad_() for leaf in leaves)
    results = function(*leaves)
    results = results if isinstance(results, tuple) else (results,)
    weighed = [
        (result.double() * torch.linspace(-1, 1, result.numel()).view(result.shape)).sum()
        for result in results
    ]
    torch.stack(weighed).sum().backward()
    return [*results, *(leaf.grad for leaf in leaves if leaf.grad is not None)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("uses", [(Use(0.2, True),), (Use(0.2, True), Use()), (Use(0.2), Use(1.0, True))])
@pytest.mark.parametrize("shared", [0, 6])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_modulation_is_the_plain_one(dtype: torch.dtype, uses: tuple[Use, ...], shared: int, threads: int):
    torch.manual_seed(0)
    batch, channels, height, width, few = 2, 40, 5, 9, 60
    pixels = batch * height * width
    x = torch.randn(batch, channels, height, width).to(dtype)
    noise, strength = torch.randn(batch, 1, height, width), torch.randn(1, channels, 1, 1)
    rows = None
    if shared:  # the first pixels have rows of their own, the rest one of a few
        rows = torch.cat([torch.arange(few) + shared, torch.randint(shared, (pixels - few,))]).int()
    values = torch.randn(few + shared if shared else pixels, 2 * len(uses) * channels).to(dtype)

    def fused(x: Tensor, values: Tensor, strength: Tensor) -> tuple[Tensor, ...]:
        return modulate(x, Table(values, rows, shared), uses, noise, strength)

    def plain(x: Tensor, values: Tensor, strength: Tensor) -> tuple[Tensor, ...]:
        return plainly_modulated(x, Table(values, rows, shared), uses, noise.double(), strength)

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ours = values_and_gradients(fused, x, values, strength)
    finally:
        torch.set_num_threads(before)
    exact = values_and_gradients(plain, x.double(), values.double(), strength.double())
    assert len(ours) == len(exact) == len(uses) + 3
    assert all(alike(a, b, TOLERANCE[dtype]) for a, b in zip(ours, exact, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_unit_length_and_cross_entropy_are_the_plain_ones(dtype: torch.dtype):
    torch.manual_seed(0)
    x, classes = (torch.randn(2, 19, 6, 7) * 8).to(dtype), torch.randint(19, (2, 6, 7))
    weights = torch.rand(19)
    pairs = (
        (unit_length, plain_unit_length),
        (
            lambda x: cross_entropy(x, classes, weights),
            lambda x: F.cross_entropy(x, classes, weights.double(), reduction="sum"),
        ),
    )
    for fused, plain in pairs:
        ours, exact = values_and_gradients(fused, x), values_and_gradients(plain, x.double())
        assert all(alike(a, b, TOLERANCE[dtype]) for a, b in zip(ours, exact, strict=True))
    assert torch.allclose(plain_cross_entropy(x, classes, weights), cross_entropy(x, classes, weights))


def test_logits_far_apart_give_a_finite_cross_entropy():
    logits = torch.tensor([[1000.0, -1000.0, 0.0]]).view(1, 3, 1, 1).requires_grad_()
    loss = cross_entropy(logits, torch.ones(1, 1, 1, dtype=torch.int64), torch.ones(3))
    loss.backward()
    assert loss.item() == pytest.approx(2000)
    assert logits.grad is not None and logits.grad.flatten().tolist() == pytest.approx([1, -1, 0])


def maps() -> dict[str, Tensor]:
    """(2, 64, 64) label maps of every kind."""
    random = torch.Generator().manual_seed(1)
    flat = torch.full((2, 64, 64), 3)
    blocks = torch.randint(7, (2, 4, 4), generator=random).repeat_interleave(16, 1).repeat_interleave(16, 2)
    thin = flat.clone()
    thin[:, 20], thin[:, :, 41], thin[:, 63, 63], thin[0, 0, 0] = 1, 2, 4, 5
    noise = torch.randint(7, (2, 64, 64), generator=random)
    return {"flat": flat, "blocks": blocks, "thin": thin, "noise": noise}


@pytest.mark.parametrize("name", maps())
@pytest.mark.parametrize("softened", [False, True])
def test_rows_of_a_label_map_give_what_the_convolution_gives(name: str, softened: bool):
    torch.manual_seed(0)
    labels = one_hot(maps()[name], 7)
    if softened:
        labels = soften_borders(labels, torch.tensor([0.11, 0.2347]))
    layer = conv(7, 5, 3)
    layer.padding_mode = "replicate"
    found = LabelRows.of(labels)
    assert (found is None) == (name == "noise")
    if found is None:
        return
    assert found.shared == 14 and len(found.patches) < 2 * 64 * 64 / 2
    with torch.no_grad():
        inside, others = found.convolved(layer)
        values = found.joined(inside, others, torch.zeros(2, 1))
        laid_out = values[found.rows.long()].view(2, 64, 64, 5).permute(0, 3, 1, 2)
        assert torch.allclose(laid_out, layer(labels), atol=1e-6)


@pytest.mark.parametrize("name", maps())
@pytest.mark.parametrize("changes", [{}, {"replicate_padding": False}, {"noise": False}])
def test_a_generator_in_training_paints_and_learns_as_the_plain_one(
    name: str, changes: dict[str, bool], monkeypatch: pytest.MonkeyPatch
):
    torch.manual_seed(0)
    config = replace(PRESETS["frozen"][1].generator, label_channels=7, base_width=8, **changes)
    assert isinstance(config, spade.GeneratorConfig)
    ours = Generator(config).train()
    for block in (block for _, block in ours.blocks()):
        if block.noise_strength is not None:
            torch.nn.init.normal_(block.noise_strength, std=0.3)
    exact = copy.deepcopy(ours).double()
    labels, style, noise = one_hot(maps()[name], 7), torch.randn(2, 32), ours.draw_noise(2, 64, 64)
    image = ours(labels, style, noise)
    image.square().mean().backward()
    monkeypatch.setattr(spade, "fits", lambda x: False)
    wanted = exact(labels.double(), style.double(), [plane.double() for plane in noise])
    wanted.square().mean().backward()
    assert alike(image, wanted, 1e-4)
    for weight, plain in zip(ours.parameters(), exact.parameters(), strict=True):
        assert (weight.grad is None) == (plain.grad is None)
        if weight.grad is not None and plain.grad is not None and plain.grad.abs().max() > 1e-9:
            assert alike(weight.grad, plain.grad, 1e-3)
