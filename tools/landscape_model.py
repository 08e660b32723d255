# SPDX-License-Identifier: Apache-2.0
"""The embedded landscape model, from a folder of photos and label maps to its file.

python -m tools.landscape_model --data photos/ -o runs/landscape

Most photos are seen small, where they cost a quarter, the last ones whole at 256 with rates that fall. The same command
goes on where it was stopped. Take what it says at the end to spade_core/weights/landscape.safetensors.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from spade_core.checkpoint.file import load_checkpoint, save_checkpoint
from spade_core.checkpoint.names import models_of, states_of
from spade_core.data.layouts.layouts import find_pairs
from spade_core.synthesis.style_collection import with_styles

NAMED = {
    "clear-noon": "dccb6e42ee",
    "brilliant": "9e81e8d2fe",
    "overcast": "3608d6b3ac",
    "mist": "cff53a63a5",
    "hazy-morning": "4035bcf4c5",
    "golden-hour": "4f16e0bc95",
    "sunset": "5c574cd9b7",
    "red-sky": "b9cad6e8c0",
    "blue-hour": "a3b40d246d",
    "dusk": "4c507b65b0",
    "night": "df2c0d53a4",
    "high-contrast": "568885cc54",
}
"""Styles and the photos that they are taken from, chosen by looking at what the model paints in them."""


@dataclass(frozen=True)
class Options:
    """Train the landscape model, small squares first."""

    data: Path
    """a data set as docs/data.md describes them"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """folder of the two runs, small/ and whole/"""
    small: int = 21_456
    """photos to see as squares of 128 pixels, in steps of 8"""
    whole: int = 16_000
    """photos to see at 256, in steps of 4"""
    reach: float = 1.1
    """how far seeds go from the average look, in parts of how far photos' codes lie"""
    terms: str = ""
    """under which terms the data may be used; kept in the model"""


def train(options: Options, name: str, photos: int, *words: str) -> Path:
    """A run, begun or continued; returns its last state."""
    folder = options.output / name
    said = ("--data", str(options.data), "-o", str(folder), "--images", str(photos), "--terms", options.terms)
    subprocess.run([str(Path(sys.executable).with_name("spade")), "train", *said, *words], check=True)
    return states_of(folder)[-1]


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    state = train(
        options, "small", options.small, "--size", "128", "--batch", "8",
        "--perceptual-until", str(options.small * 3 // 4),
    )  # fmt: skip
    train(
        options, "whole", options.whole, "--from", str(state), "--size", "256", "--batch", "4", "--max-scale", "1",
        "--decay-from", "0.6", "--perceptual-start", "3", "--perceptual-end", "1.5",
        "--perceptual-until", str(options.whole // 2), "--warmup", "0", "--ramp", "0",
    )  # fmt: skip
    print(styled(models_of(options.output / "whole")[-1], options))


def styled(model: Path, options: Options) -> Path:
    """The model with the styles of the photos it was trained on, and those that have a name."""
    pairs = find_pairs(options.data, "train")
    photos = {pair.name: pair.image for pair in pairs}
    made = with_styles(load_checkpoint(model), pairs, {name: photos[photo] for name, photo in NAMED.items()})
    assert made.styles is not None
    made = replace(made, styles=replace(made.styles, reach=options.reach))
    path = options.output / "landscape.safetensors"
    save_checkpoint(path, made, dtype=None)
    return path


if __name__ == "__main__":
    main()
