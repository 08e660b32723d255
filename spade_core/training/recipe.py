# SPDX-License-Identifier: Apache-2.0
"""What is trained and how: networks, losses, rates. One commented line an option; saved with every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import tyro

from ..data.grey_box.augment import GreyBox
from ..data.placement import CropRule, Mode, Preprocess
from ..model.build import AnyGeneratorConfig
from ..model.discriminators.build import AnyDiscriminatorConfig
from ..model.losses import GanMode
from ..model.style_encoder import StyleEncoderConfig

InitialWeights = Literal["labels first", "published"]
Channels = Literal["own", "published"]


@dataclass(frozen=True)
class CropConfig:
    """What a photo and its label map become."""

    FIRST: ClassVar = ("size", "batch")

    size: int = 128
    """Side of the training squares in pixels."""
    batch: int = 8
    """Squares in a step, those of all processes together."""
    mode: Literal["any_scale"] | Mode = "any_scale"
    """any_scale: photos are resized to between 1 and max_scale times the square, then cut. The others are the
    reference's: to load_size, or its width or short side, then cut; fixed: to size, and size / aspect high."""
    max_scale: float = 2.0
    """For any_scale."""
    load_size: int = 286
    """For the reference's modes."""
    aspect: float = 1.0
    """Width to height, for fixed."""
    grey_box: GreyBox = GreyBox(share=0.3)
    """Some label maps are blocked out, as users draw them, against the photo as it is."""
    augment: bool = True
    """Brightness, saturation, contrast and place are changed alike in all that the discriminator sees (DiffAugment)."""

    @property
    def rule(self) -> CropRule | Preprocess:
        """How a photo is cut."""
        if self.mode == "any_scale":
            return CropRule(self.size, self.max_scale)
        return Preprocess(self.mode, self.load_size, self.size, self.aspect)

    @property
    def shape(self) -> tuple[int, int] | None:
        """(height, width) of what comes out; None where each photo keeps its own, rounded to multiples of 32."""
        rule = self.rule
        if isinstance(rule, CropRule):
            return rule.size, rule.size
        return rule.size and (rule.size[1], rule.size[0])


@dataclass(frozen=True)
class LossConfig:
    """Weights; a loss of weight 0 is not computed."""

    gan_mode: GanMode = "hinge"
    """Of the realism scores: hinge, ls (least squares), original (logistic) or w (Wasserstein)."""
    gan_weight: float = 0.5
    """Of the realism scores."""
    class_weight: float = 1.0
    """Of the class logits (N+1 classes), where the discriminator gives them."""
    class_cap: float | None = 8.0
    """No class counts more than so many times its pixels; None: as rare as it may be."""
    label_mix_weight: float = 0.0
    """Of the consistency of class logits on mixed images (LabelMix)."""
    feature_weight: float = 0.0
    """Of feature matching, where the discriminator shows its layers."""
    perceptual: Literal["taps", "vgg", "crn"] = "taps"
    """Features of the perceptual loss: of the frozen EfficientNet-Lite0, or of VGG19 as published or as in CRN."""
    perceptual_start: float = 10.0
    """Weight of the perceptual loss at the beginning."""
    perceptual_end: float = 3.0
    """Its weight from perceptual_until on: steadies early training, blurs when kept."""
    perceptual_until: int = 10_000
    """Photos over which it changes."""
    warmup: int = 200
    """Photos seen with the perceptual loss alone, before the adversarial terms."""
    ramp: int = 400
    """Photos over which the adversarial terms then rise."""
    color_weight: float = 20.0
    """Of the mean colours of an 8x8 grid, for styles encoded from the photo: what teaches a style code about light."""
    kl_weight: float = 0.05
    """Of the style code's KL divergence, per photo and per number of the code."""
    kl_sum: bool = False
    """Sum it over photos and numbers instead, as the published loss does."""
    random_styles: float = 0.5
    """Share of the batch painted in the style of another photo seen lately, not in that of its own."""
    style_weight: float = 0.5
    """Of the distance between the style code asked for and the one that the painted picture is then given."""
    random_style_perceptual: float = 0.15
    """Weight of the perceptual loss for the share: the photo has a style that theirs need not match."""


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights follow their gradients."""

    generator_lr: float = 2e-4
    """Adam step of generator and style encoder."""
    table_rate: float = 20.0
    """How many times as fast scales and shifts are learned that are looked up by class (CLADE)."""
    discriminator_lr: float = 3e-4
    """Adam step of the discriminator."""
    beta1: float = 0.0
    """Adam's memory of gradients."""
    beta2: float = 0.99
    """And of their squares."""
    decay_from: float = 1.0
    """Share of --images after which both rates fall, linearly to zero at the end; 1: they never do."""
    ema_decay: float = 0.998
    """Of the served weights: min(this, (1 + step) / (10 + step)); 0 serves the weights as they are."""
    regenerate_for_discriminator: bool = False
    """The discriminator learns from images painted anew, after the generator's step, as published; else from the same
    ones: half of the painting is saved."""
    gate_discriminator: bool = True
    """The discriminator does not learn from what it knows too well: a saturated one teaches nothing."""


@dataclass(frozen=True)
class Recipe:
    """A way to train. The label set fills in the networks' label channels, the generator the encoder's style size."""

    FIRST: ClassVar = ("crops",)

    generator: AnyGeneratorConfig
    encoder: StyleEncoderConfig | None
    """Photo to style code; None trains without."""
    discriminator: AnyDiscriminatorConfig | None
    """None trains without an opponent."""
    start: InitialWeights = "labels first"
    """Initial weights: label features that are seen from the first minute, or the published ones."""
    channels: Channels = "own"
    """One label channel a class, or on COCO-Stuff, ADE20K and Cityscapes those of the published networks."""
    noise_start: float = 0.0
    """How much the noise in each block counts at first, where the generator has some: from 0 seeds differ late."""
    crops: Annotated[CropConfig, tyro.conf.arg(name="")] = CropConfig()
    losses: Annotated[LossConfig, tyro.conf.arg(name="")] = LossConfig()
    optimizer: Annotated[OptimizerConfig, tyro.conf.arg(name="")] = OptimizerConfig()

    @property
    def perceptual(self) -> bool:
        return self.losses.perceptual_start > 0 or self.losses.perceptual_end > 0
