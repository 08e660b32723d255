# SPDX-License-Identifier: Apache-2.0
"""Every kind of generator: its configuration to a network, and to JSON and back."""

from __future__ import annotations

import dataclasses
from typing import Any

from .baselines.crn import Crn, CrnConfig
from .baselines.local_enhancer import LocalEnhancer, LocalEnhancerConfig
from .baselines.pix2pixhd import Pix2PixHD, Pix2PixHDConfig
from .clade import CladeConfig, CladeDecoder
from .concat import ConcatConfig, ConcatDecoder
from .interface import ImageGenerator
from .spade import Generator, GeneratorConfig

AnyGeneratorConfig = (
    GeneratorConfig | CladeConfig | ConcatConfig | Pix2PixHDConfig | LocalEnhancerConfig | CrnConfig
)
NETWORKS: dict[type[AnyGeneratorConfig], type[ImageGenerator]] = {
    GeneratorConfig: Generator,
    CladeConfig: CladeDecoder,
    ConcatConfig: ConcatDecoder,
    Pix2PixHDConfig: Pix2PixHD,
    LocalEnhancerConfig: LocalEnhancer,
    CrnConfig: Crn,
}
KINDS = {config.kind: config for config in NETWORKS}


def build_generator(config: AnyGeneratorConfig) -> ImageGenerator[Any]:
    """The network that a configuration describes, with torch's random weights."""
    return NETWORKS[type(config)](config)


def config_to_json(config: AnyGeneratorConfig) -> dict[str, Any]:
    """Plain values, with the kind beside them."""
    return {"kind": config.kind, **dataclasses.asdict(config)}


def config_from_json(values: dict[str, Any]) -> AnyGeneratorConfig:
    """The inverse of config_to_json; without a kind it is the SPADE generator.

    Raises KeyError or TypeError where kind or fields are unknown or missing.
    """
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return KINDS[values.pop("kind", GeneratorConfig.kind)](**values)
