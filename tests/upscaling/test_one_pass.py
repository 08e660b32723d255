# SPDX-License-Identifier: Apache-2.0
"""On a processor with a C compiler upscalers are computed by layers.c: the same pictures, sooner."""

from __future__ import annotations

import copy

import pytest
import torch

from spade_core.model.convolution.library import has_bfloat16, library
from spade_core.model.convolution.one_pass import OnePass, convolved
from spade_core.upscaling import upscaler as module
from spade_core.upscaling.compact import CompactConfig, CompactNet
from spade_core.upscaling.networks import UpscalingNetwork
from spade_core.upscaling.rrdbnet import RrdbNet, RrdbNetConfig
from spade_core.upscaling.upscaler import Upscaler

pytestmark = pytest.mark.skipif(library() is None, reason="there is no C compiler, or SPADE_FUSED is 0")
CPU = torch.device("cpu")


@pytest.fixture(params=[CompactNet(CompactConfig(24, 9)), RrdbNet(RrdbNetConfig(32, 16, 2))])
def network(request: pytest.FixtureRequest) -> UpscalingNetwork:
    torch.manual_seed(0)
    for parameter in request.param.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.08)
    return copy.deepcopy(request.param).eval().requires_grad_(False)


def enlarged(network: UpscalingNetwork, x: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return network(x.contiguous(memory_format=torch.channels_last))


def test_in_one_pass_a_network_gives_what_pytorch_gives(network: UpscalingNetwork):
    x = torch.rand(1, 3, 37, 70)
    exact = enlarged(copy.deepcopy(network).double(), x.double())
    plain = enlarged(network, x)
    network.convolve = OnePass(network, bfloat16=False)
    painted = enlarged(network, x)
    assert (plain - x.mean()).abs().max() > 0.1, "the layers have a part in it"
    assert (painted - exact).abs().max() < max(1e-5, 3 * (plain - exact).abs().max())


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16")
def test_in_bfloat16_it_rounds_and_is_nearly_that(network: UpscalingNetwork):
    x = torch.rand(1, 3, 37, 70)
    plain = enlarged(network, x)
    network.convolve = OnePass(network, bfloat16=True)
    differing = (enlarged(network, x) - plain).abs()
    assert 0 < differing.mean() < 0.02 * plain.std()


def test_an_upscaler_takes_it_on_a_processor_and_leaves_training_alone(monkeypatch: pytest.MonkeyPatch):
    network = CompactNet(CompactConfig(16, 2))
    assert network.convolve is convolved
    Upscaler(network, "own", "", CPU, "float32")
    assert isinstance(network.convolve, OnePass)
    monkeypatch.setattr(module, "library", lambda: None)
    other = CompactNet(CompactConfig(16, 2))
    Upscaler(other, "own", "", CPU, "float32")
    assert other.convolve is convolved
