# SPDX-License-Identifier: Apache-2.0
"""A training run: which data, how long, where to, by which recipe."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro

from .presets import FROZEN
from .recipe import Recipe
from .trackers import TrackerName


@dataclass(frozen=True)
class TrainingConfig:
    """One commented line an option; the whole of it is saved with every checkpoint."""

    FIRST: ClassVar = (
        "data",
        "output",
        "label_set",
        "start_from",
        "images",
        "recipe",
        "save_every",
        "seed",
        "device",
    )

    data: Path
    """A data set: a folder with images/ and labels/, or one laid out as COCO-Stuff, ADE20K or Cityscapes are."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the run: checkpoints, samples, curves."""
    layout: str = "auto"
    """How the data set is laid out; auto looks."""
    label_set: str | None = None
    """Name of a shipped label set, or a TOML file; left out: the one that the data say, or landscape."""
    instances: bool = True
    """See the borders of objects where the published networks do (COCO-Stuff, Cityscapes); the data then need instance
    maps."""
    terms: str = ""
    """Under which terms the data may be used; kept in every checkpoint."""
    start_from: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """A model (by name, .safetensors, or a run's folder) or a run's state (.pt) whose weights a new run begins with;
    optimizers begin anew, and classes are matched by name."""
    images: int = 30_000
    """Photos to see before the run ends; a longer number later continues the same run."""
    recipe: Annotated[Recipe, tyro.conf.arg(name="")] = FROZEN
    vgg_weights: Path | None = None
    """torchvision's VGG19 file for the perceptual loss "vgg"; fetched, or taken from torch's cache, when not named."""
    seed: int = 1
    """Of weights, squares, styles and augmentation."""
    save_every: int = 2_000
    """Photos between checkpoints and sample grids."""
    tracker: TrackerName = "none"
    """Where curves and samples go beside TensorBoard's files: trackio keeps them on this machine, wandb sends them to
    Weights & Biases."""
    accumulate: int = 1
    """Parts in which a batch goes through the networks, one after the other: less memory, the same step."""
    recompute: bool = False
    """Compute what happens inside the generator's blocks twice in place of keeping it: less memory, a third slower."""
    workers: int | None = None
    """Processes that read and cut photos; left out: one for a CPU, one a core for a GPU."""
    skip_damaged: bool = False
    """Go on without photos and label maps that cannot be read, naming each, in place of ending at the first."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    bf16: bool = True
    """Mixed precision; left out: not on a CPU that would only emulate it, which takes ten times as long."""
    threads: int = 0
    """CPU threads; 0 takes torch's choice."""


def plain_values(config: Any) -> Any:
    """A configuration as JSON: networks with their kind, of paths the name alone."""
    if dataclasses.is_dataclass(config):
        kind = {"kind": getattr(config, "kind")} if hasattr(config, "kind") else {}  # noqa: B009
        fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
        return kind | {name: plain_values(value) for name, value in fields.items()}
    return config.name if isinstance(config, Path) else config
