# SPDX-License-Identifier: Apache-2.0
"""A training run: which data, how long, where to, by which recipe."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from .presets import FROZEN
from .recipe import Recipe


@dataclass(frozen=True)
class TrainingConfig:
    """One commented line an option; the whole of it is saved with every checkpoint."""

    data: Path
    """Folder with images/, labels/ and, where there is a split, index.csv."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the run: checkpoints, samples, curves."""
    label_set: str = "landscape"
    """Name of a shipped label set, or a TOML file."""
    terms: str = ""
    """Under which terms the data may be used; kept in every checkpoint."""
    start_from: Path | None = None
    """A model (.safetensors) or a run's state (.pt) whose weights a new run begins with; optimisers begin anew."""
    images: int = 30_000
    """Photos to see before the run ends; a longer number later continues the same run."""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = FROZEN
    vgg_weights: Path | None = None
    """torchvision's VGG19 file for the perceptual loss "vgg"; fetched, or taken from torch's cache, when not named."""
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


def plain_values(config: Any) -> Any:
    """A configuration as JSON: networks with their kind, of paths the name alone."""
    if dataclasses.is_dataclass(config):
        kind = {"kind": getattr(config, "kind")} if hasattr(config, "kind") else {}  # noqa: B009
        fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
        return kind | {name: plain_values(value) for name, value in fields.items()}
    return config.name if isinstance(config, Path) else config
