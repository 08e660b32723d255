# SPDX-License-Identifier: Apache-2.0
"""The grid a run is watched by: labels | painted in the photo's style | photo | the same labels in two other styles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ..data.pairs import Pair, read_pair
from ..files import replacing
from ..synthesis.synthesizer import Synthesizer

OTHER_STYLES = 2


def sample_grid(model: Synthesizer, pairs: list[Pair], size: tuple[int, int]) -> np.ndarray:
    """One row of five pictures of (height, width) a pair, as the server would paint them: (H, W, 3) uint8."""
    return np.concatenate([_row(model, pair, size, seed) for seed, pair in enumerate(pairs)])


def _row(model: Synthesizer, pair: Pair, size: tuple[int, int], seed: int) -> np.ndarray:
    photo, labels = read_pair(pair, model.label_set)
    height, width = size
    photo = photo.resize((width, height), Image.Resampling.LANCZOS)
    ids = np.asarray(labels.resize((width, height), Image.Resampling.NEAREST))
    own = model.encode_style(np.asarray(photo)) if model.has_style_encoder else None
    others = [model.render(ids, seed=seed + 1000 * other) for other in range(1, OTHER_STYLES + 1)]
    cells = [model.label_set.colorize(ids), model.render(ids, own, seed), np.asarray(photo), *others]
    return np.concatenate(cells, axis=1)


def save_grid(grid: np.ndarray, path: Path) -> None:
    """In one piece. Raises CannotWriteError."""
    with replacing(path) as part:
        Image.fromarray(grid).save(part, "png")
