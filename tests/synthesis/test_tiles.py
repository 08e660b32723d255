# SPDX-License-Identifier: Apache-2.0
"""Large pictures are painted part by part, and nobody can tell; ends that meet leave no seam."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from spade_core.checkpoint.file import Checkpoint
from spade_core.contract.errors import BadOptionError, CancelledError
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import NOWHERE
from spade_core.model.baselines.pix2pixhd import Pix2PixHDConfig
from spade_core.model.build import AnyGeneratorConfig, build_generator
from spade_core.model.clade import CladeConfig
from spade_core.model.concat import ConcatConfig
from spade_core.model.decoder import Decoder
from spade_core.model.spade import GeneratorConfig
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.synthesis.tiles.reach import block_reach
from spade_core.synthesis.wrapping import Wrapping

LANDSCAPE = load_label_set("landscape")
OURS = GeneratorConfig(
    18, base_width=4, max_width=16, norm="pixel", spectral=False, style_size=6, start="labels+style", noise=True,
    smooth_upsampling=True, replicate_padding=True, label_sampling="area", spade_hidden=8, share_hidden=True,
    pointwise_from_step=3, style_in_blocks=True,
)  # fmt: skip
KINDS: dict[str, AnyGeneratorConfig] = {
    "ours": OURS,
    "ours-with-frame": replace(OURS, replicate_padding=False, norm="batch"),
    "published": GeneratorConfig(18, True, base_width=2, norm="batch", spade_hidden=4),
    "published-more-1x1": GeneratorConfig(18, base_width=2, norm="batch", spade_kernel=1, upsampling="most"),
    "clade": CladeConfig(18, True, base_width=2, norm="batch"),
    "concat": ConcatConfig(18, base_width=8, norm="pixel"),
}
SMALL_PARTS = 1e5
"""Bytes: a picture of 128 squared falls into parts, and its coarse maps too."""


def synthesizer(config: AnyGeneratorConfig) -> Synthesizer:
    """With random weights that make a lively picture, and noise that is seen."""
    torch.manual_seed(4)
    network = build_generator(config)
    for name, weights in network.state_dict().items():
        if name.endswith("noise_strength"):
            weights.fill_(0.3)
        elif name.endswith("running_mean"):
            weights.normal_(0, 0.2)
    checkpoint = Checkpoint(config, network.state_dict(), LANDSCAPE, native_size=64)
    return Synthesizer(checkpoint, "random", "", torch.device("cpu"))


@pytest.fixture(scope="module")
def model() -> Iterator[Callable[[str], Synthesizer]]:
    made: dict[str, Synthesizer] = {}
    yield lambda kind: made.setdefault(kind, synthesizer(KINDS[kind]))


def patchwork(height: int, width: int, seed: int = 0) -> np.ndarray:
    cells = np.random.default_rng(seed).integers(0, 17, (height // 8 + 1, width // 8 + 1), np.uint8)
    return cells.repeat(8, 0).repeat(8, 1)[:height, :width]


def in_parts(model: Synthesizer, labels: np.ndarray, **more) -> np.ndarray:
    parted = model.parted
    before = parted.whole_bytes, parted.part_bytes, parted.lightness
    parted.whole_bytes, parted.part_bytes, parted.lightness = 0, SMALL_PARTS, 1.0
    try:
        return model.render_float(labels, seed=5, **more)
    finally:
        parted.whole_bytes, parted.part_bytes, parted.lightness = before


@pytest.mark.parametrize("kind", KINDS)
def test_parts_give_the_picture_of_the_whole(model, kind):
    labels = patchwork(70, 230)
    whole = model(kind).render_float(labels, seed=5)
    assert whole.std() > 0.01
    assert np.abs(in_parts(model(kind), labels) - whole).max() < 1e-4


def test_another_picture_may_be_painted_between_the_parts_of_one(model):
    painter, labels, others = model("ours"), patchwork(70, 230), []
    alone, small = in_parts(painter, labels), in_parts(painter, labels[:40, :40])

    def between() -> None:
        painter.between_parts = None
        others.append(painter.render_float(labels[:40, :40], seed=5))
        painter.between_parts = between

    painter.between_parts = between
    try:
        assert np.array_equal(in_parts(painter, labels), alone)
    finally:
        painter.between_parts = None
    assert len(others) > 3 and all(np.array_equal(other, small) for other in others)


@pytest.mark.parametrize(
    ("kind", "wrap"),
    [
        ("ours", (False, True)),
        ("ours", (True, True)),
        ("ours-with-frame", (False, True)),
        ("published", (True, True)),
        ("clade", (True, False)),
    ],
)
def test_a_wrapped_picture_has_no_place_where_it_begins(model, kind, wrap):
    """Rolled labels paint the rolled picture; and in parts it is the same."""
    painter = model(kind)
    if painter.parted._generator.config.noise:  # noise has its places
        painter = synthesizer(replace(KINDS[kind], noise=False))
    labels, shift = patchwork(128, 128), (64 * wrap[0], 64 * wrap[1])
    plain = painter.render_float(labels, seed=5, wrap=wrap)
    moved = painter.render_float(np.roll(labels, shift, (0, 1)), seed=5, wrap=wrap)
    rolled = np.roll(moved, shift, (0, 1))
    assert np.abs(rolled - plain).max() < 1e-4
    assert np.abs(in_parts(painter, labels, wrap=wrap) - plain).max() < 1e-4
    assert np.abs(painter.render_float(labels, seed=5) - plain).max() > 1e-3


def test_a_faster_way_to_run_a_block_is_taken_where_nothing_has_to_see_around(model):
    painter, ran = model("published"), []
    blocks = [block for _, block in painter.parted._generator.blocks()]

    def run_block(index, x, labels, style, noise):
        ran.append(index)
        return blocks[index](x, labels, style, noise)

    labels = patchwork(128, 128)
    expected = in_parts(painter, labels), painter.render_float(labels, wrap=(True, True), seed=5)
    before, painter.parted.run_block = painter.parted.run_block, run_block
    try:
        assert np.abs(in_parts(painter, labels) - expected[0]).max() < 1e-4 and set(ran) == set(
            range(len(blocks))
        )
        ran.clear()
        assert np.array_equal(painter.render_float(labels, wrap=(True, True), seed=5), expected[1])
        assert not ran
    finally:
        painter.parted.run_block = before


def test_noise_lies_where_it_lies_in_the_whole_picture(model):
    flat = np.zeros((128, 128), np.uint8)
    whole = model("ours").render_float(flat, seed=5)
    assert whole.std() > 0.005, "there is noise to be seen"
    assert np.abs(in_parts(model("ours"), flat) - whole).max() < 1e-4


@pytest.mark.parametrize("kind", ["ours", "published", "published-more-1x1", "concat"])
def test_a_block_sees_as_far_as_its_convolutions_say_and_no_further(model, kind):
    decoder = model(kind)._generator
    assert isinstance(decoder, Decoder)
    torch.manual_seed(0)
    for _, block in decoder.blocks():
        beside = decoder.config.input_channels if kind == "concat" else 0
        x = torch.randn(1, block.conv_0.in_channels - beside, 40, 40)
        labels = torch.rand(1, decoder.config.input_channels, 40, 40)
        style = torch.randn(1, decoder.config.style_size) if decoder.config.style_size else None
        with torch.inference_mode():
            whole = block(x, labels, style, None)
            part = block(x[..., 10:30, 10:30], labels[..., 10:30, 10:30], style, None)
        differs = (part - whole[..., 10:30, 10:30]).abs().amax((0, 1)) > 1e-4
        reach = block_reach(block)
        assert not differs[reach : 20 - reach, reach : 20 - reach].any()
        assert reach == 0 or differs[reach - 1, reach : 20 - reach].any(), "one less would be too few"


def test_a_picture_can_be_stopped_between_parts_and_says_how_far_it_is(model):
    painter = model("ours")
    told: list[float] = []

    def stop_at_half(stage: str, done: float) -> None:
        told.append(done)
        if done > 0.5:
            raise CancelledError("Enough.")

    before = painter.parted.whole_bytes, painter.parted.part_bytes
    painter.parted.whole_bytes, painter.parted.part_bytes = 0, SMALL_PARTS
    try:
        with pytest.raises(CancelledError):
            painter.render(patchwork(128, 192), progress=stop_at_half)
        assert told == sorted(told) and len(set(told)) > 10 and told[-1] < 0.7
        told.clear()
        painter.render(patchwork(128, 192), progress=lambda stage, done: told.append(done))
        assert told == sorted(told) and told[-1] == 1.0
    finally:
        painter.parted.whole_bytes, painter.parted.part_bytes = before


def test_a_part_takes_no_more_than_it_may(model):
    planner = model("ours").parted._planner
    assert planner is not None
    plan = planner.plan(8192, 8192, NOWHERE, 2**26)
    assert max(planner._bytes_of(run) for run in plan.all_runs()) <= 2**26
    painted = list(plan.painted())
    assert sum(part.region.size for part in painted) == 8192**2
    twice = planner.work(plan) / planner.work(planner.plan(8192, 8192, NOWHERE, float("inf")))
    assert twice < 1.2, "little is computed twice"


def test_the_same_seed_paints_the_same_large_picture(model):
    labels = patchwork(128, 128)
    assert np.array_equal(in_parts(model("ours"), labels), in_parts(model("ours"), labels))


def test_a_side_that_is_no_multiple_of_the_networks_step_wraps_all_the_same(model):
    painter = synthesizer(replace(OURS, noise=False))
    labels = patchwork(100, 300)
    rgb = painter.render(labels, seed=5, wrap=(True, True))
    assert rgb.shape == (100, 300, 3)
    seams = np.abs(rgb[0].astype(int) - rgb[-1]).mean(), np.abs(rgb[:, 0].astype(int) - rgb[:, -1]).mean()
    inside = np.abs(np.diff(rgb.astype(int), axis=0)).mean(axis=(1, 2))
    assert max(seams) <= inside.max() * 1.5


@pytest.mark.parametrize(
    "config",
    [
        Pix2PixHDConfig(18, base_width=4, downsamplings=2, blocks=1),
        GeneratorConfig(18, style_size=8, base_width=2, start="style", start_grid=(2, 2), norm="batch"),
    ],
    ids=["encoder-decoder", "fixed-size"],
)
def test_a_network_whose_ends_cannot_meet_says_so(config):
    with pytest.raises(BadOptionError, match="cannot paint a picture whose ends meet"):
        synthesizer(config).render(patchwork(64, 64), wrap=(True, True))


def test_instance_norms_look_at_all_of_a_picture_and_are_never_cut():
    painter = synthesizer(GeneratorConfig(18, base_width=2, norm="instance", spade_hidden=4))
    labels = patchwork(128, 128)
    assert np.array_equal(in_parts(painter, labels), painter.render_float(labels, seed=5))
    assert painter.render(labels, wrap=(False, True)).shape == (128, 128, 3)


def test_a_layer_sees_around_only_while_it_is_told_to():
    layer = torch.nn.Conv2d(1, 1, 3, padding=1)
    x = torch.randn(1, 1, 8, 8)
    with torch.inference_mode():
        plain = layer(x)
        wrapping = Wrapping(layer)
        assert torch.equal(layer(x), plain)
        wrapping.axes = (False, True)
        rolled = layer(x.roll(3, 3)).roll(-3, 3)
        assert torch.allclose(layer(x), rolled, atol=1e-6) and not torch.allclose(layer(x), plain)
