# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that wait behind no scene, how they are placed, and what is seen of blocks and picture."""

from __future__ import annotations

from dataclasses import replace

import bpy

from ..contract.errors import NoCameraError
from ..place.picture import place_picture, wants_layers
from ..place.placement import placed_cameras, remove_placement, switch_placement
from ..place.show import show, show_nothing_placed
from ..place.viewport import look_at_blocks, look_at_picture
from ..properties import PLACEMENTS, SHOWN
from ..scene.view import camera_of, flat_camera_of
from ..session import current_session
from ..timer import wake
from .reports_errors import ReportsErrors


class SPADE_OT_place_kept(ReportsErrors, bpy.types.Operator):
    """Place the picture that waits behind this scene"""

    bl_idname = "spade.place_kept"
    bl_label = "Place Here"

    def run(self, context) -> None:
        session = current_session()
        for job in session.board.finished[-1:]:
            if isinstance(job.error, NoCameraError):
                job.request = replace(job.request, camera_name=flat_camera_of(context.scene).name)
            job.error = None
            session.dismiss()
            place_picture(session.board, job, context.scene)
            if wants_layers(job):
                session.paint_layers(job)
                wake()


class SPADE_OT_discard_kept(ReportsErrors, bpy.types.Operator):
    """Throw the picture that waits away"""

    bl_idname = "spade.discard_kept"
    bl_label = "Discard"

    def run(self, context) -> None:
        session = current_session()
        for job in session.board.finished[-1:]:
            session.board.discard(job)
        session.dismiss()


class SPADE_OT_show(ReportsErrors, bpy.types.Operator):
    """Show the blocks, the picture that was painted from them, or both, in views and in renders"""

    bl_idname = "spade.show"
    bl_label = "Show"
    bl_options = {"REGISTER", "UNDO"}

    what: bpy.props.EnumProperty(
        name="Show",
        description="What is seen of the blocks and of the picture",
        items=SHOWN,
    )

    @classmethod
    def description(cls, context, properties) -> str:
        return next(text for name, _, text in SHOWN if name == properties.what)

    def run(self, context) -> None:
        show(context.scene, self.what)
        if not isinstance(context.space_data, bpy.types.SpaceView3D):
            return
        if self.what == "BLOCKS":
            look_at_blocks(context.space_data)
        else:
            look_at_picture(context.space_data, context.scene)


class SPADE_OT_show_backdrop(ReportsErrors, bpy.types.Operator):
    """Look through the camera and show materials: solid view does not show pictures"""

    bl_idname = "spade.show_backdrop"
    bl_label = "Show Backdrop"

    @classmethod
    def poll(cls, context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"

    def run(self, context) -> None:
        look_at_picture(context.space_data, context.scene)


class SPADE_OT_place_as(ReportsErrors, bpy.types.Operator):
    """Show this scene's pictures in another way; none is lost"""

    bl_idname = "spade.place_as"
    bl_label = "Place As"
    bl_options = {"REGISTER", "UNDO"}

    placement: bpy.props.EnumProperty(
        name="Place As", description="How this scene's pictures are shown", items=PLACEMENTS
    )

    @classmethod
    def description(cls, context, properties) -> str:
        return next(text for name, _, text, _ in PLACEMENTS if name == properties.placement)

    def run(self, context) -> None:
        switch_placement(context.scene, self.placement)


class SPADE_OT_take_away(ReportsErrors, bpy.types.Operator):
    """Take the picture out of the active camera's view: blocks and camera are as they were. The history keeps it"""

    bl_idname = "spade.take_away"
    bl_label = "Take Away"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        scene = context.scene
        remove_placement(scene, camera_of(scene))
        if not placed_cameras(scene):
            show_nothing_placed(scene)


CLASSES = (
    SPADE_OT_place_kept,
    SPADE_OT_discard_kept,
    SPADE_OT_show,
    SPADE_OT_show_backdrop,
    SPADE_OT_place_as,
    SPADE_OT_take_away,
)
