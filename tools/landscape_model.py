# SPDX-License-Identifier: Apache-2.0
"""The embedded landscape model, from a folder of photos and label maps to its file.

python -m tools.landscape_model --data photos/ -o runs/landscape

Most photos are seen small, where they cost a quarter, the last ones whole at 256 with rates that fall. The same command
goes on where it was stopped. Take what it says at the end to spade_core/weights/landscape.safetensors.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from spade_core.checkpoint.names import models_of, states_of


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
    print(models_of(options.output / "whole")[-1])


if __name__ == "__main__":
    main()
