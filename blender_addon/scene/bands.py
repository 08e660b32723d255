# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in front: things before two distances, which hide what could be painted behind them.

Ground, rivers and mountains are no such things: they reach across the distances and stay, so that what is painted
without the things is a whole landscape, too.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..bridge.layers import PAST_EVERYTHING
from ..bridge.sight import Projector
from .visible import is_backdrop, viewport_graph

BANDS = 2
# Of all that is seen, nearest first: how much is before the first distance, and before the second.
_BEFORE = (0.55, 0.8)


def band_ends(depth: np.ndarray) -> tuple[float, ...]:
    """How far each band reaches, in metres, of (H, W) metres that a projector sees; without any surface, endlessly."""
    seen = depth[depth < PAST_EVERYTHING]
    return tuple(np.quantile(seen, _BEFORE).tolist()) if seen.size else (np.inf,) * BANDS


def things_before(
    scene: bpy.types.Scene, projector: Projector, depth: np.ndarray, bands: int
) -> tuple[str, ...]:
    """The full names of the things that stand in the first `bands` bands, 1 or 2, of what a projector sees.

    depth: (H, W) metres. Things are what stands before the band's end with its middle, and is smaller than the nearest
    band is deep; what shows instances counts with all of them.
    """
    ends = band_ends(depth)
    if ends[0] == np.inf:
        return ()
    found = []
    for thing, corners in _corners(scene).items():
        span = float(np.linalg.norm(corners.max(axis=0) - corners.min(axis=0)))
        _, ahead = projector.seen(corners)
        if span < ends[0] and 0 < ahead.mean() < ends[bands - 1]:
            found.append(thing)
    return tuple(found)


def _corners(scene: bpy.types.Scene) -> dict[str, np.ndarray]:
    """The corners in the world, (N, 3), of all boxes that each object of the scene shows, by its full name."""
    corners: dict[str, list[np.ndarray]] = {}
    for each in viewport_graph(scene).object_instances:
        thing = each.object
        if thing is None or thing.type in ("CAMERA", "LIGHT", "EMPTY"):
            continue
        host = each.parent if each.is_instance and each.parent is not None else thing
        original = host.original
        if original is None or is_backdrop(original):
            continue
        box = np.array(thing.bound_box) @ np.array(each.matrix_world)[:3, :3].T
        corners.setdefault(original.name_full, []).append(box + np.array(each.matrix_world)[:3, 3])
    return {name: np.concatenate(boxes) for name, boxes in corners.items()}
