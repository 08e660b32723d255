# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing the server from Blender, and removing it again."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import bpy

from ..contract.errors import CancelledError, SpadeError, UnavailableError
from ..folders import server_root
from ..install.installation import InstallState
from ..install.installer import current_installer
from ..install.plan import Plan, plan_from_folder, plan_from_network
from ..install.wheels import bundled_wheel
from ..preferences import how_to_go_online
from ..session import current_session
from ..timer import redraw, run_until, wake
from .reports_errors import ReportsErrors

# A script waits this long: gigabytes come over slow lines, too.
SCRIPT_PATIENCE_S = 3600.0
WIDTH, LETTERS = 460, 68  # of the dialog, in points, and of a line in it


class SPADE_OT_install_server(ReportsErrors, bpy.types.Operator):
    """Install the server that paints the pictures on this computer, in a folder of Blender's own, or update it"""

    bl_idname = "spade.install_server"
    bl_label = "Install Server"

    wheels: bpy.props.StringProperty(
        name="Folder of Wheels",
        description="Take every package from this folder and none from the network. Empty: download them",
        subtype="DIR_PATH",
    )
    _was_asked = False

    def invoke(self, context, event):
        self._was_asked = True
        return context.window_manager.invoke_props_dialog(self, width=WIDTH, confirm_text="Install")

    def draw(self, context) -> None:
        """What is going to happen, or why it cannot."""
        layout: Any = self.layout
        try:
            icon, sentence = "INFO", self.plan().sentence
        except SpadeError as problem:
            icon, sentence = "ERROR", str(problem)
        column = layout.column(align=True)
        column.alert = icon == "ERROR"
        for number, line in enumerate(textwrap.wrap(sentence, LETTERS)):
            column.label(text=line, icon="BLANK1" if number else icon)
        layout.use_property_split = True
        layout.prop(self, "wheels")

    def run(self, context) -> None:
        """Begin; a script, which has no timer, gets it installed before this returns."""
        current_session().dismiss()
        running = current_installer().start(self.plan())
        wake()
        if self._was_asked:
            return
        if not run_until(lambda: running.has_ended, SCRIPT_PATIENCE_S):
            running.cancel()
            raise UnavailableError(
                f"The server was not installed in {SCRIPT_PATIENCE_S:.0f} s.", fix="Try again."
            )
        if running.error is not None:
            raise running.error
        if running.state is InstallState.CANCELLED:
            raise CancelledError("The installation was cancelled.", fix="Press Install Server again.")

    def plan(self) -> Plan:
        """What would be installed with this choice. Raises SpadeError."""
        if self.wheels.strip():
            return plan_from_folder(
                server_root(), bundled_wheel(), Path(bpy.path.abspath(self.wheels.strip()))
            )
        fix = f"{how_to_go_online()} Or choose a folder of wheels."
        return plan_from_network(server_root(), bundled_wheel(), bpy.app.online_access, fix)


class SPADE_OT_cancel_install(ReportsErrors, bpy.types.Operator):
    """Stop installing; what was there before stays"""

    bl_idname = "spade.cancel_install"
    bl_label = "Cancel Installing"

    def run(self, context) -> None:
        running = current_installer().running
        if running is not None:
            running.cancel()
        redraw()


class SPADE_OT_remove_server(ReportsErrors, bpy.types.Operator):
    """Remove the server that Blender installed, and give its disk space back"""

    bl_idname = "spade.remove_server"
    bl_label = "Remove Server"

    def invoke(self, context, event):
        return context.window_manager.invoke_confirm(self, event)

    def run(self, context) -> None:
        current_session().remove_server()
        wake()  # a server that ran is seen off by the timer
        redraw()


CLASSES = (SPADE_OT_install_server, SPADE_OT_cancel_install, SPADE_OT_remove_server)
