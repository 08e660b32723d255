# SPDX-License-Identifier: GPL-3.0-or-later
"""Bake: what is projected on the selected things becomes image textures by their UV maps."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty

from ..bake.baked import show_baked
from ..bake.baker import Baker
from ..bake.plan import SIZES, lacks_uv_map, plan_bake, take_back_uv_maps
from ..place.projection.materials import remove_baked
from .in_background import WorksInBackground
from .reports_errors import ReportsErrors

LITTLE = 0.5
"""Where a projection reaches less of a thing's texels, it is said."""


class SPADE_OT_bake(WorksInBackground, bpy.types.Operator):
    """Turn what is projected on the selected things into textures beside the .blend, and show these. Esc cancels"""

    bl_idname = "spade.bake"
    bl_label = "Bake to Textures"

    size: EnumProperty(
        name="Size",
        description="Texels of a texture's side",
        items=[(str(size), str(size), "") for size in SIZES],
        default="1024",
    )
    new_uv_map: BoolProperty(
        name="New UV Map",
        description="Unwrap each thing into a UV map of its own; else the one that renders use is baked to",
    )
    surface: BoolProperty(
        name="Roughness and Normals", description="Guess these from the colours, too", default=True
    )

    def invoke(self, context, event):
        self.new_uv_map = self.new_uv_map or any(map(lacks_uv_map, context.selected_objects))
        return context.window_manager.invoke_props_dialog(self)

    def begin(self, context) -> Baker:
        return Baker(context.scene, plan_bake(context, int(self.size), self.new_uv_map, self.surface))

    def give_back(self, work: Baker) -> None:
        take_back_uv_maps(work.plan)

    def land(self, context, work: Baker) -> str:
        """Show what was baked; say how much of it no projection reaches."""
        maps = dict(work.plan.things)
        for baked in work.keep():
            if show_baked(baked, maps[baked.name]) is not None and baked.seen < LITTLE:
                self.report(
                    {"WARNING"},
                    f"A projection reaches {baked.seen:.0%} of the texels of '{baked.name}'; the rest is made up "
                    "from the colours around. Project it from more sides first.",
                )
        if work.baked:
            bpy.ops.ed.undo_push(message="Bake to Textures")
        count = len(work.baked)
        return f"Baked {count} thing{'s' * (count > 1)} into '{work.plan.folder.name}', beside the file."


class SPADE_OT_remove_baked(ReportsErrors, bpy.types.Operator):
    """Give the selected things their own materials back; the textures stay beside the .blend"""

    bl_idname = "spade.remove_baked"
    bl_label = "Remove Baked"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        remove_baked(context.selected_objects)


CLASSES = (SPADE_OT_bake, SPADE_OT_remove_baked)
