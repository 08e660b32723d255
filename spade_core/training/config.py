# SPDX-License-Identifier: Apache-2.0
"""One commented line an option; the whole of it is saved with every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainingConfig:
    """A training run with the frozen-feature discriminator."""

    data: Path
    """Folder with images/, labels/ and, where there is a split, index.csv."""
    output: Path
    """Folder of the run: checkpoints, samples, curves."""
    label_set: str = "landscape"
    """Name of a shipped label set, or a TOML file."""
    terms: str = ""
    """Under which terms the data may be used; kept in every checkpoint."""
    images: int = 30_000
    """Photos to see before the run ends; a longer number later continues the same run."""
    size: int = 128
    """Side of the training squares in pixels, a multiple of 32."""
    batch: int = 8
    """Squares in a step."""
    max_scale: float = 2.0
    """Photos are resized to between 1 and this many times the square before it is cut."""
    simplify: float = 0.25
    """Share of label maps smoothed and freed of small regions, as in blocked-out scenes."""
    base_width: int = 32
    """Channels of the generator's last stage."""
    max_width: int = 192
    """Cap on the channels of its coarse stages."""
    spade_hidden: int = 48
    """Hidden channels of the label path."""
    style_size: int = 64
    """Numbers in the style code."""
    generator_rate: float = 2e-4
    """Adam step of generator and style encoder."""
    discriminator_rate: float = 2e-4
    """Adam step of the discriminator; twice that saturates it within two minutes."""
    ema_decay: float = 0.998
    """Of the served weights: min(this, (1 + step) / (10 + step))."""
    hinge_weight: float = 0.5
    """Of the realism scores, beside the class logits at 1."""
    perceptual_start: float = 10.0
    """Weight of the perceptual loss at the beginning."""
    perceptual_end: float = 3.0
    """Its weight from perceptual_until on: steadies early training, blurs when kept."""
    perceptual_until: int = 10_000
    """Photos over which it falls."""
    warmup: int = 400
    """Photos seen with the perceptual loss alone, before the adversarial terms."""
    ramp: int = 800
    """Photos over which the adversarial terms then rise."""
    kl_weight: float = 0.5
    """Of the style encoder's KL divergence, per photo and per number of the code."""
    random_styles: float = 0.5
    """Share of the batch whose style is drawn, not encoded: what users without a style image will get."""
    random_style_perceptual: float = 0.3
    """Weight of the perceptual loss for those: the photo has a style that theirs need not match."""
    frozen_statistics: bool = False
    """For the last part of a continued run: batch norms keep the statistics they have. In a small batch a region that
    fills a picture is only ever seen normalised by itself, and burns out in the served model, where it is not."""
    seed: int = 1
    """Of weights, squares, styles and augmentation."""
    save_every: int = 2_000
    """Photos between checkpoints and sample grids."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    bf16: bool = True
    """Mixed precision; on CPUs that only emulate it float32 can be faster."""
    threads: int = 0
    """CPU threads; 0 takes torch's choice."""
