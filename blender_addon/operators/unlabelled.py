# SPDX-License-Identifier: GPL-3.0-or-later
"""What has no label: selecting it, and saying what it is."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, StringProperty

from ..contract.errors import BadLabelError
from ..scene import label_rules
from ..scene.label_overview import overview
from ..scene.unlabelled import unlabelled_with_shares
from .reports_errors import ReportsErrors
from .swatches import class_items


class SPADE_OT_select_unlabelled(ReportsErrors, bpy.types.Operator):
    """Select the objects that have no label, or one of them"""

    bl_idname = "spade.select_unlabelled"
    bl_label = "Select Unlabelled"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Object", description="Only this one, by its full name", options={"SKIP_SAVE"})

    def run(self, context):
        table = overview(context.scene).table
        found = [thing for thing, _ in unlabelled_with_shares(context.scene)]
        if self.name:
            found = [thing for thing in found if thing.name_full == self.name]
        # What is hidden or only there as instances cannot be selected: what shows it can.
        chosen = _selectable(context, found)
        if not chosen:
            hosts = table.rendered.instances.items()
            chosen = _selectable(context, [host for host, shown in hosts if not set(shown).isdisjoint(found)])
        for thing in context.selected_objects:
            thing.select_set(False)
        for thing in chosen:
            thing.select_set(True)
        if chosen:
            context.view_layer.objects.active = chosen[0]


class SPADE_OT_label_thing(ReportsErrors, bpy.types.Operator):
    """Choose what this is"""

    bl_idname = "spade.label_thing"
    bl_label = "Choose Its Class"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Object", description="Its full name", options={"SKIP_SAVE"})
    class_name: EnumProperty(name="Class", description="What it shows", items=class_items)

    def run(self, context):
        thing = next((each for each in bpy.data.objects if each.name_full == self.name), None)
        if thing is None:
            raise BadLabelError(f"There is no object '{self.name}' any more.", fix="Generate again.")
        label_rules.assign(context.scene, thing, self.class_name)


def _selectable(context: bpy.types.Context, things: list[bpy.types.Object]) -> list[bpy.types.Object]:
    listed = set(context.view_layer.objects)
    return [thing for thing in things if thing in listed and thing.visible_get()]


CLASSES = (SPADE_OT_select_unlabelled, SPADE_OT_label_thing)
