# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing two results: one image of both, and a border between them that follows the mouse."""

from __future__ import annotations

import bpy
from bpy.props import FloatProperty, StringProperty

from ..contract.errors import BadImageError
from ..history.comparison import NAME, compare, compared
from ..history.records import results
from ..place.placement import placed_picture
from .history import OfResult, named_result
from .reports_errors import ReportsErrors


class SPADE_OT_compare(OfResult, bpy.types.Operator):
    """Compare this picture (left) with the one that is placed (right), in an Image Editor"""

    bl_idname = "spade.compare"
    bl_label = "Compare"
    bl_options = {"REGISTER"}

    other: StringProperty(
        name="With", description="Name of the image on the right; empty for the one that is placed"
    )
    share: FloatProperty(
        name="Border",
        description="How much of the first picture is seen, from the left; the rest is of the second",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )

    def run(self, context) -> None:
        first = self.result(context)
        second = named_result(self.other) if self.other else _another(context.scene, first)
        show_in_editor(context, compare(first, second, self.share))


class SPADE_OT_wipe(ReportsErrors, bpy.types.Operator):
    """Let the border between the two pictures follow the mouse; a click ends it"""

    bl_idname = "spade.wipe"
    bl_label = "Wipe"

    @classmethod
    def poll(cls, context) -> bool:
        space = context.space_data
        return isinstance(space, bpy.types.SpaceImageEditor) and bool(compared(space.image))

    def invoke(self, context, event):
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set("Move the mouse: wipe    Click: done")
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        pair = compared(bpy.data.images.get(NAME))
        if not pair or event.type in {"LEFTMOUSE", "RIGHTMOUSE", "ESC", "RET"}:
            context.workspace.status_text_set(None)
            return {"FINISHED"}
        if event.type == "MOUSEMOVE" and context.area is not None:
            region = next(each for each in context.area.regions if each.type == "WINDOW")
            share, _ = region.view2d.region_to_view(event.mouse_x - region.x, 0)
            compare(pair[0], pair[1], min(max(share, 0.0), 1.0))
            context.area.tag_redraw()
        return {"RUNNING_MODAL"} if event.type == "MOUSEMOVE" else {"PASS_THROUGH"}


def show_in_editor(context: bpy.types.Context, image: bpy.types.Image) -> None:
    """Show an image in an Image Editor, in a new window where none is open; nothing without windows."""
    if bpy.app.background:
        return
    areas = [area for window in context.window_manager.windows for area in window.screen.areas]
    area = next((area for area in areas if area.type == "IMAGE_EDITOR"), None)
    if area is None:
        bpy.ops.wm.window_new()
        area = context.window_manager.windows[-1].screen.areas[0]
        area.type = "IMAGE_EDITOR"
    space = area.spaces.active
    assert isinstance(space, bpy.types.SpaceImageEditor)
    space.image = image
    area.tag_redraw()


def _another(scene: bpy.types.Scene, first: bpy.types.Image) -> bpy.types.Image:
    """The picture that is placed, or where that is the first one itself, the newest other."""
    placed = placed_picture(scene, scene.camera) if scene.camera is not None else None
    others = [image for image in (placed, *results()) if image is not None and image != first]
    if not others:
        raise BadImageError("There is no other picture to compare with.", "Generate one with another seed.")
    return others[0]


CLASSES = (SPADE_OT_compare, SPADE_OT_wipe)
