# SPDX-License-Identifier: Apache-2.0
"""The gallery of the README: label maps, and what the model paints from them in three styles; the valley in winter and
in all styles that have a name, the lake, and what is hard for the model.

python -m examples.gallery --data photos/ [--model FILE]

Six label maps are those of held-out photos (a data set of the label set 'landscape' with a split), the others are two
grey-box scenes, straight from Blender: examples/lake_scene.py and the example valley. The photos themselves are not
shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image, ImageDraw, ImageFont

from spade_core.contract.labels import LabelSet
from spade_core.contract.request import NamedStyle, PictureRequest
from spade_core.data.layouts.layouts import find_pairs
from spade_core.data.pairs import read_labels
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer

ROOT = Path(__file__).resolve().parent.parent
VALLEY, LAKE = ROOT / "examples" / "demo_labels.png", ROOT / "examples" / "lake_labels.png"
PAPER = (251, 250, 247)
GAP = 8
STYLES = (11, 12, 13)
"""Seeds: each draws a style and its noise."""
NATURAL = 0.3
"""How far the borders of the grey boxes are moved where the named styles are shown."""
HARD = ("building", "flower", "fog", "waterfall")
"""Classes whose largest held-out region is shown on the model card, however it comes out."""


@dataclass(frozen=True)
class Options:
    """Paint the gallery, the winter, the styles, the lake and the hard ones."""

    data: Path
    """a data set with held-out label maps"""
    model: str = "landscape"
    """an embedded model, or a checkpoint file"""
    output: Path = ROOT / "docs" / "pictures"
    """folder of gallery.jpg, winter.jpg, styles.jpg, lake.jpg and hard.jpg"""
    size: int = 256
    """side of a picture in pixels"""
    every: int = 27
    """of the held-out label maps, sorted by name, every Nth is shown"""


def painted_by(model: Synthesizer, label_map: np.ndarray, seed: int) -> np.ndarray:
    """The (H, W, 3) picture of a label map, as every user gets it."""
    return paint(model, PictureRequest(label_map, model.label_set, model.name, seed)).rgb


def rows_of(pictures: list[list[np.ndarray]]) -> Image.Image:
    """Equal pictures, (H, W, 3) uint8, with gaps between them."""
    height, width = pictures[0][0].shape[:2]
    across, down = len(pictures[0]), len(pictures)
    sheet = Image.new("RGB", (across * (width + GAP) - GAP, down * (height + GAP) - GAP), PAPER)
    for row, cells in enumerate(pictures):
        for column, cell in enumerate(cells):
            sheet.paste(Image.fromarray(cell), (column * (width + GAP), row * (height + GAP)))
    return sheet


def label_map(file: Path, size: int, label_set: LabelSet) -> np.ndarray:
    """(size, size) ids: the middle of a label map."""
    ids = Image.fromarray(read_labels(file, label_set))
    left = (ids.width - ids.height) // 2 if ids.width > ids.height else 0
    square = ids.crop((left, 0, left + min(ids.size), min(ids.size)))
    return np.asarray(square.resize((size, size), Image.Resampling.NEAREST))


def with_most(name: str, files: list[Path], label_set: LabelSet) -> Path:
    """The label map that has most of a class."""
    wanted = next(entry.id for entry in label_set.classes if entry.name == name)
    return max(files, key=lambda file: float((read_labels(file, label_set) == wanted).mean()))


def in_winter(summer: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """A label map with its grass and bushes turned to snow."""
    ids = {entry.name: entry.id for entry in label_set.classes}
    snowy = summer.copy()
    snowy[np.isin(summer, [ids["grass"], ids["bush"]])] = ids["snow"]
    return snowy


def winter(model: Synthesizer, seed: int) -> Image.Image:
    """The valley as it is, and with its grass and bushes turned to snow, in the same style and noise."""
    summer = read_labels(VALLEY, model.label_set)
    maps = (summer, in_winter(summer, model.label_set))
    return rows_of([[model.label_set.colorize(each), painted_by(model, each, seed)] for each in maps])


def named_styles(model: Synthesizer) -> Image.Image:
    """The valley in every style that the model knows by name, three a row, each with its name."""
    ids, tiles = read_labels(VALLEY, model.label_set), []
    for style in model.named_styles:
        request = PictureRequest(
            ids, model.label_set, model.name, STYLES[0], NamedStyle(style.name), natural_edges=NATURAL
        )
        tile = Image.fromarray(paint(model, request).rgb)
        draw = ImageDraw.Draw(tile)
        draw.text(
            (10, 6), style.name, "white", ImageFont.load_default(22), stroke_width=2, stroke_fill="#333"
        )
        tiles.append(np.asarray(tile))
    rows = [tiles[first : first + 3] for first in range(0, len(tiles), 3)]
    return rows_of([row for row in rows if len(row) == 3])


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    model = Synthesizer.load(options.model)
    held_out = [pair.labels for pair in find_pairs(options.data, "val")]

    def row(file: Path, seeds: tuple[int, ...]) -> list[np.ndarray]:
        ids = label_map(file, options.size, model.label_set)
        return [model.label_set.colorize(ids), *(painted_by(model, ids, seed) for seed in seeds)]

    rows = [row(file, STYLES) for file in (*held_out[3 :: options.every][:6], LAKE, VALLEY)]
    # Two scenes side by side: eight rows would be a long page.
    pairs = [[*left, *right] for left, right in zip(rows[::2], rows[1::2], strict=True)]
    rows_of(pairs).save(options.output / "gallery.jpg", quality=88)
    hard = [row(with_most(name, held_out, model.label_set), STYLES[:1]) for name in HARD]
    rows_of([[*hard[0], *hard[1]], [*hard[2], *hard[3]]]).save(options.output / "hard.jpg", quality=88)
    winter(model, STYLES[0]).save(options.output / "winter.jpg", quality=88)
    named_styles(model).save(options.output / "styles.jpg", quality=88)
    lake = read_labels(LAKE, model.label_set)
    painted = rows_of([[model.label_set.colorize(lake), painted_by(model, lake, STYLES[0])]])
    painted.save(options.output / "lake.jpg", quality=88)


if __name__ == "__main__":
    main()
