# SPDX-License-Identifier: GPL-3.0-or-later
"""What a camera saw when a picture's labels were taken: kept with the picture, and found again when it is placed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ...bridge.sight import Projector, Sight
from ...contract.errors import BadOptionError
from ...properties import settings
from ...scene.borrow import borrowed
from ...scene.label_pass import render_label_map
from ...scene.projector import projector_around, projector_of
from ...scene.view import camera_of, flat_camera_of
from .depth_image import depth_image, depth_in_image
from .group import depth_in
from .projections import MOST, project, refuse_too_many, remove_projections

DEPTH, PROJECTOR = "spade_depth", "spade_projector"
"""Custom properties of a picture: the image of its depth, and its projector as JSON."""
_HIDDEN = "hidden"


def lay_on_blocks(
    scene: bpy.types.Scene, picture: bpy.types.Image, camera: bpy.types.Object, sight: Sight | None
) -> None:
    """Project a picture by its sight; without one by what the file keeps with it, else by what the camera sees now.

    Raises BadOptionError where there are too many projections, and what a label pass raises.
    """
    refuse_too_many(scene, camera, sight.hidden if sight is not None else 0)
    sight = sight or sight_in(picture)
    if sight is None or sight.depth is None:
        size: Any = picture.size
        sight = sight_of_now(scene, camera, (size[1], size[0]))
    keep_sight(picture, sight)
    project(scene, picture, camera, sight.projector, picture[DEPTH], sight.hidden)


def lay_panorama_on_blocks(
    scene: bpy.types.Scene, picture: bpy.types.Image, camera: bpy.types.Object
) -> None:
    """Project a panorama on what is around the place that it was painted from.

    How far that place sees is rendered now, where the labels were painted by hand. Raises BadOptionError, and then what
    a label pass does.
    """
    sight = sight_in(picture)
    if sight is None:
        raise BadOptionError(
            "It is not known any more from where this panorama was painted.",
            "Generate anew, or turn On the Blocks off.",
        )
    if sight.depth is None:
        size: Any = picture.size
        sight = replace(sight, depth=_depth_around(scene, sight.projector, (size[1], size[0])))
    remove_projections(scene)
    lay_on_blocks(scene, picture, camera, sight)


def keep_sight(picture: bpy.types.Image, sight: Sight) -> None:
    """Keep with a picture what its camera saw; or from where alone, where it is not known how far."""
    picture[PROJECTOR] = json.dumps(sight.projector.to_facts() | {_HIDDEN: sight.hidden})
    if sight.depth is not None:
        picture[DEPTH] = depth_image(sight.depth, f".Depth {picture.name}")
    elif DEPTH in picture:
        del picture[DEPTH]  # of another place


def wanted_sight(scene: bpy.types.Scene) -> Sight | None:
    """From where the picture of a press will be projected, where it will be. Raises BadOptionError."""
    if settings(scene).placement == "PANORAMA":  # laid on the blocks on request, perhaps later
        return Sight(projector_around(camera_of(scene)))
    if settings(scene).placement != "PROJECTION":
        return None
    camera = flat_camera_of(scene)
    refuse_too_many(scene, camera)
    return Sight(projector_of(scene, camera))


def sights_of(
    scene: bpy.types.Scene, pictures: list[tuple[bpy.types.Object, bpy.types.Image]]
) -> dict[bpy.types.Object, Sight]:
    """What each camera's picture is to be projected from, before anything is. Raises what `lay_on_blocks` does."""
    if len(pictures) > MOST:
        raise BadOptionError(
            f"{len(pictures)} cameras have pictures; at most {MOST} can be projected.", "Take some away."
        )
    found = {}
    for camera, picture in pictures:
        refuse_too_many(scene, camera)
        size: Any = picture.size
        found[camera] = sight_in(picture) or sight_of_now(scene, camera, (size[1], size[0]))
    return found


def sight_in(picture: bpy.types.Image) -> Sight | None:
    """What the file keeps with a picture."""
    if PROJECTOR not in picture:
        return None
    facts, depth = json.loads(picture[PROJECTOR]), picture.get(DEPTH)
    known = depth_in_image(depth) if depth is not None else None
    return Sight(Projector.from_facts(facts), known, int(facts.get(_HIDDEN, 0)))


def depth_of(entry: Any) -> np.ndarray:
    """(H, W) float32 metres: how far the projector of an entry of the scene's list saw."""
    depth = depth_in(entry.group)
    assert depth is not None
    return depth_in_image(depth)


def sight_of_now(scene: bpy.types.Scene, camera: bpy.types.Object, shape: tuple[int, int]) -> Sight:
    """What a camera sees now, for a panorama all around, rendered; for a picture of (height, width).

    Raises what a label pass raises.
    """
    around = settings(scene).placement == "PANORAMA"
    with borrowed(scene, camera=camera):
        projector = projector_around(camera) if around else projector_of(scene, camera)
        return Sight(projector, render_label_map(scene, shape, with_depth=True).fine_depth)


def _depth_around(scene: bpy.types.Scene, projector: Projector, shape: tuple[int, int]) -> np.ndarray | None:
    """(H, W) metres: how far all around a projector's place things are now. Raises what a label pass raises."""
    eye = camera_of(scene).copy()
    try:
        eye.animation_data_clear()
        eye.constraints.clear()
        eye.parent = None
        eye.matrix_world = Matrix((*projector.rows, (0, 0, 0, 1))).inverted()
        with borrowed(scene, camera=eye), borrowed(settings(scene), placement="PANORAMA"):
            return render_label_map(scene, shape, with_depth=True).fine_depth
    finally:
        bpy.data.objects.remove(eye)
