# SPDX-License-Identifier: GPL-3.0-or-later
"""The label pass of a picture that is to be shown as cards: what the camera sees, and what stands behind it.

Nearer things are hidden by object. A nearer clip plane would cut the ground, too, and under it lies sky.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import bpy
import numpy as np

from ..bridge.layers import PAST_EVERYTHING, taken_apart
from ..bridge.sight import Projector
from ..contract.errors import NothingLabelledError
from ..properties import settings
from .bands import band_ends, things_before
from .blocks import blocks_in_sight
from .coverage import remember
from .label_pass import LabelPass, render_label_map
from .label_rules import scene_label_set
from .label_sets import background_of
from .other_view import AS_IT_IS, OtherView
from .parts import Apart
from .projector import projector_of
from .view import flat_camera_of
from .visible import viewport_graph

MARGIN = 3 / 32
"""Of the picture's width and height, on each side: how far cards go on beyond it. Sizes are multiples of 32."""
BEFORE = (0.55, 0.8)
"""Of all that is seen, nearest first: how much is before the second card's band, and before the third's."""
_ALL_SKY = 0.98
"""Of a map: models know no such photographs, and paint night."""


def take_pass(
    scene: bpy.types.Scene,
    shape: tuple[int, int],
    progress: Callable[[float], None] | None = None,
    with_objects: bool = False,
    with_depth: bool = False,
    view: OtherView = AS_IT_IS,
    apart: Apart | None = None,
    with_layers: bool = False,
) -> LabelPass:
    """`render_layered_labels` where layers are asked for, else `render_label_map`."""
    if with_layers:
        return render_layered_labels(scene, shape, progress, with_objects)
    return render_label_map(scene, shape, progress, with_objects, with_depth, view, apart)


def render_layered_labels(
    scene: bpy.types.Scene,
    shape: tuple[int, int],
    progress: Callable[[float], None] | None = None,
    with_objects: bool = False,
) -> LabelPass:
    """As `render_label_map`, with `layers`. Raises what that does."""
    report = progress or (lambda done: None)
    passes = len(BEFORE) + 2
    seen = render_label_map(scene, shape, lambda done: report(done / passes), with_objects)
    viewport_graph(scene)  # brings the camera to its place
    projector = projector_of(scene, flat_camera_of(scene))
    maps, depths = [], []
    for band in range(len(BEFORE) + 1):
        with blocks_in_sight(scene):
            hidden = _things_before(scene, projector, seen.depth, band)
        label_map, depth = _behind(scene, shape, hidden)
        maps.append(label_map)
        depths.append(depth)
        report((band + 2) / passes)
    # What is said of the scene is what its camera sees.
    remember(scene, scene_label_set(scene), seen.unlabelled, seen.sky_share, seen.object_count)
    return replace(
        seen, layers=taken_apart(projector, seen.depth, depths, band_ends(seen.depth, BEFORE), tuple(maps))
    )


def _things_before(
    scene: bpy.types.Scene, projector: Projector, depth: np.ndarray, band: int
) -> tuple[str, ...]:
    """What is hidden for a card, counted from 0; those that the frame cuts off, too: the nearest card has them."""
    return things_before(scene, projector, depth, band, BEFORE, with_cut_off=True) if band else ()


def _behind(
    scene: bpy.types.Scene, shape: tuple[int, int], hidden: tuple[str, ...]
) -> tuple[np.ndarray | None, np.ndarray]:
    """The (H, W) label map of the canvas to paint, None where it is all sky, and the canvas' (h, w) metres.

    The canvas has pixels as large as the picture's, so that depths can be compared one by one. It is painted as large
    as the picture: another size would come out in another style.
    """
    height, width = (length + 2 * round(length * MARGIN) for length in shape)
    canvas = height, width
    try:
        found = render_label_map(scene, canvas, view=OtherView(hidden, 1 + 2 * MARGIN))
    except NothingLabelledError:
        return None, np.full(canvas, np.inf, np.float32)
    rows, columns = (
        ((np.arange(length) + 0.5) * whole / length).astype(int)
        for length, whole in zip(shape, canvas, strict=True)
    )
    label_map = found.label_map[rows[:, None], columns]
    label_set = scene_label_set(scene)
    background = background_of(label_set, settings(scene).background_class)
    sky = found.depth > PAST_EVERYTHING
    if background is not None:
        sky |= found.label_map == background.id
    return (None if sky.mean() >= _ALL_SKY else label_map), found.depth
