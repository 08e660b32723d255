# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from spade_core.contract.labels import load_label_set
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.upscaling.compact import CompactConfig, CompactNet
from spade_core.upscaling.rrdbnet import RrdbNet, RrdbNetConfig
from spade_core.upscaling.upscaler import Upscaler

UNTRAINED = {
    "compact": lambda: CompactNet(CompactConfig(width=8, layers=11)),
    "rrdbnet": lambda: RrdbNet(RrdbNetConfig(width=8, growth=4, blocks=2)),
}


@pytest.fixture(scope="session")
def embedded() -> Upscaler:
    return Upscaler.load("embedded", "cpu", "float32")


@pytest.fixture(scope="session", params=UNTRAINED)
def upscaler(request: pytest.FixtureRequest) -> Upscaler:
    """Both kinds of network, only narrow, shallow and untrained: seconds become milliseconds."""
    torch.manual_seed(1)
    network = UNTRAINED[request.param]().eval()
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight.mul_(2)  # what lies far away shall still be felt
    return Upscaler(network, request.param, "0" * 64, torch.device("cpu"), "float32")


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """(72, 128, 3) bytes, painted: sky, mountains, trees, grass."""
    names = ["sky", "mountain", "tree", "grass"]
    ids = [load_label_set("landscape").match(name).id for name in names]
    labels = np.repeat(np.array(ids, np.uint8), 18)[:, None].repeat(128, axis=1)
    return Synthesizer.load("landscape", "cpu").render(labels, seed=3)
