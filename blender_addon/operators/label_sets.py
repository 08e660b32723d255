# SPDX-License-Identifier: GPL-3.0-or-later
"""Label sets from elsewhere: a TOML file, or the set that the server's model was trained on."""

from __future__ import annotations

import bpy
from bpy_extras.io_utils import ImportHelper

from .. import timer
from ..bridge.question import PATIENCE_S
from ..contract.labels import load_label_set
from ..properties import settings
from ..scene.label_sets import shipped_with, use_label_set
from ..session import WantedLabelSet, current_session
from .reports_errors import ReportsErrors


class SPADE_OT_import_label_set(ReportsErrors, ImportHelper, bpy.types.Operator):
    """Use the label set of a TOML file in this scene"""

    bl_idname = "spade.import_label_set"
    bl_label = "Import Label Set"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".toml"
    filter_glob: bpy.props.StringProperty(default="*.toml", options={"HIDDEN"})

    def run(self, context) -> None:
        use_label_set(context.scene, load_label_set(self.filepath))


class SPADE_OT_use_model_label_set(ReportsErrors, bpy.types.Operator):
    """Take over the label set that the server's model was trained on"""

    bl_idname = "spade.use_model_label_set"
    bl_label = "Use the Model's Label Set"
    bl_options = {"REGISTER"}  # its undo step is pushed when the label set is there

    def invoke(self, context, event):
        return self.reporting_errors(self.start, context)

    def start(self, context) -> None:
        """Ask; the timer takes the answer."""
        want_model_label_set(context)
        timer.wake()

    def run(self, context) -> None:
        """The way of scripts: return when the label set is there, raise when it does not come."""
        wanted = want_model_label_set(context)
        if wanted is None:
            return
        timer.run_until(lambda: current_session().wanted_label_set is not wanted, 2 * PATIENCE_S)
        if wanted.question.error is not None:
            raise wanted.question.error


def want_model_label_set(context: bpy.types.Context) -> WantedLabelSet | None:
    """Take over a label set that is shipped at once, and ask the server for any other; returns what is waited for.

    Raises UnavailableError and UnknownModelError.
    """
    session, scene = current_session(), context.scene
    digest = session.connection.required_model(settings(scene).model).label_set_digest
    session.dismiss()
    label_set = shipped_with(digest)
    if label_set is None:
        return session.want_label_set(scene.session_uid, digest)
    use_label_set(scene, label_set)
    bpy.ops.ed.undo_push(message=SPADE_OT_use_model_label_set.bl_label)
    return None


CLASSES = (SPADE_OT_import_label_set, SPADE_OT_use_model_label_set)
