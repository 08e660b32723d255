# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in front: things before three distances, which hide what could be painted behind them.

Ground, rivers and mountains are no such things: they reach across the distances and stay, so that what is painted
without the things is a whole landscape, too.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..bridge.sight import Projector
from .visible import is_backdrop, viewport_graph

BANDS = 3
# Of all that is seen, nearest first: how much is before each distance.
_BEFORE = (0.45, 0.65, 0.85)
_PAST_EVERYTHING = 1e5


def things_before(
    scene: bpy.types.Scene, projector: Projector, depth: np.ndarray, bands: int
) -> tuple[str, ...]:
    """The full names of the things that stand in the first `bands` bands, 1 to BANDS, of what a projector sees.

    depth: (H, W) metres. Things are what stands before the band's end with its middle, and is smaller than the nearest
    band is deep; what shows instances counts with all of them. In the first band only what is seen whole counts: a tree
    that the frame cuts off is still to be painted, on the wider one.
    """
    seen = depth[depth < _PAST_EVERYTHING]
    if not seen.size:
        return ()
    ends = np.quantile(seen, _BEFORE)
    found = []
    for thing, corners in _corners(scene).items():
        span = float(np.linalg.norm(corners.max(axis=0) - corners.min(axis=0)))
        places, ahead = projector.seen(corners)
        is_whole = bool(((places > 0) & (places < 1)).all())
        if span < ends[0] and 0 < ahead.mean() < ends[bands - 1] and (is_whole or bands > 1):
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
