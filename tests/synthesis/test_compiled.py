# SPDX-License-Identifier: Apache-2.0
"""The compiled generator paints what the network paints, for every kind of SPADE generator and of label map."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spade_core.model.semantic_input import one_hot
from spade_core.model.spade import Generator, GeneratorConfig
from spade_core.synthesis.compiled import convolution, matrices, patches
from spade_core.synthesis.compiled.generator import CompiledGenerator
from spade_core.synthesis.compiled.library import library
from tests.support.published import VARIANTS, recorded

TOLERANCE = 1e-4

needs_compiler = pytest.mark.skipif(library() is None, reason="there is no C compiler, or SPADE_FUSED is 0")
ways = pytest.mark.parametrize("way", ["plain", pytest.param("compiled", marks=needs_compiler)])


@pytest.fixture(autouse=True)
def _as_plain_pytorch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    if "way" in request.fixturenames and request.getfixturevalue("way") == "plain":
        for module in (convolution, matrices, patches):
            monkeypatch.setattr(module, "library", lambda: None)


def exactly(network: Generator, planes: Tensor, style: Tensor | None, noise: list[Tensor]) -> Tensor:
    """What the network computes, in double precision."""
    double = copy.deepcopy(network).double()
    code = None if style is None else style.double()
    with torch.no_grad():
        return double(planes.double(), code, [plane.double() for plane in noise])


@ways
@pytest.mark.parametrize("variant", VARIANTS)
def test_recorded_networks_paint_what_was_recorded(variant: str, way: str):
    record = recorded(variant)
    network = Generator(record.generator_config())
    network.load_state_dict(record.weights("G"))
    planes = record.tensor("out/semantics_u8").float()
    style = record.tensor("in/z") if network.config.style_size else None
    compiled = CompiledGenerator(network.eval())
    painted = compiled(compiled.keys(planes), style, [])
    expected = record.tensor("out/G_eval" if style is None else "out/G_given_z")
    assert (painted - expected).abs().max() < TOLERANCE


@dataclass(frozen=True)
class Case:
    config: GeneratorConfig
    size: tuple[int, int]
    map_kind: str
    batch: int
    seed: int


MAPS = ("flat", "halves", "noise", "pixel", "line", "frame", "blocks", "shares")


@st.composite
def cases(draw: st.DrawFn) -> Case:
    share_hidden = draw(st.booleans())
    norm = draw(st.sampled_from(["batch", "syncbatch", "instance", "pixel"]))
    style = draw(st.sampled_from([0, 3]))
    config = GeneratorConfig(
        label_channels=draw(st.sampled_from([1, 2, 5, 40])),
        instance_edges=draw(st.booleans()),
        spectral=draw(st.booleans()),
        style_size=style,
        # Of two channels alone, a pixel norm would make 1 and -1, were their difference a rounding error.
        base_width=draw(st.integers(5 if norm == "pixel" else 1, 9)),
        max_width=24,
        norm=norm,
        upsampling=draw(st.sampled_from(["normal", "normal", "more"])),
        start=draw(st.sampled_from(["labels", "labels+style"])) if style else "labels",
        noise=draw(st.booleans()),
        smooth_upsampling=draw(st.booleans()),
        replicate_padding=draw(st.booleans()),
        label_sampling=draw(st.sampled_from(["nearest", "area"])),
        spade_kernel=draw(st.sampled_from([1, 3, 3, 5])),
        spade_hidden=draw(st.integers(1, 9)),
        share_hidden=share_hidden,
        pointwise_from_step=draw(st.sampled_from([None, 0, 3])),
        style_in_blocks=bool(style) and share_hidden and draw(st.booleans()),
    )
    multiple = 2**5 if config.upsampling == "normal" else 2**6
    smallest = 2 * multiple if norm == "instance" else multiple
    size = draw(st.tuples(*[st.sampled_from([smallest, smallest + 8, 2 * multiple, 3 * multiple])] * 2))
    return Case(config, size, draw(st.sampled_from(MAPS)), draw(st.integers(1, 2)), draw(st.integers(0, 99)))


def network_of(config: GeneratorConfig) -> Generator:
    """With weights under which labels, style and noise all show, and norms have statistics."""
    network = Generator(config)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(std=0.3)
            module.running_var.uniform_(0.3, 2)
    for name, weight in network.named_parameters():
        if "mlp_" in name and name.endswith("weight"):
            nn.init.kaiming_normal_(weight.data)
        if "noise_strength" in name:
            weight.data.uniform_(-0.5, 0.5)
    return network.eval()


def planes_of(case: Case) -> Tensor:
    """(B, input_channels, H, W)"""
    config, (height, width) = case.config, case.size
    random = np.random.default_rng(case.seed)
    classes = config.label_channels
    first, second = random.integers(0, classes, 2)
    ids = np.full((case.batch, height, width), first)
    if case.map_kind == "halves":
        ids[:, :, width // 3 :] = second
    elif case.map_kind == "noise":
        ids = random.integers(0, classes, ids.shape)
    elif case.map_kind == "pixel":
        ids[:, random.integers(height), random.integers(width)] = second
        ids[:, 0, 0] = second
    elif case.map_kind == "line":
        ids[:, random.integers(height)] = second
    elif case.map_kind == "frame":
        ids[:, [0, -1]] = second
        ids[:, :, [0, -1]] = second
    elif case.map_kind == "blocks":
        ids = np.kron(random.integers(0, classes, (case.batch, 8, 8)), np.ones((1, 16, 16), int))
        ids = ids[:, :height, :width][:, np.minimum(np.arange(height), 127)][
            :, :, np.minimum(np.arange(width), 127)
        ]
    labels = torch.from_numpy(ids)
    planes = one_hot(labels, classes, labels if config.instance_edges else None)
    if case.map_kind == "shares":
        planes[:, :classes, 3 : height // 2] = torch.rand(case.batch, classes, 1, width).softmax(1)
    return planes


@needs_compiler
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases())
def test_any_spade_generator_paints_any_map_as_the_network_does(case: Case):
    torch.manual_seed(case.seed)
    network, planes = network_of(case.config), planes_of(case)
    style = torch.randn(case.batch, case.config.style_size) if case.config.style_size else None
    noise = network.draw_noise(case.batch, *case.size)
    exact = exactly(network, planes, style, noise)
    compiled = CompiledGenerator(network)
    painted = compiled(compiled.keys(planes), style, noise)
    assert painted.shape == exact.shape
    with torch.no_grad():
        plain = network(planes, style, noise)
    # Instance norms bring what is flat to a spread of one: there, the network's own picture is of rounding errors.
    assume((plain - exact).abs().max() < TOLERANCE / 4)
    assert (painted - exact).abs().max() < TOLERANCE
