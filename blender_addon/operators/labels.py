# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving labels: to what is selected, to the active material or collection, or to everything by its name."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from ..contract.errors import NothingLabelledError
from ..scene import label_rules
from ..scene.label_table import has_labels
from .reports_errors import ReportsErrors
from .swatches import class_items

KINDS = (
    ("OBJECT", "Objects", "The selected objects"),
    ("MATERIAL", "Material", "Every surface with the active material"),
    ("COLLECTION", "Collection", "Everything in the active collection"),
)


def targets(context: bpy.types.Context, kind: str) -> list[label_rules.LabelTarget]:
    """What a label of this kind would be given to, now."""
    if kind == "OBJECT":
        chosen: list[label_rules.LabelTarget] = list(context.selected_objects)
        return chosen or ([context.object] if context.object else [])
    if kind == "MATERIAL":
        material = context.object.active_material if context.object else None
        return [material] if material else []
    collection = context.collection
    # The scene's own collection has no label: that would be the background's.
    return [collection] if collection and collection != context.scene.collection else []


class SPADE_OT_assign_label(ReportsErrors, bpy.types.Operator):
    """Label what is selected"""

    bl_idname = "spade.assign_label"
    bl_label = "Assign Label"
    bl_options = {"REGISTER", "UNDO"}

    kind: EnumProperty(name="Kind", description="What gets the label", items=KINDS, options={"SKIP_SAVE"})
    class_name: StringProperty(name="Class", description="What it shows")

    def run(self, context):
        found = targets(context, self.kind)
        if not found:
            raise NothingLabelledError("Nothing is selected to label.", fix="Select an object first.")
        label_rules.assign_all(context.scene, found, self.class_name)


class SPADE_OT_search_label(ReportsErrors, bpy.types.Operator):
    """Label what is selected: type to find the class"""

    bl_idname = "spade.search_label"
    bl_label = "Assign Label"
    bl_options = {"REGISTER", "UNDO"}
    bl_property = "class_name"

    kind: EnumProperty(name="Kind", description="What gets the label", items=KINDS, options={"SKIP_SAVE"})
    class_name: EnumProperty(name="Class", description="What it shows", items=class_items)

    def invoke(self, context, event):
        context.window_manager.invoke_search_popup(self)
        return {"RUNNING_MODAL"}

    def run(self, context):
        label_rules.assign_all(context.scene, targets(context, self.kind), self.class_name)


class SPADE_OT_clear_label(ReportsErrors, bpy.types.Operator):
    """Take the label away"""

    bl_idname = "spade.clear_label"
    bl_label = "Clear Label"
    bl_options = {"REGISTER", "UNDO"}

    kind: EnumProperty(name="Kind", description="What gets the label", items=KINDS, options={"SKIP_SAVE"})

    def run(self, context):
        label_rules.assign_all(context.scene, targets(context, self.kind), None)


class SPADE_OT_auto_assign(ReportsErrors, bpy.types.Operator):
    """Label objects, materials and collections whose names say what they are"""

    bl_idname = "spade.auto_assign"
    bl_label = "Label by Name"
    bl_options = {"REGISTER", "UNDO"}

    overwrite: BoolProperty(
        name="Overwrite", description="Replace labels that were given by hand", default=False
    )

    def run(self, context):
        given = label_rules.auto_assign(context.scene, overwrite=self.overwrite)
        if not given and not has_labels(context.scene, label_rules.scene_label_set(context.scene)):
            raise NothingLabelledError(
                "No name in the scene says what a thing is.",
                fix="Rename objects or collections (Hill, Pine tree, River), or label them by hand.",
            )
        names = ", ".join(f"{each.target.name}: {each.class_name}" for each in given[:4])
        more = f" and {len(given) - 4} more" if len(given) > 4 else ""
        self.report({"INFO"}, f"Labelled {names}{more}" if given else "Nothing new to label")


CLASSES = (
    SPADE_OT_assign_label,
    SPADE_OT_search_label,
    SPADE_OT_clear_label,
    SPADE_OT_auto_assign,
)
