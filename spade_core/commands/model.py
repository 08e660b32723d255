# SPDX-License-Identifier: Apache-2.0
"""`spade model`: the networks there are, and their size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import tyro

if TYPE_CHECKING:
    from torch import nn

    from ..checkpoint.reference.facts import Facts
    from ..model.build import AnyGeneratorConfig

SIDE, PAINTED = 256, "ade20k"
"""Of the picture whose multiplications are counted: its side in pixels, and whose labels it has."""


@dataclass(frozen=True)
class Model:
    """Name the networks of the paper, and what they cost: parameters and multiplications."""

    action: tyro.conf.Positional[Literal["list"]]
    """what to do"""

    def run(self) -> int:
        from ..checkpoint.reference.facts import PRESETS

        rows = [("network", "in the paper", *PRESETS, "GMAC", "")]
        for row in counted():
            work = "" if row.multiplications is None else f"{row.multiplications / 1e9:.1f}"
            rows.append((row.name, row.where, *(f"{count:,}" for count in row.parameters), work, row.what))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for name, where, *numbers, what in rows:
            cells = [f"{number:>{width}}" for number, width in zip(numbers, widths[2:], strict=False)]
            print("  ".join([f"{name:<{widths[0]}}", f"{where:<{widths[1]}}", *cells, what]).rstrip())
        print(
            f"GMAC: billions of multiplications for a picture of {SIDE} x {SIDE} with the labels of {PAINTED}"
        )
        return 0


@dataclass(frozen=True)
class Cost:
    """A network, where it stands in the paper, and what it costs."""

    name: str
    where: str
    what: str
    parameters: list[int]
    """For each data set, in their order."""
    multiplications: int | None = None
    """Of a generator for one picture."""


def counted() -> list[Cost]:
    """Every network of the paper, generators first, for each data set with published weights."""
    from ..checkpoint.reference.facts import PRESETS
    from ..model.discriminators.patchgan import MultiscaleConfig, MultiscaleDiscriminator
    from ..model.paper import GENERATORS
    from ..model.style_encoder import StyleEncoder, StyleEncoderConfig

    generators, discriminators = [], []
    for name, row in GENERATORS.items():
        configs = {data: fitted(row.config, facts) for data, facts in PRESETS.items()}
        numbers = [generator_parameters(config) for config in configs.values()]
        generators.append(Cost(name, row.where, row.what, numbers, multiplications(configs[PAINTED])))
    for data in PRESETS.values():
        discriminators.append(parameters(MultiscaleDiscriminator, MultiscaleConfig(), data.channels))
    encoder = parameters(StyleEncoder, StyleEncoderConfig())
    return [
        *generators,
        Cost("discriminator", "figure 13", "multi-scale PatchGAN", discriminators),
        Cost("style encoder", "figure 14", "for spade-random", [encoder] * len(PRESETS)),
    ]


def fitted(config: AnyGeneratorConfig, data: Facts) -> AnyGeneratorConfig:
    """The generator for a dataset's label maps and size of pictures, all of which are known."""
    from ..model.config import DecoderConfig

    assert data.classes and data.crop_size and data.upsampling and data.aspect_ratio
    config = replace(
        config, label_channels=data.classes + bool(data.dont_care), instance_edges=bool(data.edges)
    )
    if isinstance(config, DecoderConfig):
        config = replace(config, upsampling=data.upsampling)
        if config.start == "style":
            columns = data.crop_size >> config.steps
            config = replace(config, start_grid=(round(columns / data.aspect_ratio), columns))
    return config


def multiplications(config: AnyGeneratorConfig) -> int:
    """Of one picture of SIDE x SIDE; no memory is taken for it."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from ..model.build import build_generator

    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        generator = build_generator(replace(config, spectral=False)).eval()
        style = torch.zeros(1, config.style_size) if config.style_size else None
        generator(torch.zeros(1, config.input_channels, SIDE, SIDE), style)
    return counter.get_total_flops() // 2  # it counts an addition with every multiplication


def generator_parameters(config: AnyGeneratorConfig) -> int:
    from ..model.build import build_generator

    # Spectral normalisation learns nothing, and takes its time.
    return parameters(build_generator, replace(config, spectral=False))


def parameters(build: Callable[..., nn.Module], *arguments: object) -> int:
    """How many weights the network learns that build(*arguments) makes; no memory is taken for them."""
    import torch

    with torch.device("meta"):
        return sum(weight.numel() for weight in build(*arguments).parameters())
