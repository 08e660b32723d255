# SPDX-License-Identifier: Apache-2.0
"""Several styles in one picture: the valley at noon, its sky as at sunset, and noon going over into dusk.

python -m examples.style_parts
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from examples.gallery import NATURAL, ROOT, VALLEY, rows_of
from spade_core.contract.placed_styles import PlacedStyle
from spade_core.contract.request import NamedStyle, PictureRequest
from spade_core.data.pairs import read_labels
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer


@dataclass(frozen=True)
class Options:
    """Paint the valley in several styles at once."""

    output: Path = ROOT / "docs" / "pictures" / "style_parts.jpg"
    """where the picture goes"""
    own: str = "clear-noon"
    """the style of what is not named"""
    sky: str = "sunset"
    """the style of sky and clouds"""
    right: str = "night"
    """the style that the last one goes over into"""
    seed: int = 11


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    model = Synthesizer.load("landscape")
    ids = {entry.name: entry.id for entry in model.label_set.classes}
    sky = PlacedStyle(NamedStyle(options.sky), (ids["sky"], ids["cloud"]))
    across = PlacedStyle(NamedStyle(options.right), peak=1.0)

    def painted(*placed: PlacedStyle) -> np.ndarray:
        request = PictureRequest(
            read_labels(VALLEY, model.label_set), model.label_set, model.name, options.seed,
            NamedStyle(options.own), natural_edges=NATURAL, placed_styles=placed, softness=0.02,
        )  # fmt: skip
        return paint(model, request).rgb

    rows_of([[painted(), painted(sky), painted(across)]]).save(options.output, quality=88)


if __name__ == "__main__":
    main()
