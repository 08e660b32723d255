# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports for engines: a panorama's light, a tile's set of pictures, baked things as glTF."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ..engine.exporter import Exporter
from ..engine.plan import ExportPlan, plan_model, plan_panorama, plan_tile
from ..properties import settings
from .in_background import WorksInBackground


class ExportsForEngine(WorksInBackground, ExportHelper):
    """A mixin: implement `plan(context)`, and `name_in(context)`: what the file is called unless users name it."""

    def invoke(self, context, event):
        if not self.filepath:
            beside = bpy.path.abspath("//") if bpy.data.filepath else ""
            self.filepath = f"{beside}{bpy.path.clean_name(self.name_in(context))}{self.filename_ext}"
        return super().invoke(context, event)

    def name_in(self, context) -> str:
        return context.scene.name

    def plan(self, context) -> ExportPlan:
        raise NotImplementedError

    def begin(self, context) -> Exporter:
        return Exporter(context.scene, self.plan(context))

    def land(self, context, work: Exporter) -> str:
        if work.error is not None:
            return ""
        files = work.keep()
        self.report({"INFO"}, f"Wrote {files[0].name}" + (f" and {len(files) - 1} more" * (len(files) > 1)))
        return f"Wrote {len(files)} file{'s' * (len(files) > 1)} into '{files[0].parent.name}'."


class SPADE_OT_export_panorama(ExportsForEngine, bpy.types.Operator):
    """Write the panorama's light as an environment map for engines, and as the faces of a cube. Esc cancels"""

    bl_idname = "spade.export_panorama"
    bl_label = "Export Panorama"

    filter_glob: StringProperty(default="*.hdr;*.exr", options={"HIDDEN"})
    file_format: EnumProperty(
        name="Format",
        description="What kind of file holds the light",
        items=(
            ("HDR", "Radiance (.hdr)", "What every engine takes; exact to half a percent"),
            ("EXR", "OpenEXR (.exr)", "Floats of 32 bits, three times as large"),
        ),
    )
    cubemap: BoolProperty(
        name="Cube Map",
        description="Also the six faces of a cube, named _px, _nx, _py, _ny, _pz and _nz",
        default=True,
    )

    @property
    def filename_ext(self) -> str:
        return f".{self.file_format.lower()}"

    def name_in(self, context) -> str:
        return f"{context.scene.name} panorama"

    def plan(self, context) -> ExportPlan:
        return plan_panorama(context.scene, self.filepath, self.file_format, self.cubemap)


class SPADE_OT_export_tile(ExportsForEngine, bpy.types.Operator):
    """Write the tile as a set of pictures for a surface: albedo, normals and roughness. Esc cancels"""

    bl_idname = "spade.export_tile"
    bl_label = "Export Tile"

    filename_ext = ".png"
    filter_glob: StringProperty(default="*.png", options={"HIDDEN"})
    y_down: BoolProperty(
        name="DirectX Normals",
        description="Green is how far a normal leans down, as Unreal has it, in place of up",
    )

    def name_in(self, context) -> str:
        return settings(context.scene).tile_class

    def plan(self, context) -> ExportPlan:
        return plan_tile(context.scene, self.filepath, self.y_down)


class SPADE_OT_export_baked(ExportsForEngine, bpy.types.Operator):
    """Write the selected baked things with their textures as glTF. Esc cancels"""

    bl_idname = "spade.export_baked"
    bl_label = "Export Baked"

    filter_glob: StringProperty(default="*.glb;*.gltf", options={"HIDDEN"})
    file_format: EnumProperty(
        name="Format",
        description="Whether all is in one file",
        items=(
            ("GLB", "One File (.glb)", "Meshes and textures in one file"),
            ("GLTF_SEPARATE", "Several Files (.gltf)", "Meshes, numbers and textures each in their own"),
        ),
    )

    @property
    def filename_ext(self) -> str:
        return ".glb" if self.file_format == "GLB" else ".gltf"

    def name_in(self, context) -> str:
        return context.object.name if context.object is not None else context.scene.name

    def plan(self, context) -> ExportPlan:
        return plan_model(context, self.filepath, self.file_format)


CLASSES = (SPADE_OT_export_panorama, SPADE_OT_export_tile, SPADE_OT_export_baked)
