# SPDX-License-Identifier: Apache-2.0
"""The gallery of the README: label maps, and what the model paints from them in three styles; the valley in winter, and
the lake.

python docs/gallery.py --data photos/ [--model FILE]

Six label maps are those of held-out photos (a data set of the label set 'landscape' with a split), the others are two
grey-box scenes, straight from Blender: docs/lake_scene.py and the example valley. The photos themselves are not shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

from spade_core.contract.labels import LabelSet
from spade_core.data.layouts import find_pairs
from spade_core.data.pairs import read_labels
from spade_core.synthesis.synthesizer import Synthesizer

ROOT = Path(__file__).resolve().parent.parent
VALLEY, LAKE = ROOT / "docs" / "demo_labels.png", ROOT / "docs" / "lake_labels.png"
PAPER = (251, 250, 247)
GAP = 8
STYLES = (11, 12, 13)
"""Seeds: each draws a style and its noise."""


@dataclass(frozen=True)
class Options:
    """Paint the gallery, the winter and the lake."""

    data: Path
    """a data set with held-out label maps"""
    model: str = "landscape"
    """an embedded model, or a checkpoint file"""
    output: Path = ROOT / "docs" / "pictures"
    """folder of gallery.jpg, winter.jpg and lake.jpg"""
    size: int = 256
    """side of a picture in pixels"""
    every: int = 27
    """of the held-out label maps, sorted by name, each so-manieth is shown"""


def rows_of(pictures: list[list[np.ndarray]]) -> Image.Image:
    """Equal pictures, (H, W, 3) uint8, with gaps between them."""
    height, width = pictures[0][0].shape[:2]
    across, down = len(pictures[0]), len(pictures)
    sheet = Image.new("RGB", (across * (width + GAP) - GAP, down * (height + GAP) - GAP), PAPER)
    for row, cells in enumerate(pictures):
        for column, cell in enumerate(cells):
            sheet.paste(Image.fromarray(cell), (column * (width + GAP), row * (height + GAP)))
    return sheet


def label_maps(options: Options, label_set: LabelSet) -> list[np.ndarray]:
    """(size, size) ids: held-out ones, and the middle of lake and valley."""
    files = [pair.labels for pair in find_pairs(options.data, "val")][3 :: options.every][:6]
    found = []
    for file in (*files, LAKE, VALLEY):
        ids = Image.fromarray(read_labels(file, label_set))
        left = (ids.width - ids.height) // 2 if ids.width > ids.height else 0
        square = ids.crop((left, 0, left + min(ids.size), min(ids.size)))
        found.append(np.asarray(square.resize((options.size, options.size), Image.Resampling.NEAREST)))
    return found


def winter(model: Synthesizer, seed: int) -> Image.Image:
    """The valley as it is, and with its grass and bushes turned to snow, in the same style and noise."""
    summer = read_labels(VALLEY, model.label_set)
    ids = {entry.name: entry.id for entry in model.label_set.classes}
    snowy = summer.copy()
    snowy[np.isin(summer, [ids["grass"], ids["bush"]])] = ids["snow"]
    maps = (summer, snowy)
    return rows_of([[model.label_set.colorize(each), model.render(each, seed=seed)] for each in maps])


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    model = Synthesizer.load(options.model)
    pictures = [
        [model.label_set.colorize(ids), *(model.render(ids, seed=seed) for seed in STYLES)]
        for ids in label_maps(options, model.label_set)
    ]
    # Two scenes side by side: eight rows would be a long page.
    pairs = [[*left, *right] for left, right in zip(pictures[::2], pictures[1::2], strict=True)]
    rows_of(pairs).save(options.output / "gallery.jpg", quality=88)
    winter(model, STYLES[0]).save(options.output / "winter.jpg", quality=88)
    lake = read_labels(LAKE, model.label_set)
    painted = rows_of([[model.label_set.colorize(lake), model.render(lake, seed=STYLES[0])]])
    painted.save(options.output / "lake.jpg", quality=88)


if __name__ == "__main__":
    main()
