# SPDX-License-Identifier: Apache-2.0
"""What an upscaler makes of a picture, beside the picture painted at its full size, at 100 %.

python -m examples.enlarged [--model FILE]

The valley, the lake and the valley in winter at 1024 x 576, painted at full size, and painted small and enlarged:
bicubically, by the embedded upscaler, and by x4plus where its package is installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image, ImageDraw, ImageFont

from spade_core.contract.request import PictureRequest
from spade_core.data.pairs import read_labels
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.upscaling.names import available

from .gallery import GAP, LAKE, PAPER, ROOT, STYLES, VALLEY, in_winter

SIZE = (576, 1024)
CROP = (300, 330)
"""(height, width) of what is shown at 100 %."""
TOP = 36
CORNERS = {"valley": (150, 60), "lake": (120, 420), "winter": (240, 560)}
"""(top, left) of the crops: trees and ridges, a house on a shore, rocks."""


@dataclass(frozen=True)
class Options:
    """Paint the scenes each way."""

    model: str = "landscape"
    """an embedded model, or a checkpoint file"""
    output: Path = ROOT / "docs" / "pictures"
    """folder of enlarged.jpg"""


def ways(model: Synthesizer, label_map: np.ndarray) -> dict[str, np.ndarray]:
    """One label map painted each way, (576, 1024, 3) uint8, by the name of the way."""
    made: dict[str, np.ndarray] = {}
    small: list[np.ndarray] = []
    for upscale in ("off", *reversed(available())):
        request = PictureRequest(
            label_map, model.label_set, model.name, STYLES[0], size=SIZE, upscale=upscale
        )
        made[upscale] = paint(model, request, on_painting=small.append).rgb
    bicubic = Image.fromarray(small[0]).resize((SIZE[1], SIZE[0]), Image.Resampling.BICUBIC)
    return {
        "painted at full size": made.pop("off"),
        "painted small, bicubic": np.asarray(bicubic),
        **{f"painted small, {name}": picture for name, picture in made.items()},
    }


def sheet(rows: list[list[Image.Image]], titles: list[str]) -> Image.Image:
    """Equal pictures in rows, each column under its title."""
    width, height = rows[0][0].size
    page = Image.new(
        "RGB", (len(titles) * (width + GAP) - GAP, TOP + len(rows) * (height + GAP) - GAP), PAPER
    )
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(18)
    for column, title in enumerate(titles):
        draw.text((column * (width + GAP) + width // 2, TOP // 2), title, "#1B1E21", font, anchor="mm")
        for row, cells in enumerate(rows):
            page.paste(cells[column], (column * (width + GAP), TOP + row * (height + GAP)))
    return page


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    model = Synthesizer.load(options.model)
    valley, lake = (read_labels(file, model.label_set) for file in (VALLEY, LAKE))
    maps = {"valley": valley, "lake": lake, "winter": in_winter(valley, model.label_set)}
    pictures = {name: ways(model, label_map) for name, label_map in maps.items()}
    titles = list(pictures["valley"])
    rows = []
    for name, (top, left) in CORNERS.items():
        box = (left, top, left + CROP[1], top + CROP[0])
        rows.append([Image.fromarray(pictures[name][title]).crop(box) for title in titles])
    sheet(rows, titles).save(options.output / "enlarged.jpg", quality=90)


if __name__ == "__main__":
    main()
