# SPDX-License-Identifier: GPL-3.0-or-later
"""The label panel: which classes there are, what the active things are, and what has no label yet."""

from __future__ import annotations

import bpy

from ..contract.errors import SpadeError
from ..contract.labels import LabelSet
from ..operators.labels import targets
from ..properties import settings
from ..scene import label_rules
from .panel import CATEGORY
from .remedies import draw_error
from .swatches import icon_of

# a menu of more classes than this is searched, not read
LONGEST_MENU = 40
LISTED = 6
ICONS = {"OBJECT": "OBJECT_DATA", "MATERIAL": "MATERIAL", "COLLECTION": "OUTLINER_COLLECTION"}
MISSING = {"OBJECT": "No object", "MATERIAL": "No material", "COLLECTION": "Scene collection"}


class SPADE_MT_labels(bpy.types.Menu):
    """What is needed now and then."""

    bl_idname = "SPADE_MT_labels"
    bl_label = "Labels"

    def draw(self, context) -> None:
        layout = self.layout
        layout.operator("spade.import_label_set", icon="IMPORT")
        layout.operator("spade.export_label_map", icon="EXPORT")
        layout.separator()
        layout.operator("spade.add_example", icon="WORLD_DATA")


class SPADE_PT_labels(bpy.types.Panel):
    """What everything in the picture is."""

    bl_label = "Labels"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY

    def draw_header_preset(self, context) -> None:
        self.layout.menu("SPADE_MT_labels", text="", icon="DOWNARROW_HLT")

    def draw(self, context) -> None:
        layout, scene = self.layout, context.scene
        wanted = settings(scene)
        layout.prop(wanted, "label_set", text="")
        try:
            label_set = label_rules.scene_label_set(scene)
        except SpadeError as problem:
            draw_error(layout, context, problem)
            return
        rows = layout.column(align=True)
        for kind in ("OBJECT", "MATERIAL", "COLLECTION"):
            _draw_target(rows, context, kind, label_set)
        _draw_background(rows, wanted, label_set)
        layout.operator("spade.auto_assign", icon="SORTALPHA")
        _draw_unlabelled(layout, scene)


def _draw_target(
    layout: bpy.types.UILayout, context: bpy.types.Context, kind: str, label_set: LabelSet
) -> None:
    """One line: what is active, its class with its colour, and a way to take that away."""
    found = targets(context, kind)
    split = layout.split(factor=0.45, align=True)
    name = found[0].name if len(found) == 1 else f"{len(found)} objects" if found else MISSING[kind]
    split.label(text=name, icon=ICONS[kind])
    row = split.row(align=True)
    if not found:
        row.active = False
        row.label(text="")
        return
    given = {label_rules.label_of(context.scene, target) for target in found}
    draw_chooser(row, kind, given.pop() if len(given) == 1 else "several", label_set)


def draw_chooser(row: bpy.types.UILayout, kind: str, given: str | None, label_set: LabelSet) -> None:
    """The class as a menu with swatches (a search where the set is long) and a button that clears it."""
    entry = label_set.class_named(given) if given else None
    text = given or "no label"
    icon = {"icon_value": icon_of(entry)} if entry else {"icon": "BLANK1"}
    if len(label_set.classes) > LONGEST_MENU:
        row.operator("spade.search_label", text=text, **icon).kind = kind
    else:
        row.operator_menu_enum("spade.assign_label", "class_name", text=text, **icon).kind = kind
    if given:
        row.operator("spade.clear_label", text="", icon="X").kind = kind


def _draw_background(layout: bpy.types.UILayout, wanted, label_set: LabelSet) -> None:
    split = layout.split(factor=0.45, align=True)
    split.label(text="Background", icon="WORLD")
    entry = label_set.class_named(wanted.background_class)
    split.prop(wanted, "background_class", text="", **({"icon_value": icon_of(entry)} if entry else {}))


def _draw_unlabelled(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    found = label_rules.unlabelled(scene)
    if not found:
        if settings(scene).rules:
            done = layout.row()
            done.active = False
            done.label(text="Everything has a label", icon="CHECKMARK")
        else:
            layout.operator("spade.add_example", icon="WORLD_DATA")
        return
    box = layout.box()
    head = box.row()
    head.label(text=f"{len(found)} without label", icon="QUESTION")
    head.operator("spade.select_unlabelled", text="Select All", icon="RESTRICT_SELECT_OFF")
    column = box.column(align=True)
    for thing in found[:LISTED]:
        button = column.operator("spade.select_unlabelled", text=thing.name, icon="DOT", emboss=False)
        button.name = thing.name
    if len(found) > LISTED:
        column.label(text=f"and {len(found) - LISTED} more", icon="BLANK1")


CLASSES = (SPADE_MT_labels, SPADE_PT_labels)
