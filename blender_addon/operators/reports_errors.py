# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of our operators: what goes wrong is in the panel as a sentence and a fix, never as a traceback."""

from __future__ import annotations

import logging

import bpy

from ..contract.errors import InternalError, SpadeError
from ..session import current_session
from ..sidebar import redraw

_log = logging.getLogger(__name__)


class ReportsErrors:
    """A mixin: implement `run(context)`; raise SpadeError for anything the user should know."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.reporting_errors(self.run, context)

    def reporting_errors(self, action, context: bpy.types.Context) -> set[str]:
        """Run `action(context)`; returns its result, or {"CANCELLED"} after showing its error."""
        try:
            result = action(context) or {"FINISHED"}
        except SpadeError as problem:
            return self.show_error(problem)
        except Exception as problem:
            _log.exception("%s failed", self.bl_idname)
            sentence = f"This did not work because of a fault in the add-on ({type(problem).__name__})."
            return self.show_error(
                InternalError(sentence, fix="Please report it with what the system console says.")
            )
        session = current_session()
        if session.error is not None and session.failed_operator == type(self).bl_idname:
            session.dismiss()  # what did not work then works now
        return result

    def run(self, context: bpy.types.Context) -> set[str] | None:
        raise NotImplementedError

    def show_error(self, problem: SpadeError) -> set[str]:
        """Show an error in the panel. Scripts get it as the RuntimeError that Blender makes of an ERROR report."""
        current_session().show(problem, type(self).bl_idname)
        redraw()
        # In the GUI the panel says it; a popup on top would only be in the way.
        self.report({"ERROR"} if bpy.app.background else {"WARNING"}, str(problem))
        return {"CANCELLED"}


class SPADE_OT_dismiss_error(ReportsErrors, bpy.types.Operator):
    """Hide this message"""

    bl_idname = "spade.dismiss_error"
    bl_label = "Dismiss"

    def run(self, context) -> None:
        current_session().dismiss()


CLASSES = (SPADE_OT_dismiss_error,)
