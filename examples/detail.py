# SPDX-License-Identifier: Apache-2.0
"""Pictures painted with more detail, side by side.

python -m examples.detail [--model FILE]

The valley and the lake at 1344 x 768, painted at one, two and three times the sides that the model was trained at, and
enlarged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from PIL import Image

from spade_core.contract.request import NamedStyle, PictureRequest
from spade_core.data.pairs import read_labels
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer

from .enlarged import sheet
from .gallery import LAKE, ROOT, VALLEY

DETAILS, SIZE, SHOWN = (1.0, 2.0, 3.0), (768, 1344), (672, 384)
STYLE = NamedStyle("clear-noon")


@dataclass(frozen=True)
class Options:
    """Paint both scenes with each detail."""

    model: str = "landscape"
    """an embedded model, or a checkpoint file"""
    output: Path = ROOT / "docs" / "pictures"
    """folder of detail.jpg"""


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    model = Synthesizer.load(options.model)
    rows = []
    for file in (VALLEY, LAKE):
        labels = read_labels(file, model.label_set)
        row = []
        for detail in DETAILS:
            wanted = PictureRequest(
                labels, model.label_set, model.name, 0, STYLE, size=SIZE, natural_edges=0.5, detail=detail
            )
            row.append(Image.fromarray(paint(model, wanted).rgb).resize(SHOWN, Image.Resampling.LANCZOS))
        rows.append(row)
    titles = [f"detail {detail:g}" for detail in DETAILS]
    sheet(rows, titles).save(options.output / "detail.jpg", quality=90)


if __name__ == "__main__":
    main()
