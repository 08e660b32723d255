# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in front: things before four distances, which hide what could be painted behind them.

Ground, rivers and mountains are no such things: they reach across the distances and stay, so that what is painted
without the things is a whole landscape, too.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..bridge.layers import PAST_EVERYTHING
from ..bridge.sight import Projector
from .visible import is_backdrop, viewport_graph

BANDS = 4
# Of all that is seen, nearest first: how much is before each distance. What hides each other within a band is hidden at
# once, and is never seen whole, so bands are narrow where most is near.
_BEFORE = (0.45, 0.55, 0.65, 0.85)


def band_ends(depth: np.ndarray, before: tuple[float, ...] = _BEFORE) -> tuple[float, ...]:
    """How far each band reaches, in metres, of (H, W) metres that a projector sees; without any surface, endlessly.

    before: of all that is seen, nearest first, how much is before each end.
    """
    seen = depth[depth < PAST_EVERYTHING]
    return tuple(np.quantile(seen, before).tolist()) if seen.size else (np.inf,) * len(before)


def things_before(
    scene: bpy.types.Scene,
    projector: Projector,
    depth: np.ndarray,
    bands: int,
    before: tuple[float, ...] = _BEFORE,
    with_cut_off: bool = False,
) -> tuple[str, ...]:
    """The full names of the things that stand in the first `bands` bands, from 1 on, of what a projector sees.

    depth: (H, W) metres. Things are what stands before the band's end with its middle, and is smaller than the nearest
    band is deep; what shows instances counts with all of them. In the first band only what is seen whole counts: a tree
    that the frame cuts off is still to be painted, on the wider one; unless `with_cut_off`. before: as of `band_ends`.
    """
    ends = band_ends(depth, before)
    if ends[0] == np.inf:
        return ()
    found = []
    for thing, corners in _corners(scene).items():
        span = float(np.linalg.norm(corners.max(axis=0) - corners.min(axis=0)))
        places, ahead = projector.seen(corners)
        is_whole = bool(((places > 0) & (places < 1)).all())
        if span < ends[0] and 0 < ahead.mean() < ends[bands - 1] and (is_whole or with_cut_off or bands > 1):
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
