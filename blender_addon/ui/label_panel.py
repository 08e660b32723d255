# SPDX-License-Identifier: GPL-3.0-or-later
"""The label panel: which classes there are, what the active things are, and what has no label yet."""

from __future__ import annotations

import bpy

from ..contract.errors import SpadeError
from ..contract.labels import LabelSet
from ..operators.labels import targets
from ..operators.swatches import icon_of
from ..overlay.settings import overlay_settings
from ..properties import settings
from ..scene import label_rules
from ..scene.label_overview import overview, overview_for_panel
from .layout import Layout, layout_of
from .panel import CATEGORY
from .remedies import draw_error
from .unlabelled_list import draw_missing_background, draw_unlabelled

# A menu of more classes than this is searched, not read.
LONGEST_MENU = 40
# Of more selected objects not every label is looked up at each redraw.
LOOKED_AT = 5000
ICONS = {"OBJECT": "OBJECT_DATA", "MATERIAL": "MATERIAL", "COLLECTION": "OUTLINER_COLLECTION"}
MISSING = {"OBJECT": "No object", "MATERIAL": "No material", "COLLECTION": "Scene collection"}


class SPADE_MT_labels(bpy.types.Menu):
    """What is needed now and then."""

    bl_idname = "SPADE_MT_labels"
    bl_label = "Labels"

    def draw(self, context) -> None:
        layout = layout_of(self)
        layout.operator("spade.import_label_set", icon="IMPORT")
        layout.operator("spade.export_label_map", icon="EXPORT")
        layout.separator()
        layout.operator("spade.paint_labels", icon="BRUSH_DATA")
        layout.operator("spade.new_label_image", icon="FILE_NEW")
        layout.separator()
        layout.operator("spade.add_example", icon="WORLD_DATA")


class ClassMenu:
    """The classes with their colours; a menu for each kind of thing, for a menu takes no arguments."""

    bl_label = "Class"
    kind: str

    def draw(self, context) -> None:
        try:
            classes = label_rules.scene_label_set(context.scene).classes
        except SpadeError:
            return  # The panel below says why.
        for entry in classes:
            button = layout_of(self).operator(
                "spade.assign_label", text=entry.name, icon_value=icon_of(entry)
            )
            button.kind, button.class_name = self.kind, entry.name


class SPADE_MT_object_class(ClassMenu, bpy.types.Menu):
    kind = "OBJECT"


class SPADE_MT_material_class(ClassMenu, bpy.types.Menu):
    kind = "MATERIAL"


class SPADE_MT_collection_class(ClassMenu, bpy.types.Menu):
    kind = "COLLECTION"


class SPADE_PT_labels(bpy.types.Panel):
    """What everything in the picture is."""

    bl_label = "Labels"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY

    def draw_header_preset(self, context) -> None:
        layout_of(self).menu("SPADE_MT_labels", text="", icon="DOWNARROW_HLT")

    def draw(self, context) -> None:
        layout, scene = layout_of(self), context.scene
        wanted = settings(scene)
        layout.prop(wanted, "label_set", text="")
        try:
            label_set = label_rules.scene_label_set(scene)
        except SpadeError as problem:
            draw_error(layout, context, problem)
            return
        _draw_overlay(layout, context)
        rows = layout.column(align=True)
        for kind in ("OBJECT", "MATERIAL", "COLLECTION"):
            _draw_target(rows, context, kind, label_set)
        _draw_background(rows, wanted, label_set)
        draw_missing_background(layout, scene, label_set)
        layout.operator("spade.auto_assign", icon="SORTALPHA")
        draw_unlabelled(layout, scene)


def _draw_overlay(layout: Layout, context: bpy.types.Context) -> None:
    """Labels over the view: on or off, which, and how strongly; all there while it is off, so that nothing moves."""
    wanted = overlay_settings(context)
    rows = layout.column(align=True)
    first = rows.row(align=True)
    first.prop(wanted, "is_shown", text="Show Labels", icon="OVERLAY", toggle=True)
    first.prop(wanted, "show_legend", text="", icon="PRESET")
    second = rows.row(align=True)
    second.active = wanted.is_shown
    second.prop(wanted, "source", text="")
    second.prop(wanted, "opacity", text="", slider=True)


def _draw_target(layout: Layout, context: bpy.types.Context, kind: str, label_set: LabelSet) -> None:
    """One line: what is active, its class with its colour, and a way to take that away."""
    found = targets(context, kind)
    split = layout.split(factor=0.45, align=True)
    name = found[0].name if len(found) == 1 else f"{len(found)} objects" if found else MISSING[kind]
    split.label(text=name, icon=ICONS[kind])
    row = split.row(align=True)
    seen = overview_for_panel(context.scene)
    if not found or seen is None:
        row.active = False
        row.label(text="..." if found else "")
        return
    own = seen.table.given
    labels = {own.get(target) for target in found[:LOOKED_AT]}
    given = labels.pop() if len(labels) == 1 else "several"
    if given is None and isinstance(found[0], bpy.types.Object) and len(found) == 1:
        _draw_inherited(row, context.scene, found[0], label_set)
    else:
        draw_chooser(row, kind, given, label_set)


def _draw_inherited(
    row: Layout, scene: bpy.types.Scene, thing: bpy.types.Object, label_set: LabelSet
) -> None:
    """The class an object gets from its collections, dimmed: not its own, but what will be painted."""
    class_id = overview(scene).table.objects.get(thing)
    inherited = next((entry.name for entry in label_set.classes if entry.id == class_id), None)
    chooser = row.row(align=True)
    chooser.active = inherited is None
    draw_chooser(chooser, "OBJECT", inherited, label_set, clear=False)


def draw_chooser(row: Layout, kind: str, given: str | None, label_set: LabelSet, clear: bool = True) -> None:
    """The class as a menu with swatches (a search where the set is long) and a button that clears it."""
    entry = label_set.class_named(given) if given else None
    text = given or "no label"
    icon = {"icon_value": icon_of(entry)} if entry else {"icon": "BLANK1"}
    if len(label_set.classes) > LONGEST_MENU:
        row.operator("spade.search_label", text=text, **icon).kind = kind
    else:
        row.menu(f"SPADE_MT_{kind.lower()}_class", text=text, **icon)
    if given and clear:
        row.operator("spade.clear_label", text="", icon="X").kind = kind
    row.operator("spade.pick_label", text="", icon="EYEDROPPER").kind = kind  # last: it keeps its place


def _draw_background(layout: Layout, wanted, label_set: LabelSet) -> None:
    split = layout.split(factor=0.45, align=True)
    split.label(text="Background", icon="WORLD")
    entry = label_set.class_named(wanted.background_class)
    split.prop(wanted, "background_class", text="", **({"icon_value": icon_of(entry)} if entry else {}))


CLASSES = (
    SPADE_MT_labels,
    SPADE_MT_object_class,
    SPADE_MT_material_class,
    SPADE_MT_collection_class,
    SPADE_PT_labels,
)
