# SPDX-License-Identifier: Apache-2.0
"""Colour-coded label images, or such with foreign ids, turned into label maps."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from ..contract.errors import BadImageError, CannotWriteError, SpadeError
from ..files import cannot_write, replacing, write_text
from ..image_files import open_picture
from ..progress import Progress, silent
from .pairs import LARGEST_PHOTO
from .palette import Palette

RECIPE = "conversion.json"
ENDINGS = (".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".jpg", ".jpeg")
Unknown = Literal["refuse", "ignore", "nearby"]


@dataclass
class Converted:
    """What came of a conversion. unmapped: pixels and pictures by code of a colour without a meaning."""

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    """Were there already."""
    refused: dict[Path, SpadeError] = field(default_factory=dict)
    unmapped: Counter[int] = field(default_factory=Counter)
    unmapped_in: Counter[int] = field(default_factory=Counter)


def convert(
    source: Path,
    output: Path,
    palette: Palette,
    tolerance: int = 0,
    unknown: Unknown = "refuse",
    progress: Progress = silent,
) -> Converted:
    """Write OUTPUT/NAME.png, 8 or 16-bit ids, for every picture below `source`.

    unknown: what becomes of pixels whose colour means nothing: their picture is refused, they get the ignore id, or
    that of the nearest pixel that means something (for soft borders). Pictures appear in one piece; what is there
    already, and newer than its source, is left: the same command goes on where it was stopped.
    Raises BadImageError where there is no picture, and CannotWriteError, also where the folder holds another
    conversion.
    """
    place, own = source.resolve(), output.resolve()
    if place == own:
        raise CannotWriteError(
            "The label maps would take the place of the pictures they are made of.",
            "Name another folder after -o.",
        )
    pictures = sorted(
        file for file in _below(source) if own not in (place / file.relative_to(source)).parents
    )
    if not pictures:
        raise BadImageError(
            f"There are no pictures in {source}.", "Name the folder of the coloured label images."
        )
    _claim(output, {"palette": palette.digest, "tolerance": tolerance, "unknown": unknown})
    done = Converted()
    _refuse_twins(pictures, source)

    def one(file: Path) -> tuple[Path, SpadeError | None, dict[int, int] | None]:
        target = output / file.relative_to(source).with_suffix(".png")
        if target.exists() and target.stat().st_mtime_ns >= file.stat().st_mtime_ns:
            return target, None, None
        try:
            ids, unmapped = ids_by(palette, open_picture(file, LARGEST_PHOTO), tolerance, unknown)
            write_label_map(target, ids)
        except CannotWriteError:
            raise
        except SpadeError as problem:
            return target, problem, getattr(problem, "unmapped", {})
        return target, None, unmapped

    with ThreadPoolExecutor() as threads:
        try:
            for number, (file, (target, problem, unmapped)) in enumerate(
                zip(pictures, threads.map(one, pictures), strict=True), start=1
            ):
                _note(done, file, target, problem, unmapped)
                progress("converting", number, len(pictures))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    if (
        not done.written and not done.skipped
    ):  # as if it had not been tried: the next one may read them otherwise
        (output / RECIPE).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            output.rmdir()  # if there is nothing else in it
    return done


def ids_by(
    palette: Palette, picture: Image.Image, tolerance: int, unknown: Unknown
) -> tuple[np.ndarray, dict[int, int]]:
    """(H, W) ids, and the pixels by code of colours without a meaning.

    Raises UnmappedColorsError where they are refused.
    """
    codes, position, counts = np.unique(palette.codes_in(picture), return_inverse=True, return_counts=True)
    ids = palette.meanings(codes, tolerance)
    unmapped = {int(code): int(count) for code, count, id in zip(codes, counts, ids, strict=True) if id < 0}
    if unmapped and unknown == "refuse":
        raise UnmappedColorsError(unmapped, palette)
    label_map = ids[position].reshape(picture.height, picture.width)
    if unmapped and unknown == "nearby":
        label_map = spread(label_map)
    label_map = np.where(label_map < 0, palette.label_set.ignore_id, label_map)
    return palette.label_set.check(label_map.astype(palette.label_set.dtype)), unmapped


class UnmappedColorsError(SpadeError):
    """A picture with colours, or ids, that the palette does not have."""

    code = "BAD_IMAGE"

    def __init__(self, unmapped: dict[int, int], palette: Palette) -> None:
        most = max(unmapped, key=lambda code: unmapped[code])
        shown = "transparency" if most < 0 else f"#{most:06X}" if palette.of_colors else f"id {most}"
        more = f" and {len(unmapped) - 1} others" if len(unmapped) > 1 else ""
        super().__init__(
            f"It has {shown}{more}, which stand for no class ({sum(unmapped.values())} pixels).",
            "Add them to the palette, allow a --tolerance, or use --unknown nearby (soft borders) or ignore.",
        )
        self.unmapped = unmapped


def write_label_map(path: Path, ids: np.ndarray) -> None:
    """Write ids, (H, W) uint8 or uint16, as a PNG that appears in one piece. Raises CannotWriteError."""
    with replacing(path) as part:
        Image.fromarray(ids).save(part, "PNG")


def _claim(output: Path, recipe: dict) -> None:
    """Note how this folder was made, or find that it was made alike."""
    file = output / RECIPE
    try:
        if file.exists() and json.loads(file.read_text(encoding="utf-8")) != recipe:
            raise CannotWriteError(
                f"{output} holds a conversion by another palette, tolerance or treatment of the unknown.",
                "Choose another folder, or delete that one.",
            )
        write_text(file, json.dumps(recipe))
    except OSError as problem:
        raise cannot_write(file, problem) from None
    except ValueError:
        raise CannotWriteError(f"{file} is damaged.", f"Delete {output}, or choose another folder.") from None


def _refuse_twins(pictures: list[Path], source: Path) -> None:
    names = Counter(file.relative_to(source).with_suffix("") for file in pictures)
    name, count = names.most_common(1)[0]
    if count > 1:
        raise BadImageError(f"{count} pictures in {source} have the name {name}.", "Keep one of them.")


def _below(folder: Path) -> Iterable[Path]:
    files = folder.rglob("*")
    return (file for file in files if file.suffix.lower() in ENDINGS and not file.name.startswith("."))


def _note(
    done: Converted, file: Path, target: Path, problem: SpadeError | None, unmapped: dict[int, int] | None
) -> None:
    if problem is not None:
        done.refused[file] = problem
    elif unmapped is None:
        done.skipped.append(target)
    else:
        done.written.append(target)
    for code, pixels in (unmapped or {}).items():
        done.unmapped[code] += pixels
        done.unmapped_in[code] += 1


def spread(label_map: np.ndarray) -> np.ndarray:
    """Every pixel below 0 takes the id of the nearest one that is not (by steps to its four neighbours)."""
    label_map = label_map.copy()
    while (empty := label_map < 0).any() and not empty.all():
        padded = np.pad(label_map, 1, constant_values=-1)
        for near in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
            label_map = np.where(label_map < 0, near, label_map)
    return label_map
