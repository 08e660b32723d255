# SPDX-License-Identifier: GPL-3.0-or-later
"""Live painting on and off."""

from __future__ import annotations

import bpy

from ..live.ending import begin, current_live, end
from ..live.painting import refuse_surroundings
from ..place.show import show
from ..properties import settings
from ..scene.view import flat_camera_of, label_map_shape
from ..scene_job import ready_to_paint
from .reports_errors import ReportsErrors


class SPADE_OT_live(ReportsErrors, bpy.types.Operator):
    """Paint what the camera sees while you work, shown over the views only. Generate keeps a picture, Esc ends it"""

    bl_idname = "spade.live"
    bl_label = "Live"

    def run(self, context) -> None:
        if current_live() is not None:
            end()
            return
        scene = context.scene
        refuse_surroundings(scene)
        flat_camera_of(scene)
        ready_to_paint(scene, label_map_shape(scene))
        if settings(scene).show == "PICTURE":
            show(scene, "BLOCKS")  # what is hidden cannot be moved
        begin(scene)


class SPADE_OT_end_live(ReportsErrors, bpy.types.Operator):
    """End live painting"""

    bl_idname = "spade.end_live"
    bl_label = "End Live"

    @classmethod
    def poll(cls, context) -> bool:
        return current_live() is not None

    def run(self, context) -> None:
        end()


CLASSES = (SPADE_OT_live, SPADE_OT_end_live)
