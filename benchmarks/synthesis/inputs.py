# SPDX-License-Identifier: Apache-2.0
"""Label maps and networks that are measured, both made here."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spade_core.checkpoint.file import load_checkpoint
from spade_core.checkpoint.sources import model_file
from spade_core.model.semantic_input import one_hot
from spade_core.model.spade import Generator, GeneratorConfig

ROUGHNESS = {"median": 0.02, "hard": 0.12}
CLASSES_SEEN = 12
MODELS = "embedded", "coco"
MAPS = (*ROUGHNESS, "noise")


@dataclass(frozen=True, eq=False)
class Inputs:
    """Of one picture."""

    classes: Tensor
    planes: Tensor
    style: Tensor | None
    noise: list[Tensor]

    def tensors(self) -> tuple[Tensor, ...]:
        return self.planes, *([] if self.style is None else [self.style]), *self.noise

    def with_style(self, seed: int) -> Inputs:
        """Another style of the same map; a network without one paints the same again."""
        if self.style is None:
            return self
        random = torch.Generator().manual_seed(1000 + seed)
        return replace(self, style=torch.randn(self.style.shape, generator=random))


def label_map(kind: str, side: int, classes: int, seed: int) -> np.ndarray:
    """(side, side) int64: smooth regions with rough borders."""
    random = np.random.default_rng(seed)
    if kind == "noise":
        return random.integers(0, classes, (side, side))
    torch.manual_seed(seed)
    fields = torch.zeros(1, min(CLASSES_SEEN, classes), side, side)
    for cells, weight in ((4, 1.0), (16, 0.3), (side // 4, ROUGHNESS[kind])):
        rough = torch.randn(1, fields.shape[1], cells, cells)
        fields += weight * F.interpolate(rough, (side, side), mode="bicubic")
    ids = random.permutation(classes)[: fields.shape[1]]
    return ids[fields.argmax(1)[0].numpy()]


def with_object(ids: np.ndarray, left: int) -> np.ndarray:
    """A block of another class stands in it, whose left side is there."""
    side = len(ids)
    moved = ids.copy()
    moved[side // 3 : side // 2, left % (side // 2) : left % (side // 2) + side // 6] = ids[0, 0]
    return moved


def inputs_of(network: Generator, ids: np.ndarray, seed: int) -> Inputs:
    classes, config = torch.from_numpy(ids)[None], network.config
    random = torch.Generator().manual_seed(seed)
    style = torch.randn(1, config.style_size, generator=random) if config.style_size else None
    planes = one_hot(classes, config.label_channels, classes if config.instance_edges else None)
    return Inputs(classes, planes, style, network.draw_noise(1, ids.shape[0], ids.shape[1], random))


def network_of(model: str) -> Generator:
    """ "embedded", or "coco": the published network for COCO-Stuff (184 input channels, 97 million weights) with random
    weights, batch norms settled on the median map."""
    return embedded() if model == "embedded" else coco()


def embedded() -> Generator:
    network = load_checkpoint(model_file("landscape")).build_generator()
    assert isinstance(network, Generator)
    return network


def coco() -> Generator:
    torch.manual_seed(0)
    network = Generator(GeneratorConfig(label_channels=183, instance_edges=True))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the mean of what it has seen
    seen = inputs_of(network, label_map("median", 256, 183, 0), 0)
    with torch.no_grad():
        network.train()(seen.planes)
    return network.eval()
