# SPDX-License-Identifier: Apache-2.0
"""Mask pictures of an export: ids, or colours that a table names; and which photo each belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ...contract.errors import BadImageError, SpadeError
from ...image_files import ID_MODES, LARGEST_PHOTO, is_lossy, open_picture
from .base import NO_CLASS, Size

UNLABELLED = 255
"""What masks of 8 bits hold where there is no class, unless it is a class of theirs."""


def ids_of(file: Path) -> np.ndarray:
    """As `ids_in_picture`, of a file."""
    return ids_in_picture(open_picture(file, LARGEST_PHOTO), str(file))


def ids_in_picture(picture: Image.Image, file: str) -> np.ndarray:
    """(H, W) int32 ids of a mask of one channel, or of one that was saved three times. Raises BadImageError."""
    if is_lossy(picture):
        raise BadImageError(f"{file} is a JPEG, which smears ids at every border.", "Export it as PNG.")
    if picture.mode in ID_MODES:
        ids = np.asarray(picture).astype(np.int32)
        bits = picture.info.get("grey_bits", 8)
        return ids // (255 // (2**bits - 1)) if picture.mode == "L" and bits < 8 else ids
    rgb = np.asarray(picture.convert("RGB"))
    if (rgb == rgb[..., :1]).all():
        return rgb[..., 0].astype(np.int32)
    raise BadImageError(
        f"{file} is in colours, not ids.",
        "Turn them into ids first: spade dataset convert --format colors.",
    )


def by_id(file: Path, places: dict[int, int]) -> Callable[[Size], np.ndarray]:
    """A class map of a mask of ids. places: of each id, its class; 255 is none where it is not among them."""
    return lambda size: classes_of_ids(ids_of(file), places, str(file))


def classes_of_ids(ids: np.ndarray, places: dict[int, int], file: str) -> np.ndarray:
    """(H, W) class map. Raises BadImageError for an id that is not among the places, unless it is 255."""
    known = np.unique(ids)
    strange = [int(id) for id in known if int(id) not in places and id != UNLABELLED]
    if strange:
        listed = ", ".join(map(str, strange[:8]))
        raise BadImageError(f"{file} holds ids without a name: {listed}.", "Add them to the list of names.")
    table = np.array([places.get(int(id), NO_CLASS) for id in known], np.int32)
    return table[np.searchsorted(known, ids)]


def by_color(file: Path, places: dict[int, int]) -> Callable[[Size], np.ndarray]:
    """A class map of a mask of colours. places: of each colour, as 0xRRGGBB, its class."""

    def class_map(size: Size) -> np.ndarray:
        picture = open_picture(file, LARGEST_PHOTO)
        if is_lossy(picture):
            raise BadImageError(
                f"{file} is a JPEG, which smears colours at every border.", "Export it as PNG."
            )
        rgb = np.asarray(picture.convert("RGB")).astype(np.int32)
        codes = rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]
        known, counts = np.unique(codes, return_counts=True)
        strange = [
            (int(code), int(n)) for code, n in zip(known, counts, strict=True) if int(code) not in places
        ]
        if strange:
            most = max(strange, key=lambda each: each[1])
            message = f"{file} has #{most[0]:06X}, which stands for no class ({most[1]} pixels)."
            raise BadImageError(message, "Add it to the list of classes and colours.")
        table = np.array([places[int(code)] for code in known], np.int32)
        return table[np.searchsorted(known, codes)]

    return class_map


def ids_in_all(files: Iterable[Path]) -> set[int]:
    """Every id that occurs in these masks; what cannot be read is left for later. Raises BadImageError for colours."""
    found: set[int] = set()
    for file in files:
        try:
            picture = open_picture(file, LARGEST_PHOTO)
        except SpadeError:
            continue
        found.update(np.unique(ids_in_picture(picture, str(file))).tolist())
    return found


def bare_names(files: Iterable[Path], folder: Path) -> dict[str, Path]:
    """Files by their paths in a folder, without ending and without what all their names end in (`_mask`, `_label`).

    Raises BadImageError where two have one name.
    """
    named = {file: file.relative_to(folder).with_suffix("").as_posix() for file in files}
    common = common_ending(list(named.values()))
    found: dict[str, Path] = {}
    for file, name in named.items():
        bare = name.removesuffix(common)
        if bare in found:
            raise BadImageError(f"{found[bare]} and {file} have the same name.", "Keep one of the two.")
        found[bare] = file
    return found


def common_ending(names: list[str]) -> str:
    """What all names end in, if it is a word after an underscore or a hyphen: "_mask" of "a_mask" and "b_mask"."""
    if len(names) < 2:
        return ""
    ending = names[0]
    for name in names[1:]:
        while not name.endswith(ending):
            ending = ending[1:]
    start = min((place for place in (ending.find("_"), ending.find("-")) if place >= 0), default=-1)
    return ending[start:] if start >= 0 and ending[start + 1 :].replace("_", "").isalpha() else ""
