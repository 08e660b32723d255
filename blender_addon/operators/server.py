# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and stopping the server, and reading what it printed."""

from __future__ import annotations

import bpy

from ..preferences import SpadePreferences
from ..session import current_session
from ..sidebar import redraw
from ..timer import wake
from .reports_errors import ReportsErrors

CONSOLE_LINES = 24


class SPADE_OT_start_server(ReportsErrors, bpy.types.Operator):
    """Connect to the server; start one on this computer if none runs"""

    bl_idname = "spade.start_server"
    bl_label = "Start Server"

    def run(self, context) -> None:
        current_session().dismiss()
        current_session().connect()
        wake()


class SPADE_OT_stop_server(ReportsErrors, bpy.types.Operator):
    """Disconnect, and stop the server if Blender started it"""

    bl_idname = "spade.stop_server"
    bl_label = "Stop Server"

    def run(self, context) -> None:
        current_session().disconnect()
        wake()  # the server is seen off by the timer
        redraw()


class SPADE_OT_show_console(ReportsErrors, bpy.types.Operator):
    """What the server printed last"""

    bl_idname = "spade.show_console"
    bl_label = "Server Console"

    def invoke(self, context, event):
        return context.window_manager.invoke_popup(self, width=640)

    def run(self, context) -> None:
        self.report({"INFO"}, current_session().connection.console() or "The server printed nothing")

    def draw(self, context) -> None:
        column = self.layout.column(align=True)
        lines = current_session().connection.console().splitlines()[-CONSOLE_LINES:]
        for line in lines or ["The server printed nothing."]:
            column.label(text=line)


class SPADE_OT_open_preferences(ReportsErrors, bpy.types.Operator):
    """Open the preferences of this add-on"""

    bl_idname = "spade.open_preferences"
    bl_label = "Preferences"

    def run(self, context) -> None:
        bpy.ops.preferences.addon_show(module=SpadePreferences.bl_idname)


CLASSES = (SPADE_OT_start_server, SPADE_OT_stop_server, SPADE_OT_show_console, SPADE_OT_open_preferences)
