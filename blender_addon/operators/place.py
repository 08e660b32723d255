# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that wait behind no scene, and seeing what was placed."""

from __future__ import annotations

import bpy

from ..place.backdrop import backdrop_of
from ..place.picture import place_picture
from ..session import current_session
from .reports_errors import ReportsErrors


class SPADE_OT_place_kept(ReportsErrors, bpy.types.Operator):
    """Place the picture that waits behind this scene"""

    bl_idname = "spade.place_kept"
    bl_label = "Place Here"

    def run(self, context) -> None:
        session = current_session()
        for job in session.board.finished[-1:]:
            job.error = None
            session.dismiss()
            place_picture(session.board, job, context.scene)


class SPADE_OT_discard_kept(ReportsErrors, bpy.types.Operator):
    """Throw the picture that waits away"""

    bl_idname = "spade.discard_kept"
    bl_label = "Discard"

    def run(self, context) -> None:
        session = current_session()
        for job in session.board.finished[-1:]:
            session.board.discard(job)
        session.dismiss()


class SPADE_OT_show_backdrop(ReportsErrors, bpy.types.Operator):
    """Look through the camera and show materials: solid view does not show pictures"""

    bl_idname = "spade.show_backdrop"
    bl_label = "Show Backdrop"

    @classmethod
    def poll(cls, context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"

    def run(self, context) -> None:
        context.space_data.shading.type = "MATERIAL"
        context.space_data.region_3d.view_perspective = "CAMERA"


def is_hidden_by_view(context: bpy.types.Context) -> bool:
    """Whether the scene has a backdrop for its camera, which this view does not show."""
    scene, view = context.scene, context.space_data
    if scene.camera is None or not isinstance(view, bpy.types.SpaceView3D):
        return False
    shading = view.shading
    shows = shading.type not in {"SOLID", "WIREFRAME"} or (
        shading.type == "SOLID" and shading.color_type == "TEXTURE"
    )
    return not shows and backdrop_of(scene, scene.camera) is not None


CLASSES = (SPADE_OT_place_kept, SPADE_OT_discard_kept, SPADE_OT_show_backdrop)
