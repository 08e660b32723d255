# SPDX-License-Identifier: GPL-3.0-or-later
"""Bake: what is projected on the selected things becomes image textures by their UV maps."""

from __future__ import annotations

import time

import bpy
from bpy.props import BoolProperty, EnumProperty

from ..bake.baked import show_baked
from ..bake.baker import Baker
from ..bake.plan import SIZES, plan_bake
from ..bake.running import running_bake, start_bake, stop_bake, take_bake
from ..place.projection.materials import remove_baked
from ..sidebar import redraw
from .reports_errors import ReportsErrors

LITTLE = 0.5
"""Where a projection reaches less of a thing's texels, it is said."""
_STEP_S = 0.1


class SPADE_OT_bake(ReportsErrors, bpy.types.Operator):
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
        return context.window_manager.invoke_props_dialog(self)

    def execute(self, context):
        return self.reporting_errors(self.wait if bpy.app.background else self.start, context)

    def start(self, context) -> set[str]:
        """With a window: the other Blender works, and Esc ends it."""
        self.begin(context)
        manager = context.window_manager
        self.clock = manager.event_timer_add(_STEP_S, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event):
        baker = running_bake()
        if baker is None:  # another file was loaded
            return self.leave(context, {"CANCELLED"})
        baker.step()
        if event.type == "ESC" and event.value == "PRESS":
            stop_bake()
            return self.leave(context, {"CANCELLED"})
        if not baker.has_ended:
            redraw()
            return {"PASS_THROUGH"}
        return self.leave(context, self.reporting_errors(self.land, context))

    def leave(self, context, result: set[str]) -> set[str]:
        context.window_manager.event_timer_remove(self.clock)
        redraw()
        return result

    def wait(self, context) -> None:
        """The way of scripts: return when the textures are shown."""
        baker = self.begin(context)
        try:
            while not baker.has_ended:
                baker.step()
                time.sleep(0.01)
        finally:
            if not baker.has_ended:
                stop_bake()
        self.land(context)

    def begin(self, context) -> Baker:
        """Check, and start it. Raises SpadeError."""
        plan = plan_bake(context, int(self.size), self.new_uv_map, self.surface)
        return start_bake(context.scene, plan)

    def land(self, context) -> None:
        """Show what was baked; say how much of it no projection reaches. Raises SpadeError."""
        baker = take_bake()
        assert baker is not None
        maps = dict(baker.plan.things)
        for baked in baker.baked:
            if show_baked(baked, maps[baked.name]) is not None and baked.seen < LITTLE:
                self.report(
                    {"WARNING"},
                    f"A projection reaches {baked.seen:.0%} of the texels of '{baked.name}'; the rest is made up "
                    "from the colours around. Project it from more sides first.",
                )
        if baker.baked:
            bpy.ops.ed.undo_push(message="Bake to Textures")
        if baker.error is not None:
            raise baker.error


class SPADE_OT_remove_baked(ReportsErrors, bpy.types.Operator):
    """Give the selected things their own materials back; the textures stay beside the .blend"""

    bl_idname = "spade.remove_baked"
    bl_label = "Remove Baked"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        remove_baked(context.selected_objects)


CLASSES = (SPADE_OT_bake, SPADE_OT_remove_baked)
