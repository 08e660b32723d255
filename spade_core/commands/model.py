# SPDX-License-Identifier: Apache-2.0
"""`spade model`: the networks there are, and their size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import tyro

if TYPE_CHECKING:
    from torch import nn

    from ..model.build import AnyGeneratorConfig
    from ..reference.facts import Facts


@dataclass(frozen=True)
class Model:
    """Name the networks of the paper, and count the parameters they have for its datasets."""

    action: tyro.conf.Positional[Literal["list"]]
    """what to do"""

    def run(self) -> int:
        from ..reference.facts import PRESETS

        rows = [("network", "in the paper", *PRESETS, "")]
        for name, where, counts, what in counted(list(PRESETS.values())):
            rows.append((name, where, *(f"{count:,}" for count in counts), what))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for name, where, *counts, what in rows:
            numbers = [f"{count:>{width}}" for count, width in zip(counts, widths[2:], strict=False)]
            print("  ".join([f"{name:<{widths[0]}}", f"{where:<{widths[1]}}", *numbers, what]).rstrip())
        return 0


def counted(datasets: list[Facts]) -> list[tuple[str, str, list[int], str]]:
    """Name, place in the paper, parameters for each dataset, and description of every network."""
    from ..model.config import StyleEncoderConfig
    from ..model.discriminator import MultiscaleConfig, MultiscaleDiscriminator
    from ..model.paper import GENERATORS
    from ..model.style_encoder import StyleEncoder

    configs = {name: [fitted(row.config, data) for data in datasets] for name, row in GENERATORS.items()}
    discriminators = [
        parameters(MultiscaleDiscriminator, MultiscaleConfig(), config.input_channels)
        for config in configs["spade"]
    ]
    encoder = parameters(StyleEncoder, StyleEncoderConfig())
    return [
        *(
            (name, row.where, [generator_parameters(config) for config in configs[name]], row.what)
            for name, row in GENERATORS.items()
        ),
        ("discriminator", "figure 13", discriminators, "multi-scale PatchGAN"),
        ("style encoder", "figure 14", [encoder] * len(datasets), "for spade-random"),
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


def generator_parameters(config: AnyGeneratorConfig) -> int:
    from ..model.build import build_generator

    return parameters(
        build_generator, replace(config, spectral=False)
    )  # which learns nothing, and takes its time


def parameters(build: Callable[..., nn.Module], *arguments: object) -> int:
    """How many weights the network learns that build(*arguments) makes; no memory is taken for them."""
    import torch

    with torch.device("meta"):
        return sum(weight.numel() for weight in build(*arguments).parameters())
