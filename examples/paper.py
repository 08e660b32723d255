# SPDX-License-Identifier: Apache-2.0
"""A table or a figure of the paper, whole: its networks are trained, one after the other, and measured together.

python -m examples.paper table3 --dataset ade20k --data ade20k/ -o runs/ade20k

goes on where it was stopped, and trains a network once for all tables that name the same folder. --plan says what would
be trained, and for how long.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from PIL import Image

from examples.paper_rows import FIGURES, TABLES, Row
from spade_core.checkpoint.names import models_of
from spade_core.checkpoint.reference.facts import PRESETS as DATASETS
from spade_core.commands.model import fitted, multiplications
from spade_core.data.layouts.layouts import OWN_LABEL_SET, find_pairs
from spade_core.data.pairs import read_labels
from spade_core.image_files import read_photo
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.training.presets import PRESETS

Dataset = Literal["coco-stuff", "ade20k", "ade20k-outdoor", "cityscapes", "flickr"]
EPOCHS = {"coco-stuff": 100, "flickr": 50}
"""Where the paper trains for another number than 200."""
LOSSES = 150e9
"""Multiplications a photo of discriminator and VGG19, at 256 x 256: about as many as the generator's once more."""
PASSES = 4
"""Of the generator a photo: one, its gradients, which cost two, and one more for the discriminator's step."""
STYLES, MAPS = 3, 4


@dataclass(frozen=True)
class Options:
    """Train and measure what a table or figure of the paper shows."""

    what: Annotated[
        Literal["table1", "table2", "table3", "table4", "table5", "figure5", "figure6", "figure9"],
        tyro.conf.Positional,
    ]
    """which one; figures 5 and 6 are pictures beside those of other systems, 9 is styles"""
    dataset: Dataset
    """of which column; it decides how photos are cut and models measured"""
    data: Path
    """folder of the data set"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """folder of the trainings, and of what comes out"""
    plan: bool = False
    """only say what would be trained, and how long it takes"""
    teraflops: float = 40.0
    """that the device keeps up, for --plan: an A100 about 40, an H200 about 100 in mixed precision"""
    images: int | None = None
    """photos a training sees; left out: those of the paper's epochs"""
    train: str = ""
    """options added to each `spade train`, as --train="--batch 8" """
    measure: str = ""
    """options added to `spade evaluate` or `spade study`"""

    @property
    def layout(self) -> tuple[str, ...]:
        """The outdoor scenes are a layout of their own."""
        return ("--layout", self.dataset) if self.dataset == "ade20k-outdoor" else ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Flickr Landscapes were labelled with COCO-Stuff's classes; a set that lies beside the data comes first."""
        beside = (self.data / OWN_LABEL_SET).exists()
        return ("--label-set", "coco_stuff") if self.dataset == "flickr" and not beside else ()

    @property
    def photos(self) -> int:
        """That a training sees."""
        if self.images is not None:
            return self.images
        pairs = find_pairs(self.data, "train", self.layout[1] if self.layout else "auto")
        return EPOCHS.get(self.dataset, 200) * len(pairs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code of what was run last."""
    options = tyro.cli(Options, description=__doc__, args=arguments)
    rows = TABLES.get(options.what) or FIGURES[options.what]
    if options.plan:
        return show_plan(options, rows)
    models = {row.name: trained(options, row) for row in rows}
    if options.what == "figure9":
        return draw_styles(options, next(iter(models.values())))
    names = dict.fromkeys(map(str, models.values()))
    out = options.output / options.what
    if options.what == "table2":
        return spade("study", *names, "--data", options.data, "-o", out.with_suffix(".html"), *options.layout,
                     *shlex.split(options.measure))  # fmt: skip
    return spade("evaluate", "--model", *names, "--data", options.data, "--protocol", options.dataset, "-o", out,
                 *options.layout, *shlex.split(options.measure))  # fmt: skip


def trained(options: Options, row: Row) -> Path:
    """The model of a row: trained, trained further, or there already."""
    run = options.output / "-".join([row.recipe, *(word.strip("-") for word in row.options)])
    ended = spade(
        "train", row.recipe, "--data", options.data, "-o", run, "--images", options.photos, *options.layout,
        *options.labels, *row.options, *shlex.split(options.train),
    )  # fmt: skip
    if ended:
        raise SystemExit(ended)
    return models_of(run)[-1]


def spade(*words: object) -> int:
    """Runs a command of the command line; returns its exit code."""
    command = [sys.executable, "-m", "spade_core.cli", *map(str, words)]
    print("$ spade", shlex.join(command[3:]), flush=True)
    return subprocess.run(command).returncode


def show_plan(options: Options, rows: tuple[Row, ...]) -> int:
    """A line a training: photos, and hours of one device."""
    larger = 2 if options.dataset == "cityscapes" else 1  # 512 x 256
    facts = DATASETS["coco" if options.dataset == "coco-stuff" else "cityscapes" if larger > 1 else "ade20k"]
    for row in rows:
        config = fitted(PRESETS[row.recipe][1].generator, facts)
        work = 2 * larger * (PASSES * multiplications(config) + LOSSES) * options.photos
        hours = work / options.teraflops / 1e12 / 3600
        print(f"{row.name:34}  {row.recipe:20}  {options.photos:>10,} photos  {hours:8.0f} hours")
    return 0


def draw_styles(options: Options, model: Path) -> int:
    """Label maps, the photos' own styles, and others drawn: a row a map."""
    synthesizer = Synthesizer.load(model)
    label_set, rows = synthesizer.label_set, []
    pairs = find_pairs(options.data, "val", options.layout[1] if options.layout else "auto")[:MAPS]
    for pair in pairs:
        label_map, photo = read_labels(pair.labels, label_set), read_photo(pair.image)
        own = synthesizer.render(label_map, synthesizer.encode_style(photo))
        drawn = [synthesizer.render(label_map, seed=seed) for seed in range(1, STYLES + 1)]
        shown = [
            Image.fromarray(each).resize((own.shape[1], own.shape[0]))
            for each in (label_set.colorize(label_map), photo)
        ]
        rows.append(np.hstack([*map(np.asarray, shown), own, *drawn]))
    width = min(row.shape[1] for row in rows)
    options.output.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack([row[:, :width] for row in rows])).save(options.output / "figure9.png")
    print(options.output / "figure9.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
