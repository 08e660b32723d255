# SPDX-License-Identifier: GPL-3.0-or-later
"""Styles of parts: a list of classes, and what the picture goes over into."""

from __future__ import annotations

import bpy

from ..properties import settings
from ..session import current_session
from ..style.class_styles import ACROSS, paints_parts
from ..style.settings import FIRST
from .layout import layout_of
from .panel import CATEGORY
from .style_panel import draw_source


class SPADE_UL_class_styles(bpy.types.UIList):
    """Classes and where their styles come from."""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flt_flag=0):
        row = layout.row(align=True)
        row.prop(item, "class_name", text="", emboss=False)
        shown = {"NAMED": item.style_name, "SEED": f"Seed {item.style_seed}"}
        image = item.style_image.name if item.style_image else "No picture"
        row.label(text=shown.get(item.style_source, image))


class SPADE_PT_class_styles(bpy.types.Panel):
    """The sky like one photo, the ground like another."""

    bl_label = "By Class"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_parent_id = "SPADE_PT_style"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context) -> None:
        layout, spade = layout_of(self), settings(context.scene)
        layout.use_property_split = True
        layout.use_property_decorate = False
        refused = current_session().connection.one_style(spade.model)
        if refused is not None:
            note = layout.row()
            note.active = False
            note.label(text="The model paints in one style", icon="INFO")
        row = layout.row()
        row.template_list(
            "SPADE_UL_class_styles", "", spade, "class_styles", spade, "class_style_index", rows=3
        )
        buttons = row.column(align=True)
        buttons.operator("spade.add_class_style", text="", icon="ADD")
        buttons.operator("spade.remove_class_style", text="", icon="REMOVE")
        if 0 <= spade.class_style_index < len(spade.class_styles):
            item = spade.class_styles[spade.class_style_index]
            layout.prop(item, "class_name")
            draw_source(layout, item, FIRST, drawn_apart=True)
        across = layout.row(heading="Across")
        across.prop(spade, "goes_across", text="Into Another")
        if spade.goes_across:
            draw_source(layout, spade, ACROSS, drawn_apart=True)
            layout.prop(spade, "across_peak")
        if paints_parts(spade):
            layout.prop(spade, "style_softness")


CLASSES = (SPADE_UL_class_styles, SPADE_PT_class_styles)
