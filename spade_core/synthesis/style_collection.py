# SPDX-License-Identifier: Apache-2.0
"""A style bank for a model, from photographs with label maps, and from pictures that stand for named styles."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..checkpoint.file import Checkpoint
from ..checkpoint.style_bank import NamedStyle, StyleBank, layout, stood_for, thinned
from ..contract.errors import BadOptionError
from ..data.pairs import Pair, read_pair
from ..image_files import read_photo
from .synthesizer import Synthesizer

KEPT = 768
"""Codes of a bank: a quarter of a megabyte with their layouts."""
LOOKED_AT = 4000
"""Photos, at most, that they are chosen from."""
SHORT_SIDE = 256
"""Pixels, about, that a large JPEG is read at: an encoder sees fewer."""
THUMBNAIL = (160, 96)
"""(width, height)."""
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"})


def with_styles(
    checkpoint: Checkpoint,
    pairs: Sequence[Pair],
    named: Mapping[str, Path],
    progress: Callable[[int, int], None] = lambda done, of: None,
    looked_at: int = LOOKED_AT,
    device: torch.device | None = None,
) -> Checkpoint:
    """The checkpoint with a bank of styles, in place of one that it may have.

    pairs: photos and label maps of the checkpoint's label set, of which at most `looked_at` are read. named: pictures
    that stand for styles, by the names of those. progress is told how many photos were read, and of how many; it may
    raise to stop.
    Raises BadOptionError for a model without a style encoder, and BadImageError.
    """
    painter = Synthesizer(checkpoint, "model", "", device or torch.device("cpu"))
    if not painter.has_style_encoder:
        raise BadOptionError(
            "The model has no style encoder.", "Only models that have one know styles of photos."
        )
    if not pairs:
        raise BadOptionError(
            "There are no photos to take styles from.", "Name a folder of photos with label maps."
        )
    chosen = random.Random(0).sample(pairs, min(looked_at, len(pairs)))
    channels = checkpoint.label_channels
    codes, layouts = [], []
    for index, pair in enumerate(chosen):
        photo, label_map = read_pair(pair, checkpoint.label_set, SHORT_SIDE)
        codes.append(painter.encode_style(np.asarray(photo)))
        layouts.append(layout(channels.indices(np.asarray(label_map)), channels.count))
        progress(index + 1, len(chosen))
    all_codes, all_layouts = np.stack(codes), np.stack(layouts)
    kept = thinned(all_codes, KEPT)
    weights = stood_for(all_codes, kept)
    bank = StyleBank(all_codes[kept], all_layouts[kept], weights, all_codes.mean(0).astype(np.float32))
    typical = np.abs(all_layouts - all_layouts.mean(0)).sum(1).argmin()
    scene = np.asarray(read_pair(chosen[int(typical)], checkpoint.label_set)[1])
    return replace(checkpoint, styles=replace(bank, named=tuple(_named(painter, named, scene))))


def pictures_of(folder: Path) -> dict[str, Path]:
    """The pictures in a folder by the names of their files. Raises BadOptionError where two have the same one."""
    found: dict[str, Path] = {}
    for file in sorted(file for file in folder.iterdir() if file.suffix.lower() in PICTURES):
        if file.stem.casefold() in map(str.casefold, found):
            raise BadOptionError(
                f"Two pictures would both be the style '{file.stem}'.", "Rename one of them."
            )
        found[file.stem] = file
    return found


def _named(painter: Synthesizer, pictures: Mapping[str, Path], scene: np.ndarray) -> Iterator[NamedStyle]:
    for name, picture in pictures.items():
        code = painter.encode_style(read_photo(picture))
        painted = Image.fromarray(painter.render(scene, code))
        yield NamedStyle(name, code, np.asarray(painted.resize(THUMBNAIL, Image.Resampling.LANCZOS)))
