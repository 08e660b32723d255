# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of what has no label: what the camera saw of it last time first, with its share of the picture."""

from __future__ import annotations

import bpy

from ..contract.labels import LabelSet
from ..properties import settings
from ..scene.coverage import WARN_FROM, percent
from ..scene.label_overview import overview_for_panel
from ..scene.label_sets import background_of
from ..scene.unlabelled import unlabelled_with_shares
from .layout import Layout

LISTED = 6


def draw_unlabelled(layout: Layout, scene: bpy.types.Scene) -> None:
    """Each thing with a way to select it and one to say what it is; or that there is nothing."""
    seen = overview_for_panel(scene)
    if seen is None:
        layout.label(text="Looking for what has no label", icon="SORTTIME")
        return
    found = unlabelled_with_shares(scene)
    if not found:
        if seen.table.given:
            done = layout.row()
            done.active = False
            done.label(text="Everything has a label", icon="CHECKMARK")
        return
    box = layout.box()
    head = box.row()
    share = sum(part or 0.0 for _, part in found)
    too_much = share >= WARN_FROM
    head.alert = too_much
    head.label(text=f"{len(found)} without label", icon="ERROR" if too_much else "QUESTION")
    head.operator("spade.select_unlabelled", text="Select All", icon="RESTRICT_SELECT_OFF")
    if share:
        box.label(text=f"{percent(share)} of the last picture")
    column = box.column(align=True)
    for thing, part in found[:LISTED]:
        _draw_thing(column.split(factor=0.7, align=True), thing, part)
    if len(found) > LISTED:
        more = column.row()
        more.active = False
        more.label(text=f"and {len(found) - LISTED} more", icon="BLANK1")


def _draw_thing(row: Layout, thing: bpy.types.Object, share: float | None) -> None:
    name = row.row()
    name.alignment = "LEFT"
    select = name.operator("spade.select_unlabelled", text=thing.name, icon="OBJECT_DATA", emboss=False)
    select.name = thing.name_full
    choose = row.operator_menu_enum(
        "spade.label_thing",
        "class_name",
        text=percent(share) if share is not None else "",
        icon="DOWNARROW_HLT",
    )
    choose.name = thing.name_full


def draw_missing_background(layout: Layout, scene: bpy.types.Scene, label_set: LabelSet) -> None:
    """Say that the label set has no class for what lies past everything, before all of it is painted as anything."""
    wanted = settings(scene).background_class
    if background_of(label_set, wanted) is None:
        row = layout.column(align=True)
        row.alert = True
        row.label(text=f"The label set has no class '{wanted}'", icon="ERROR")
        row.label(text="Choose what the background is", icon="BLANK1")
