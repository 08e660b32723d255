# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing the label map to a file: ids in a grey PNG, for the command line and for training pairs."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from ..contract.errors import CannotWriteError
from ..scene.label_pass import render_label_map
from ..scene.label_rules import scene_label_set
from ..scene.png import png
from ..scene.view import label_map_shape
from .reports_errors import ReportsErrors


class SPADE_OT_export_label_map(ReportsErrors, ExportHelper, bpy.types.Operator):
    """Write the labels the camera sees as a PNG of class ids, or which object each pixel shows"""

    bl_idname = "spade.export_label_map"
    bl_label = "Export Label Map"

    filename_ext = ".png"
    filter_glob: bpy.props.StringProperty(default="*.png", options={"HIDDEN"})
    colored: bpy.props.BoolProperty(
        name="Class Colours", description="A picture for people, in the colours of the classes, and no ids"
    )
    objects: bpy.props.BoolProperty(
        name="Objects",
        description="Numbers of objects in place of classes, for models that look at the borders between them",
    )

    def run(self, context) -> None:
        scene = context.scene
        taken = render_label_map(scene, label_map_shape(scene), with_objects=self.objects)
        pixels = scene_label_set(scene).colorize(taken.label_map) if self.colored else taken.label_map
        if taken.instance_map is not None:
            pixels = taken.instance_map
        path = Path(bpy.path.abspath(self.filepath))
        try:
            path.write_bytes(png(pixels))
        except OSError as problem:
            raise CannotWriteError(
                f"'{path.name}' cannot be written: {problem.strerror}.",
                fix="Choose a folder you may write to.",
            ) from None
        self.report({"INFO"}, f"Wrote {path.name}")


CLASSES = (SPADE_OT_export_label_map,)
