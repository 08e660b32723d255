# SPDX-License-Identifier: GPL-3.0-or-later
"""Label sets from elsewhere: a TOML file, or the set that the server's model was trained on."""

from __future__ import annotations

import bpy
from bpy_extras.io_utils import ImportHelper

from ..bridge import pump
from ..contract.labels import LabelSet, load_label_set, shipped_label_sets
from ..properties import CUSTOM, settings
from .polite import Polite


class SPADE_OT_import_label_set(Polite, ImportHelper, bpy.types.Operator):
    """Use the label set of a TOML file in this scene"""

    bl_idname = "spade.import_label_set"
    bl_label = "Import Label Set"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".toml"
    filter_glob: bpy.props.StringProperty(default="*.toml", options={"HIDDEN"})

    def run(self, context) -> None:
        use_label_set(context.scene, load_label_set(self.filepath))


class SPADE_OT_use_model_label_set(Polite, bpy.types.Operator):
    """Take over the label set that the server's model was trained on"""

    bl_idname = "spade.use_model_label_set"
    bl_label = "Use the Model's Label Set"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        connection = pump.board.connection
        digest = connection.required_model(settings(context.scene).model).label_set_digest
        label_set = shipped_with(digest)
        if label_set is None:
            assert connection.client is not None  # it told of the model
            label_set = connection.client.label_set(digest)
        use_label_set(context.scene, label_set)
        pump.board.error = None


def shipped_with(digest: str) -> LabelSet | None:
    """The shipped label set of this digest, if there is one: no need to ask the server."""
    sets = map(load_label_set, shipped_label_sets())
    return next((each for each in sets if each.digest == digest), None)


def use_label_set(scene: bpy.types.Scene, label_set: LabelSet) -> None:
    """Make this the scene's label set: a shipped one by its name, any other by its text."""
    wanted = settings(scene)
    if shipped_with(label_set.digest) is not None and label_set.name in shipped_label_sets():
        wanted.label_set = label_set.name
        return
    wanted.custom_label_set = label_set.to_toml()
    wanted.label_set = CUSTOM


CLASSES = (SPADE_OT_import_label_set, SPADE_OT_use_model_label_set)
