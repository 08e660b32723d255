# SPDX-License-Identifier: GPL-3.0-or-later
"""One region again: a class, what is selected, or what was painted white, with another seed or style."""

from __future__ import annotations

import time
from dataclasses import replace

import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..bridge.jobs import Job
from ..bridge.repaint import Repaint, feathered
from ..contract.errors import BadImageError, BadOptionError
from ..history.records import request_of
from ..place.placement import kind_of, placed_picture
from ..place.viewport import pressed_in
from ..properties import settings
from ..scene.label_pass import render_label_map
from ..scene.view import flat_camera_of
from ..session import current_session
from ..style.reference import rgb_of
from ..style.wanted import wanted_style
from ..timer import wake
from .history import named_result
from .reports_errors import ReportsErrors
from .waiting import wait_for_picture


class SPADE_OT_paint_region(ReportsErrors, bpy.types.Operator):
    """Paint a part of the picture again, with another seed or style; the rest stays as it is, to the byte"""

    bl_idname = "spade.paint_region"
    bl_label = "Paint Region Again"

    name: StringProperty(name="Picture", description="Name of the image; empty for the one that is placed")
    by: EnumProperty(
        name="Region",
        description="Which part is painted again",
        items=(
            ("CLASS", "Class", "All that is of one class"),
            ("SELECTED", "Selected Objects", "Where the camera sees the selected objects"),
            ("MASK", "Mask", "Where an image is white"),
        ),
    )
    class_name: StringProperty(name="Class", description="Which class is painted again")
    mask: StringProperty(name="Mask", description="Name of an image that is white where it is painted again")
    seed: IntProperty(name="Seed", description="The seed of the part", min=0)
    new_style: BoolProperty(
        name="In the Scene's Style", description="In the style of the Style panel, not in that of the picture"
    )
    feather: FloatProperty(
        name="Feather",
        description="Over how much of the picture's height, outside the region, new goes over into old",
        default=0.02,
        min=0.0,
        max=0.5,
        subtype="FACTOR",
    )

    def invoke(self, context, event):
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context):
        return self.reporting_errors(self.run if bpy.app.background else self.start, context)

    def start(self, context) -> None:
        """Send it off; the timer does the rest."""
        self.submit(context).pressed_in = pressed_in(context)
        wake()

    def run(self, context) -> None:
        """The way of scripts: return when the picture is placed, raise when there is none."""
        wait_for_picture(self.submit(context))

    def submit(self, context) -> Job:
        """Raises BadOptionError, BadImageError, and what a generation does."""
        scene, session, began = context.scene, current_session(), time.monotonic()
        session.dismiss()
        picture = named_result(self.name) if self.name else placed_picture(scene, flat_camera_of(scene))
        if picture is None:
            raise BadOptionError("No picture is placed.", "Generate one first, or choose one in the history.")
        if kind_of(picture):
            raise BadOptionError(
                "A panorama or a tile is painted as a whole.", "Generate it with another seed."
            )
        request, base = request_of(picture, scene), rgb_of(picture)
        region = self._region(scene, request.label_map, request.label_set, base.shape[:2])
        if not region.any():
            raise BadOptionError("The region is empty: nothing would change.", "Choose another one.")
        width = round(self.feather * base.shape[0])
        request = replace(
            request, seed=self.seed, made_with=None,
            repaint=Repaint(base, feathered(region, width), picture.name),
        )  # fmt: skip
        if self.new_style:
            style = wanted_style(scene)
            request = replace(
                request, style=style.style, strength=style.strength, style_facts=style.facts,
                placed_styles=style.placed, softness=style.softness,
            )  # fmt: skip
        session.connect()
        return session.board.add(request, began)

    def _region(self, scene, label_map, label_set, size) -> np.ndarray:
        """(H, W) bool, of the picture's size."""
        if self.by == "CLASS":
            entry = label_set.class_named(self.class_name)
            if entry is None:
                raise BadOptionError(
                    f"The picture's label set has no class '{self.class_name}'.", "Choose one of its classes."
                )
            found = label_map == entry.id
        elif self.by == "SELECTED":
            found = _seen_selected(scene, label_map.shape)
        else:
            image = bpy.data.images.get(self.mask)
            if image is None:
                raise BadImageError(f"There is no image '{self.mask}'.", "Paint a mask, and name it.")
            found = rgb_of(image).mean(2) > 127
        rows = np.arange(size[0]) * found.shape[0] // size[0]
        return found[rows[:, None], np.arange(size[1]) * found.shape[1] // size[1]]


def _seen_selected(scene: bpy.types.Scene, shape: tuple[int, int]) -> np.ndarray:
    """Where the camera sees the selected objects: what is farther away, or another class, without them."""
    # Blocks that Show has hidden are seen as the user shows them.
    hidden = {each.object: each for each in settings(scene).hidden_blocks}
    chosen = [hidden.get(thing, thing) for thing in bpy.context.selected_objects]
    chosen = [each for each in chosen if not each.hide_render]
    if not chosen:
        raise BadOptionError(
            "No object is selected that renders show.", "Show Both, and select what is to be painted again."
        )
    whole = render_label_map(scene, shape)
    try:
        for each in chosen:
            each.hide_render = True
        without = render_label_map(scene, shape)
    finally:
        for each in chosen:
            each.hide_render = False
    return (whole.depth != without.depth) | (whole.label_map != without.label_map)


CLASSES = (SPADE_OT_paint_region,)
