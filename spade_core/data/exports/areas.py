# SPDX-License-Identifier: Apache-2.0
"""Polygons and run lengths drawn into class maps, as COCO's own library draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...contract.errors import UnavailableError
from .base import NO_CLASS, Size

FAR = 4.0
"""Corners may lie this many picture sides outside: the library's work grows with how far they are."""


@dataclass(frozen=True)
class Area:
    """Where a picture shows a class. mask: (width, height) -> (H, W) bool."""

    place: int
    mask: Callable[[Size], np.ndarray]


def drawn(areas: Iterable[Area], size: Size) -> np.ndarray:
    """(H, W) int32 class map: each area over those before it, NO_CLASS where there is none."""
    class_map = np.full(size[::-1], NO_CLASS, np.int32)
    for area in areas:
        class_map[area.mask(size)] = area.place
    return class_map


def largest_first(areas: Sequence[Area], size: Size) -> np.ndarray:
    """As `drawn`, where the export has no order: what is small lies over what is large."""
    masks = [(area.place, area.mask(size)) for area in areas]
    class_map = np.full(size[::-1], NO_CLASS, np.int32)
    for place, mask in sorted(masks, key=lambda each: -int(each[1].sum())):
        class_map[mask] = place
    return class_map


def polygons(rings: Sequence[Sequence[float]]) -> Callable[[Size], np.ndarray]:
    """The mask of some polygons together, each as x, y, x, y ... in pixels, with 0, 0 at the corner of the picture.

    Raises ValueError where one is not made of numbers. What has fewer than three corners covers nothing.
    """
    flat = [np.asarray(ring, np.float64).ravel() for ring in rings]
    if any(ring.size % 2 or not np.isfinite(ring).all() for ring in flat):
        raise ValueError("corners")
    usable = [ring for ring in flat if ring.size >= 6]

    def mask(size: Size) -> np.ndarray:
        width, height = size
        if not usable:
            return np.zeros((height, width), np.bool_)
        limit = FAR * max(size)
        objects = [ring.clip(-limit, limit).tolist() for ring in usable]
        coco = coco_masks()
        return coco.decode(coco.merge(coco.frPyObjects(objects, height, width))) > 0

    return mask


def with_holes(outer: Sequence[Any], holes: Sequence[Sequence[Any]]) -> Callable[[Size], np.ndarray]:
    """A polygon without others inside it; points as pairs. Raises ValueError as `polygons`."""
    whole = polygons([np.asarray(outer, np.float64).ravel().tolist()])
    gone = polygons([np.asarray(hole, np.float64).ravel().tolist() for hole in holes])
    return (lambda size: whole(size) & ~gone(size)) if holes else whole


def scaled(points: Sequence[Sequence[float]], width: float, height: float) -> list[float]:
    """Points as pairs, each times the factors, as one flat list."""
    return (np.asarray(points, np.float64).reshape(-1, 2) * (width, height)).ravel().tolist()


def rectangle(left: float, top: float, right: float, bottom: float) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


def ellipse(x: float, y: float, radius_x: float, radius_y: float) -> list[float]:
    """As a polygon of 64 corners."""
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return np.stack([x + radius_x * np.cos(angles), y + radius_y * np.sin(angles)], 1).ravel().tolist()


def pasted(mask: np.ndarray, left: int, top: int) -> Callable[[Size], np.ndarray]:
    """A small (h, w) mask put into the picture at a place; what lies outside is cut off."""

    def whole(size: Size) -> np.ndarray:
        width, height = size
        found = np.zeros((height, width), np.bool_)
        x, y = max(left, 0), max(top, 0)
        inside = mask[y - top : height - top, x - left : width - left]
        found[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
        return found

    return whole


def run_lengths(counts: list[int] | str | bytes, size: Size) -> np.ndarray:
    """COCO's run-length code, plain or compressed, (H, W) bool. size: (width, height) as the code says it.

    Raises ValueError where it does not fill the picture.
    """
    width, height = size
    if isinstance(counts, list):
        if sum(counts) != width * height or min(counts, default=0) < 0:
            raise ValueError("run lengths")
        runs = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        return runs.reshape(width, height).T
    # The library trusts the code: what does not fill the picture would read or write beside it.
    if sum(_compressed(counts)) != width * height:
        raise ValueError("run lengths")
    code = counts.encode() if isinstance(counts, str) else counts
    return coco_masks().decode({"size": [height, width], "counts": code}) > 0


def _compressed(counts: str | bytes) -> list[int]:
    """The run lengths of the compressed code: 5 bits a character, each but the first two as a difference."""
    code = counts.encode("ascii") if isinstance(counts, str) else counts
    runs: list[int] = []
    value = shift = 0
    for byte in code:
        bits = byte - 48
        if not 0 <= bits < 64:
            raise ValueError("run lengths")
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                value |= -1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift or min(runs, default=0) < 0:
        raise ValueError("run lengths")
    return runs


def coco_masks() -> Any:
    """pycocotools.mask. Raises UnavailableError without it."""
    try:
        from pycocotools import mask
    except ImportError:
        raise UnavailableError(
            "Polygons are drawn by pycocotools, which is not installed.",
            "Run pip install 'spade-backdrops[data]'.",
        ) from None
    return mask
