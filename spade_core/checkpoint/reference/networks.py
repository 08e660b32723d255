# SPDX-License-Identifier: Apache-2.0
"""The published networks without numbers in them: their keys and shapes, in their order."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...model.build import AnyGeneratorConfig, build_generator
from ...model.discriminators.patchgan import MultiscaleDiscriminator
from ...model.style_encoder import StyleEncoder, StyleEncoderConfig
from .shapes import discriminator_config

Weights = Mapping[str, Mapping[str, Tensor]]
"""StateDict dicts under our names by network: "G", "E", "D"."""


def empty_networks(
    weights: Weights, generator: AnyGeneratorConfig, encoder: StyleEncoderConfig | None
) -> dict[str, nn.Module]:
    """One on the meta device for each of the weights, which also say what the discriminator is made of.

    Raises BadCheckpointError where they say nothing of a discriminator.
    """
    networks: dict[str, nn.Module] = {}
    with torch.device("meta"):
        networks["G"] = build_generator(generator)
        if encoder is not None:
            networks["E"] = StyleEncoder(encoder)
        if weights.get("D"):
            config = discriminator_config(weights["D"])
            networks["D"] = MultiscaleDiscriminator(config, generator.input_channels)
    return networks


def fixed_size(config: AnyGeneratorConfig) -> tuple[int, int] | None:
    """(height, width) of every image of this generator; None where it follows the label map."""
    with torch.device("meta"):
        # Without spectral norm: on this device it takes seconds.
        return build_generator(dataclasses.replace(config, spectral=False)).fixed_size
