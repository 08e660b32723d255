# SPDX-License-Identifier: Apache-2.0
"""Every kind of discriminator by its configuration."""

from __future__ import annotations

from .interface import Discriminator, NoDiscriminator
from .patchgan import MultiscaleConfig, MultiscaleDiscriminator
from .projected import ProjectedConfig, ProjectedDiscriminator
from .segmentation import SegmentationConfig, SegmentationDiscriminator

AnyDiscriminatorConfig = ProjectedConfig | MultiscaleConfig | SegmentationConfig


def build_discriminator(
    config: AnyDiscriminatorConfig | None, label_channels: int, input_channels: int
) -> Discriminator:
    """input_channels: of the generator's input, instance edges included."""
    match config:
        case ProjectedConfig():
            return ProjectedDiscriminator(label_channels)
        case MultiscaleConfig():
            return MultiscaleDiscriminator(config, input_channels)
        case SegmentationConfig():
            return SegmentationDiscriminator(config, label_channels)
        case None:
            return NoDiscriminator()
