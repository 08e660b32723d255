# SPDX-License-Identifier: Apache-2.0
"""Figure 3 of the paper: what pix2pixHD and SPADE make of a label map with one label.

python -m examples.figure3 --data photos/ --run runs/figure3

trains a small pix2pixHD on your photos (a few minutes), and paints sky, grass, and sky over grass with it and with the
embedded SPADE model. An instance norm takes from a flat map all that it says: pix2pixHD paints sky and grass alike,
whatever it learns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from PIL import Image, ImageDraw, ImageFont

from spade_core.checkpoint.names import models_of
from spade_core.contract.labels import LabelSet
from spade_core.model.baselines.pix2pixhd import Pix2PixHDConfig
from spade_core.model.paper import ANY
from spade_core.runtime import chosen_device, fastest_dtype
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.training.config import TrainingConfig
from spade_core.training.presets import FROZEN
from spade_core.training.run import Run

PIX2PIXHD = replace(
    FROZEN,
    generator=Pix2PixHDConfig(ANY, base_width=16, blocks=4, spectral=False),
    encoder=None,
    crops=replace(FROZEN.crops, size=64),
)
SIDE, GAP, LEFT, TOP = 224, 12, 130, 44
PAPER, INK = "#FBFAF7", "#1B1E21"


@dataclass(frozen=True)
class Options:
    """Train a small pix2pixHD, or go on where it stopped, and draw the figure."""

    data: Path
    """folder with images/ and labels/ of the label set 'landscape'"""
    run: Path
    """folder of the training run"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("docs/pictures/figure3.jpg")
    """the picture"""
    images: int = 4_000
    """photos that pix2pixHD sees"""
    threads: int = 0
    """CPU threads; 0 takes torch's choice"""


def trained(options: Options) -> Synthesizer:
    fastest = fastest_dtype(chosen_device("auto"))
    config = TrainingConfig(
        options.data, options.run, images=options.images, recipe=PIX2PIXHD, save_every=1_000,
        threads=options.threads, bf16=fastest == torch.bfloat16,
    )  # fmt: skip

    def report(seen: int, losses: dict[str, float], rate: float) -> None:
        if seen % 200 == 0:
            print(f"{seen} of {options.images} photos, {rate:.1f} a second", flush=True)

    Run.open(config).train(report)
    return Synthesizer.load(models_of(options.run)[-1])


def label_maps(label_set: LabelSet) -> dict[str, np.ndarray]:
    """(SIDE, SIDE) ids by what they show."""
    ids = {entry.name: entry.id for entry in label_set.classes}
    sky, grass = (np.full((SIDE, SIDE), ids[name], np.uint8) for name in ("sky", "grass"))
    return {
        "sky": sky,
        "grass": grass,
        "sky over grass": np.concatenate([sky[: SIDE // 2], grass[SIDE // 2 :]]),
    }


def figure(models: dict[str, Synthesizer]) -> Image.Image:
    """A row for the label maps and for each network, a column for each label map."""
    label_set = next(iter(models.values())).label_set
    maps = label_maps(label_set)
    rows = {"label map": [label_set.colorize(each) for each in maps.values()]}
    rows |= {name: [model.render(each, seed=1) for each in maps.values()] for name, model in models.items()}
    step = SIDE + GAP
    page = Image.new("RGB", (LEFT + len(maps) * step, TOP + len(rows) * step), PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(20)
    for column, title in enumerate(maps):
        draw.text((LEFT + column * step + SIDE // 2, TOP // 2), title, INK, font, anchor="mm")
    for row, (name, pictures) in enumerate(rows.items()):
        draw.text((LEFT - GAP, TOP + row * step + SIDE // 2), name, INK, font, anchor="rm")
        for column, picture in enumerate(pictures):
            page.paste(Image.fromarray(picture), (LEFT + column * step, TOP + row * step))
    return page


def main(arguments: Sequence[str] | None = None) -> None:
    options = tyro.cli(Options, description=__doc__, args=arguments)
    page = figure({"pix2pixHD": trained(options), "SPADE": Synthesizer.load("landscape")})
    page.save(options.output, quality=88)
    print(options.output)


if __name__ == "__main__":
    main()
