# SPDX-License-Identifier: GPL-3.0-or-later
"""A zip for whoever helps."""

from __future__ import annotations

import platform
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import bpy

from ..bridge.diagnostics import DOCTOR_PATIENCE_S, Diagnostics, Evidence, doctor_of
from ..contract.errors import BusyError, SpadeError
from ..contract.version import PROTOCOL_MINOR, VERSION
from ..folders import user_folder
from ..install.installer import current_installer
from ..install.wheels import bundled_version
from ..preferences import preferences, server_command
from ..session import current_session
from ..timer import run_until, wake
from .reports_errors import ReportsErrors


class SPADE_OT_save_diagnostics(ReportsErrors, bpy.types.Operator):
    """Save a zip with versions, settings, the server's logs and what its doctor says, for somebody who helps"""

    bl_idname = "spade.save_diagnostics"
    bl_label = "Save Diagnostics"

    filepath: bpy.props.StringProperty(
        name="File", description="The zip to write", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    filter_glob: bpy.props.StringProperty(
        name="Filter", description="Which files the browser shows", default="*.zip", options={"HIDDEN"}
    )
    _was_asked = False

    def invoke(self, context, event):
        self._was_asked = True
        self.filepath = f"spade-diagnostics-{datetime.now():%Y-%m-%d-%H%M}.zip"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context) -> None:
        """Begin; a script, which has no timer, gets it written before this returns."""
        session = current_session()
        if session.diagnostics is not None:
            raise BusyError("Diagnostics are being written already.", fix="Wait a moment.")
        file = Path(bpy.path.abspath(self.filepath or "//spade-diagnostics.zip")).with_suffix(".zip")
        session.diagnostics = writing = Diagnostics(file, evidence())
        wake()
        if not self._was_asked:
            run_until(lambda: writing.has_ended, DOCTOR_PATIENCE_S + 10)
            if writing.error is not None:
                raise writing.error


def evidence() -> Evidence:
    """What is known, and where the rest lies."""
    log = current_installer().log
    try:
        command = server_command()
    except SpadeError as problem:
        command, why = (), str(problem)
    else:
        why = ""
    logs = [*user_folder().glob("server-*.log"), *([log] if log.is_file() else [])]
    return Evidence(_facts(command, why), logs, doctor_of(command) if command else ())


def _facts(command: tuple[str, ...], why_no_command: str) -> dict[str, Any]:
    session, chosen = current_session(), preferences()
    connection, installed = session.connection, current_installer().installed
    errors = [str(error) for error in (session.error, connection.error) if error is not None]
    return {
        "blender": bpy.app.version_string,
        "background": bpy.app.background,
        "python": sys.version,
        "system": platform.platform(),
        "add-on": VERSION,
        "protocol": PROTOCOL_MINOR,
        "online access": bpy.app.online_access,
        "server inside": bundled_version(),
        "installed": vars(installed) if installed else None,
        "server command": list(command) or why_no_command,
        "preferences": {
            "server": chosen.server if chosen else "",
            "address": chosen.server_address if chosen else "",
            "key file": "chosen" if chosen and chosen.server_key_file else "none",
        },
        "state": connection.state.value,
        "welcome": connection.welcome,
        "errors": errors,
    }


CLASSES = (SPADE_OT_save_diagnostics,)
