# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scene may lack: a camera, something to look at, a model that the server has."""

from __future__ import annotations

import bpy

from ..contract.errors import UnavailableError
from ..example.startup_cube import hide_startup_cube
from ..example.valley import build_valley
from ..place.viewport import look_through_camera
from ..properties import settings
from ..scene import label_rules
from ..session import current_session
from .reports_errors import ReportsErrors


class SPADE_OT_add_camera(ReportsErrors, bpy.types.Operator):
    """Add a camera that sees what this view shows, and render through it"""

    bl_idname = "spade.add_camera"
    bl_label = "Add Camera from View"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        lens = bpy.data.cameras.new("Camera")
        camera = bpy.data.objects.new("Camera", lens)
        context.scene.collection.objects.link(camera)
        view = context.region_data if context.area and context.area.type == "VIEW_3D" else None
        if view is not None:
            camera.matrix_world = view.view_matrix.inverted()
            # The view's own sensor is 72 mm wide, a camera's 36.
            lens.lens = context.space_data.lens / 2
            view.view_perspective = "CAMERA"
        context.scene.camera = camera
        current_session().dismiss()


class SPADE_OT_add_example(ReportsErrors, bpy.types.Operator):
    """Add a labelled grey-box valley with a camera, to try things out. Blender's startup cube is hidden"""

    bl_idname = "spade.add_example"
    bl_label = "Add Example Valley"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        hidden = hide_startup_cube(context.scene, context.view_layer)
        build_valley(context.scene)
        label_rules.auto_assign(context.scene)
        look_through_camera(context)
        current_session().dismiss()
        if hidden is not None:
            self.report(
                {"INFO"}, f"'{hidden.name}' stood in the valley and is hidden: the Outliner shows it again"
            )


class SPADE_OT_use_served_model(ReportsErrors, bpy.types.Operator):
    """Use the first model that the server has"""

    bl_idname = "spade.use_served_model"
    bl_label = "Use the Server's Model"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        welcome = current_session().connection.welcome
        if welcome is None or not welcome.models:
            raise UnavailableError("The server is not connected.", fix="Start the server first.")
        settings(context.scene).model = welcome.models[0].name
        current_session().dismiss()


CLASSES = (SPADE_OT_add_camera, SPADE_OT_add_example, SPADE_OT_use_served_model)
