# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of our operators: what goes wrong lands in the panel as a sentence and a fix, never as a
traceback.
"""

from __future__ import annotations

import logging

import bpy

from ..bridge import pump
from ..contract.errors import Internal, SpadeError

_log = logging.getLogger(__name__)


class Polite:
    """A mixin: implement `run(context)`; raise SpadeError for anything the user should know."""

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self.attempt(self.run, context)

    def attempt(self, action, context: bpy.types.Context) -> set[str]:
        """Run `action(context)`; returns its result, or {"CANCELLED"} after showing its error."""
        try:
            return action(context) or {"FINISHED"}
        except SpadeError as problem:
            return self.refuse(problem)
        except Exception as problem:
            _log.exception("%s failed", self.bl_idname)
            sentence = f"This did not work because of a fault in the add-on ({type(problem).__name__})."
            return self.refuse(Internal(sentence, fix="Please report it with what the system console says."))

    def run(self, context: bpy.types.Context) -> set[str] | None:
        raise NotImplementedError

    def refuse(self, problem: SpadeError) -> set[str]:
        """Show an error in the panel. Scripts get it as the RuntimeError that Blender makes of an ERROR
        report.
        """
        pump.board.error = problem
        pump.redraw()
        # in the GUI the panel says it; a popup on top would only be in the way
        self.report({"ERROR"} if bpy.app.background else {"WARNING"}, str(problem))
        return {"CANCELLED"}


class SPADE_OT_dismiss_error(Polite, bpy.types.Operator):
    """Hide this message"""

    bl_idname = "spade.dismiss_error"
    bl_label = "Dismiss"

    def run(self, context) -> None:
        pump.board.error = None


CLASSES = (SPADE_OT_dismiss_error,)
