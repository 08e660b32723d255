# SPDX-License-Identifier: Apache-2.0
"""Figure 3 of the paper: convolutions and then instance norms wash a uniform label map out, SPADE does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from spade_core.model.baselines.pix2pixhd import Pix2PixHDConfig
from spade_core.model.build import AnyGeneratorConfig, build_generator
from spade_core.model.interface import ImageGenerator
from spade_core.model.semantic_input import one_hot
from spade_core.model.spade import GeneratorConfig
from spade_core.synthesis.synthesizer import Synthesizer

CLASSES, SKY, GRASS = 7, 0, 6


def uniform(label: int, height: int = 64, width: int = 96) -> Tensor:
    return one_hot(torch.full((1, height, width), label), CLASSES)


def untrained(config: AnyGeneratorConfig, seed: int) -> ImageGenerator:
    torch.manual_seed(seed)
    return build_generator(config).eval()


@pytest.mark.parametrize("labels_at", ["input", "blocks"])
@pytest.mark.parametrize("seed", [0, 1, 2])
@torch.no_grad()
def test_pix2pixhd_with_instance_norm_paints_sky_and_grass_alike_whatever_its_weights(labels_at, seed):
    network = untrained(Pix2PixHDConfig(CLASSES, base_width=8, blocks=2, labels_at=labels_at), seed)
    for size in ((64, 64), (112, 80)):
        sky, grass = network(uniform(SKY, *size)), network(uniform(GRASS, *size))
        assert float((sky - grass).abs().max()) < 1e-6


@torch.no_grad()
def test_pix2pixhd_tells_sky_from_grass_where_both_are_in_the_map():
    network = untrained(Pix2PixHDConfig(CLASSES, base_width=8, blocks=2), 0)
    labels = uniform(SKY)
    labels[..., 32:, :] = uniform(GRASS)[..., 32:, :]
    upside_down = labels.flip(2)
    assert float((network(labels) - network(upside_down)).abs().mean()) > 0.1


@pytest.mark.parametrize(
    "config",
    [
        GeneratorConfig(CLASSES, base_width=8, norm="instance"),
        Pix2PixHDConfig(CLASSES, base_width=8, blocks=2, labels_at="norms"),
    ],
    ids=["SPADE", "pix2pixHD++ with SPADE"],
)
@torch.no_grad()
def test_with_spade_the_label_survives_instance_norm(config):
    network = untrained(config, 0)
    assert float((network(uniform(SKY)) - network(uniform(GRASS))).abs().max()) > 0.01


def test_the_embedded_model_paints_a_uniform_sky_bluer_than_uniform_grass():
    model = Synthesizer.load("landscape", "cpu")
    names = {entry.name: entry.id for entry in model.label_set.classes}
    painted = {
        name: model.render(np.full((128, 128), names[name], np.uint8)).mean((0, 1))
        for name in ("sky", "grass")
    }
    red, blue = 0, 2
    assert painted["sky"][blue] - painted["sky"][red] > painted["grass"][blue] - painted["grass"][red] + 20
