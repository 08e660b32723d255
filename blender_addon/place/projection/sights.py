# SPDX-License-Identifier: GPL-3.0-or-later
"""What a camera saw when a picture's labels were taken: kept with the picture, and found again when it is placed."""

from __future__ import annotations

import json

import bpy

from ...bridge.sight import Projector, Sight
from ...scene.borrow import borrowed
from ...scene.label_pass import render_label_map
from ...scene.projector import projector_of
from .depth_image import depth_image
from .projections import project, refuse_too_many

DEPTH, PROJECTOR = "spade_depth", "spade_projector"
"""Custom properties of a picture: the image of its depth, and its projector as JSON."""


def lay_on_blocks(
    scene: bpy.types.Scene, picture: bpy.types.Image, camera: bpy.types.Object, sight: Sight | None
) -> None:
    """Project a picture by its sight; without one by what the file keeps with it, else by what the camera sees now.

    Raises BadOptionError where there are too many projections, and what a label pass raises.
    """
    hidden = sight.hidden if sight is not None else 0
    refuse_too_many(scene, camera, hidden)
    if sight is not None and sight.depth is not None:
        depth = depth_image(sight.depth, f".Depth {picture.name}")
        picture[DEPTH], picture[PROJECTOR] = depth, json.dumps(sight.projector.to_facts())
    elif picture.get(DEPTH) is None or PROJECTOR not in picture:
        seen = sight_of_now(scene, camera, (picture.size[1], picture.size[0]))
        lay_on_blocks(scene, picture, camera, seen)
        return
    projector = Projector.from_facts(json.loads(picture[PROJECTOR]))
    project(scene, picture, camera, projector, picture[DEPTH], hidden)


def sight_of_now(scene: bpy.types.Scene, camera: bpy.types.Object, shape: tuple[int, int]) -> Sight:
    """What a camera sees now, rendered; for a picture of (height, width). Raises what a label pass raises."""
    with borrowed(scene, camera=camera):
        projector = projector_of(scene, camera)
        return Sight(projector, render_label_map(scene, shape, with_depth=True).fine_depth)
