# SPDX-License-Identifier: Apache-2.0
"""The networks of a recipe, built for a label set and a device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..checkpoint.reference.labels import trained_channels
from ..contract.errors import BadOptionError
from ..contract.labels import LabelSet
from ..data.placement import MULTIPLE
from ..features.efficientnet_lite import NormalizedFeatures, tap_norms
from ..features.vgg19 import load_vgg19
from ..model.build import AnyGeneratorConfig, build_generator
from ..model.config import DecoderConfig
from ..model.discriminators.build import build_discriminator
from ..model.discriminators.interface import Discriminator
from ..model.discriminators.projected import ProjectedDiscriminator
from ..model.discriminators.segmentation import SegmentationConfig
from ..model.interface import ImageGenerator
from ..model.label_channels import LabelChannels
from ..model.losses import CRN_WEIGHTS, PerceptualLoss, TapPerceptualLoss, VggPerceptualLoss
from ..model.style_encoder import StyleEncoder, StyleEncoderConfig
from .ema import EMA
from .initial_weights import start_as_published, start_from_labels
from .recipe import Recipe


@dataclass(frozen=True)
class Networks:
    """All that takes part in a step."""

    generator: ImageGenerator[Any]
    encoder: StyleEncoder | None
    discriminator: Discriminator
    ema: EMA
    """The weights that are served."""
    features: NormalizedFeatures | None
    """The frozen pyramid, where discriminator or perceptual loss look through it."""
    perceptual: PerceptualLoss | None

    @property
    def generating(self) -> list[nn.Module]:
        """Those that the generator's optimizer moves."""
        return [self.generator, *([self.encoder] if self.encoder else [])]

    @classmethod
    def build(
        cls, recipe: Recipe, label_channels: int, device: torch.device, vgg_weights: Path | None
    ) -> Networks:
        """With random weights, by torch's seed. Raises BadOptionError, and what loading VGG19 raises."""

        def placed(network: nn.Module) -> Any:
            # Convolutions run faster with the channels of a pixel side by side.
            return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

        config = generator_config(recipe, label_channels)
        generator = placed(build_generator(config))
        if recipe.start == "labels first":
            start_from_labels(generator)
        start_noise(generator, recipe.noise_start)
        encoding = encoder_config(recipe, config)
        encoder = None if encoding is None else placed(StyleEncoder(encoding))
        discriminator = placed(
            build_discriminator(recipe.discriminator, label_channels, config.input_channels)
        )
        ema = EMA(placed(build_generator(replace(config, spectral=False))).eval(), encoder)
        if recipe.start == "published":
            for network in (generator, discriminator, *([] if encoder is None else [encoder])):
                start_as_published(network)
        perceptual = None
        if recipe.perceptual and recipe.losses.perceptual == "taps":
            perceptual = TapPerceptualLoss()
        elif recipe.perceptual and recipe.losses.perceptual == "crn":
            perceptual = placed(VggPerceptualLoss(load_vgg19(vgg_weights, read=2), CRN_WEIGHTS, 1.0))
        elif recipe.perceptual:
            perceptual = placed(VggPerceptualLoss(load_vgg19(vgg_weights)))
        features = None
        if discriminator.needs_features or (perceptual is not None and perceptual.needs_features):
            own = isinstance(discriminator, ProjectedDiscriminator)
            features = placed(NormalizedFeatures(discriminator.norms if own else tap_norms())).eval()
        return cls(generator, encoder, discriminator, ema, features, perceptual)


def start_noise(generator: nn.Module, strength: float) -> None:
    """Let the noise of every block count for so much from the first step on; 0 leaves it to be learned."""
    for name, weight in generator.named_parameters():
        if strength and name.endswith("noise_strength"):
            nn.init.constant_(weight, strength)


def label_channels(recipe: Recipe, label_set: LabelSet) -> LabelChannels:
    """Which channel of the networks' one-hot input each id lights."""
    return LabelChannels.of(label_set) if recipe.channels == "own" else trained_channels(label_set)


def refuse_lone_values(recipe: Recipe, parts: int, ranks: int) -> None:
    """Raises BadOptionError where a norm over the batch would see one number a channel, which has no spread.

    parts: in which a batch goes through the networks, on each of so many ranks.
    """
    config, shape = recipe.generator, recipe.crops.shape
    if not isinstance(config, DecoderConfig) or config.norm not in ("batch", "syncbatch") or shape is None:
        return
    pictures = recipe.crops.batch // (parts * (ranks if config.norm == "batch" else 1))
    if pictures == 1 and all(side >> config.steps == 1 for side in shape):
        raise BadOptionError(
            f"Squares of {recipe.crops.size} pixels begin as one cell, and a norm over one picture of it is nothing.",
            fix=f"Choose a --size of {2 * recipe.crops.size}, a larger --batch, or --generator.norm instance.",
        )


def generator_config(recipe: Recipe, label_channels: int) -> AnyGeneratorConfig:
    """The recipe's, with the label set's channels, and a start grid where the generator needs one.

    Raises BadOptionError where it cannot paint what the recipe cuts.
    """
    config, shape = replace(recipe.generator, label_channels=label_channels), recipe.crops.shape
    if isinstance(config, DecoderConfig) and config.start == "style" and config.start_grid is None:
        if shape is None:
            raise BadOptionError(
                "A generator that starts from its style code alone paints one size, these photos have many.",
                fix="Choose a --mode that gives every photo one size.",
            )
        config = replace(config, start_grid=(shape[0] >> config.steps, shape[1] >> config.steps))
    with torch.device("meta"):
        generator = build_generator(config)
    multiple = generator.multiple
    if isinstance(recipe.discriminator, SegmentationConfig):
        multiple = max(multiple, 2**recipe.discriminator.stages)
    sides = shape or (MULTIPLE, MULTIPLE)
    if (
        any(side % multiple or (shape and side < generator.smallest_side) for side in sides)
        or (generator.fixed_size or shape) != shape
    ):
        raise BadOptionError(
            f"These networks cannot be trained on squares of {recipe.crops.size} pixels.",
            fix=f"Choose a --size that is a multiple of {multiple}, at least {generator.smallest_side}.",
        )
    return config


def encoder_config(recipe: Recipe, generator: AnyGeneratorConfig) -> StyleEncoderConfig | None:
    """The recipe's, for the generator's style codes. Raises BadOptionError where the generator has none."""
    if recipe.encoder is None:
        return None
    if not generator.style_size:
        raise BadOptionError(
            "A style encoder is of no use to a generator without a style code.",
            fix="Give the generator a style size, or choose a recipe without an encoder.",
        )
    return replace(recipe.encoder, style_size=generator.style_size)
