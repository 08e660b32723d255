# SPDX-License-Identifier: Apache-2.0
"""Recipes by name. Each number can be changed on the command line."""

from __future__ import annotations

from dataclasses import fields, replace

from ..data.grey_box.augment import GreyBox
from ..model.clade import CladeConfig
from ..model.discriminators.patchgan import MultiscaleConfig
from ..model.discriminators.projected import ProjectedConfig
from ..model.discriminators.segmentation import SegmentationConfig
from ..model.paper import ANY, GENERATORS
from ..model.spade import GeneratorConfig
from ..model.style_encoder import StyleEncoderConfig
from .recipe import CropConfig, LossConfig, OptimizerConfig, Recipe

FROZEN = Recipe(
    GeneratorConfig(
        ANY, base_width=32, max_width=192, norm="pixel", spade_hidden=48, start="labels+style", style_size=32,
        share_hidden=True, pointwise_from_step=3, style_in_blocks=True, noise=True, smooth_upsampling=True,
        replicate_padding=True, label_sampling="area",
    ),
    StyleEncoderConfig(32, base_width=16, input_size=128, instance_norm=False),
    ProjectedConfig(),
)  # fmt: skip

FROZEN_CLADE = replace(
    FROZEN,
    generator=CladeConfig(
        **{each.name: getattr(FROZEN.generator, each.name) for each in fields(CladeConfig)}
    ),
)

PAPER = Recipe(
    GeneratorConfig(ANY),
    None,
    MultiscaleConfig(),
    start="published",
    channels="published",
    crops=CropConfig(size=256, batch=32, mode="resize_and_crop", grey_box=GreyBox(share=0.0), augment=False),
    losses=LossConfig(
        gan_weight=1.0, class_weight=0.0, feature_weight=10.0, perceptual="vgg", perceptual_start=10.0,
        perceptual_end=10.0, warmup=0, ramp=0, color_weight=0.0, kl_weight=0.05, kl_sum=True,
        random_styles=0.0, style_weight=0.0,
    ),
    optimizer=OptimizerConfig(
        generator_lr=1e-4, discriminator_lr=4e-4, beta2=0.999, decay_from=0.5, ema_decay=0.0,
        regenerate_for_discriminator=True,
        gate_discriminator=False,
    ),
)  # fmt: skip

PAPER_STYLE = replace(
    PAPER,
    generator=GeneratorConfig(ANY, start="style", style_size=256),
    encoder=StyleEncoderConfig(antialias=False),
)

PIX2PIXHD = replace(
    PAPER,
    generator=GENERATORS["pix2pixhd"].config,
    discriminator=MultiscaleConfig(spectral=False),
    losses=replace(PAPER.losses, gan_mode="ls"),
    optimizer=replace(PAPER.optimizer, generator_lr=2e-4, discriminator_lr=2e-4, beta1=0.5),
)

OASIS = replace(
    PAPER,
    # In place of OASIS's 3D noise beside the labels, which every label convolution would have to look at.
    generator=GeneratorConfig(ANY, noise=True),
    discriminator=SegmentationConfig(),
    noise_start=0.5,
    losses=LossConfig(
        gan_weight=0.0, class_cap=None, label_mix_weight=10.0, perceptual_start=0.0, perceptual_end=0.0,
        warmup=0, ramp=0,
    ),
    optimizer=replace(PAPER.optimizer, ema_decay=0.9999),
)  # fmt: skip

CRN = replace(
    PAPER,
    generator=GENERATORS["crn"].config,
    discriminator=None,
    losses=replace(PAPER.losses, perceptual="crn", perceptual_start=1.0, perceptual_end=1.0),
    optimizer=replace(PAPER.optimizer, beta1=0.9),
)  # fmt: skip

OWN_TRAINING: dict[str, tuple[str, Recipe]] = {
    "frozen": ("our own: small, quick, through a frozen pyramid; runs on a CPU", FROZEN),
    "frozen-clade": ("the same with class-adaptive norms: quicker still", FROZEN_CLADE),
    "paper": ("SPADE as published, without style", PAPER),
    "paper-style": ("SPADE as published, with its style encoder", PAPER_STYLE),
    "oasis": ("a segmenting discriminator with LabelMix, no perceptual loss", OASIS),
    "pix2pixhd": ("pix2pixHD's global generator and least squares", PIX2PIXHD),
    "pix2pixhd-enhanced": (
        "the same with its local enhancer",
        replace(PIX2PIXHD, generator=GENERATORS["pix2pixhd-enhanced"].config),
    ),
    "crn": ("cascaded refinement: a perceptual loss, no adversary", CRN),
}
PAPER_TRAINING: dict[str, tuple[str, Recipe]] = {
    name: (f"{row.what}, trained as the paper trains", replace(PAPER, generator=row.config))
    for name, row in GENERATORS.items()
    if name not in OWN_TRAINING
}
PRESETS = OWN_TRAINING | PAPER_TRAINING
"""What it is in a few words, and the recipe."""
