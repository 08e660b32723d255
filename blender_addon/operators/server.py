# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and stopping the server, and reading what it printed."""

from __future__ import annotations

import bpy

from ..bridge import pump
from ..preferences import SpadePreferences
from .generate import ready_connection
from .polite import Polite

CONSOLE_LINES = 24


class SPADE_OT_start_server(Polite, bpy.types.Operator):
    """Connect to the server; start one on this computer if none runs"""

    bl_idname = "spade.start_server"
    bl_label = "Start Server"

    def run(self, context) -> None:
        pump.board.error = None
        ready_connection()
        pump.wake()


class SPADE_OT_stop_server(Polite, bpy.types.Operator):
    """Disconnect, and stop the server if Blender started it"""

    bl_idname = "spade.stop_server"
    bl_label = "Stop Server"

    def run(self, context) -> None:
        for job in pump.board.live:
            pump.board.cancel(job)
        pump.board.connection.close()
        pump.redraw()


class SPADE_OT_show_console(Polite, bpy.types.Operator):
    """What the server printed last"""

    bl_idname = "spade.show_console"
    bl_label = "Server Console"

    def invoke(self, context, event):
        return context.window_manager.invoke_popup(self, width=640)

    def run(self, context) -> None:
        self.report({"INFO"}, pump.board.connection.console() or "The server printed nothing")

    def draw(self, context) -> None:
        column = self.layout.column(align=True)
        lines = pump.board.connection.console().splitlines()[-CONSOLE_LINES:]
        for line in lines or ["The server printed nothing."]:
            column.label(text=line)


class SPADE_OT_open_preferences(Polite, bpy.types.Operator):
    """Open the preferences of this add-on"""

    bl_idname = "spade.open_preferences"
    bl_label = "Preferences"

    def run(self, context) -> None:
        bpy.ops.preferences.addon_show(module=SpadePreferences.bl_idname)


CLASSES = (SPADE_OT_start_server, SPADE_OT_stop_server, SPADE_OT_show_console, SPADE_OT_open_preferences)
