# SPDX-License-Identifier: Apache-2.0
"""pix2pix: photo and coloured labels side by side in one picture. Classes are called by their colours."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from ....contract.errors import BadImageError, SpadeError
from ....image_files import LARGEST_PHOTO, open_picture, picture_size, rgb_in
from ...conversion import spread
from ..base import NO_CLASS, Export, ExportClass, Format, Record, Size
from ..photos import PHOTO_ENDINGS, files_below
from ..pictures import as_png
from ..splits import split_in

LOOKED_AT = 24
"""Pictures by which the halves and the colours are told."""
APART = 40
"""Two colours of classes differ by this much in a channel; less is what JPEG does to one of them."""
LEAST = 0.002
"""Share of the pixels from which on a colour is a class's."""
FLAT = 0.75
"""Of labels at least so many pixels are as the one beside them; of photos fewer."""


def recognises(root: Path) -> bool:
    if not root.is_dir() or (root / "images").is_dir():
        return False
    some = list(islice(_pictures(root), 4))
    try:
        wide = all(
            size[0] == 2 * size[1] or size[0] % 2 == 0 and size[0] > 1.2 * size[1]
            for size in map(picture_size, some)
        )
        return bool(some) and wide and _labels_left(some) is not None
    except SpadeError:
        return False


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError where it cannot be told which half is the photo."""
    files = list(_pictures(root))
    some = files[:: max(1, len(files) // LOOKED_AT)][:LOOKED_AT]
    left = _labels_left(some)
    if left is None:
        raise BadImageError(
            f"No half of the pictures in {root} looks like labels.", "Name the folder of such pairs."
        )
    colors = _colors(some, left)
    if not len(colors):
        raise BadImageError(f"The labels in {root} have no flat colours.", "Save them without loss, as PNG.")
    classes = tuple(
        ExportClass(color, color) for color in (f"#{bytes(rgb.tolist()).hex().upper()}" for rgb in colors)
    )
    records = [_record(file, root, left, colors) for file in files]
    notes = [
        f"Classes are called by their colours, the labels' half is the {'left' if left else 'right'} one."
    ]
    return Export(classes, records, notes)


def _pictures(root: Path) -> Iterator[Path]:
    return (file for file in files_below(root) if file.suffix.lower() in PHOTO_ENDINGS)


def _halves(file: Path) -> tuple[np.ndarray, np.ndarray]:
    rgb = rgb_in(open_picture(file, LARGEST_PHOTO))
    middle = rgb.shape[1] // 2
    return rgb[:, :middle], rgb[:, middle : 2 * middle]


def _labels_left(files: list[Path]) -> bool | None:
    """Whether the labels are the left half; None where that is not certain. Raises BadImageError."""
    seen = np.array([[(_flatness(half), _variety(half)) for half in _halves(file)] for file in files])
    flat, variety = np.median(seen, axis=0).T
    labels = int(flat[1] > flat[0])
    if (
        flat[labels] < FLAT
        or flat[labels] < flat[1 - labels] + 0.1
        or variety[1 - labels] < 2 * variety[labels]
    ):
        return None
    return labels == 0


def _flatness(rgb: np.ndarray) -> float:
    """The share of pixels that hardly differ from the one to their left."""
    return float((np.abs(np.diff(rgb.astype(np.int16), axis=1)).max(-1) <= 2).mean())


def _variety(rgb: np.ndarray) -> float:
    """How many colours there are, by pixel."""
    wide = rgb.astype(np.int32)
    return len(np.unique(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2])) / wide[..., 0].size


def _colors(files: list[Path], left: bool) -> np.ndarray:
    """(n, 3) uint8 colours of the classes: the most frequent ones, away from borders, that are far enough apart."""
    inner = np.concatenate([_away_from_borders(_halves(file)[0 if left else 1]) for file in files])
    codes, counts = np.unique(inner[:, 0] << 16 | inner[:, 1] << 8 | inner[:, 2], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:4096]
    weight = {int(codes[place]): int(counts[place]) for place in order}
    chosen: list[np.ndarray] = []
    for code in weight:
        rgb = np.array([code >> 16, code >> 8 & 255, code & 255])
        if all(np.abs(rgb - other).max() >= APART for other in chosen):
            near = sum(count for each, count in weight.items() if _apart(each, rgb) < APART // 2)
            if near >= LEAST * len(inner):
                chosen.append(rgb)
    return np.array(sorted(chosen, key=lambda rgb: rgb.tolist()), np.uint8).reshape(-1, 3)


def _away_from_borders(labels: np.ndarray) -> np.ndarray:
    """(n, 3) int32 of the pixels that are as those around them: no blend of two classes that JPEG or scaling made."""
    wide = labels.astype(np.int32)
    flat = np.ones(labels.shape[:2], np.bool_)
    for axis in (0, 1):
        for step in (1, 2):
            for away in (step, -step):
                flat &= np.abs(wide - np.roll(wide, away, axis)).max(-1) <= 6
    return wide[flat]


def _apart(code: int, rgb: np.ndarray) -> int:
    return max(
        abs((code >> 16) - int(rgb[0])), abs((code >> 8 & 255) - int(rgb[1])), abs((code & 255) - int(rgb[2]))
    )


def _record(file: Path, root: Path, left: bool, colors: np.ndarray) -> Record:
    def photo() -> bytes:
        return as_png(Image.fromarray(_halves(file)[1 if left else 0]))

    def class_map(size: Size) -> np.ndarray:
        labels = _halves(file)[0 if left else 1].astype(np.int32)
        away = np.stack([np.abs(labels - color.astype(np.int32)).max(-1) for color in colors])
        # A blend along a border may be nearest to a third class: it takes the class of the nearest sure pixel.
        return spread(np.where(away.min(0) < APART // 2, away.argmin(0), NO_CLASS).astype(np.int32))

    inside = file.relative_to(root)
    return Record(inside.with_suffix("").as_posix(), photo, class_map, split_in(inside), file)


FORMAT = Format("pix2pix", "pix2pix pictures side by side", recognises, read)
