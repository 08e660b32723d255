# SPDX-License-Identifier: GPL-3.0-or-later
"""The style panel: by a seed, a name or a picture, how much of it, and what it is mixed with."""

from __future__ import annotations

import bpy
from bl_ui.utils import PresetPanel

from ..operators.style import PRESETS
from ..properties import settings
from ..session import current_session
from ..style.settings import FIRST, SECOND, listed_names
from .layout import Layout, layout_of
from .panel import CATEGORY, draw_seed


class SPADE_PT_style_presets(PresetPanel, bpy.types.Panel):
    """Styles that were put by."""

    bl_label = "Style Presets"
    preset_subdir = PRESETS
    preset_operator = "script.execute_preset"
    preset_add_operator = "spade.add_style_preset"


class SPADE_PT_style(bpy.types.Panel):
    """In which light, season and mood."""

    bl_label = "Style"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_parent_id = "SPADE_PT_backdrop"
    # Labels come first: open, it would push them out of a window of usual height.
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context) -> None:
        SPADE_PT_style_presets.draw_panel_header(layout_of(self))

    def draw(self, context) -> None:
        layout, spade = layout_of(self), settings(context.scene)
        layout.use_property_split = True
        layout.use_property_decorate = False
        draw_source(layout, spade, FIRST)
        layout.prop(spade, "style_strength")
        mix = layout.row(heading="Mix")
        mix.prop(spade, "mix_styles", text="With Another")
        if spade.mix_styles:
            draw_source(layout, spade, SECOND)
            layout.prop(spade, "style_mix")


def draw_source(layout: Layout, spade, prefix: str, drawn_apart: bool = False) -> None:
    """One style's properties. drawn_apart: a seed is always the style's own."""
    column = layout.column()
    sources = column.row(align=True)
    sources.use_property_split = False
    sources.prop(spade, f"{prefix}_source", expand=True)
    source = getattr(spade, f"{prefix}_source")
    if source == "NAMED":
        _draw_names(column, spade, prefix)
    elif source == "IMAGE":
        column.template_ID(spade, f"{prefix}_image", new="image.new", open="image.open")
    elif drawn_apart:
        column.prop(spade, f"{prefix}_seed")
    elif prefix == FIRST:
        own = column.row(align=True, heading="Own Seed")
        own.prop(spade, "own_style_seed", text="")
        seed = own.row(align=True)
        seed.active = spade.own_style_seed
        seed.prop(spade, "style_seed", text="")
        seed.operator("spade.new_seed", text="", icon="FILE_REFRESH").which = "style_seed"
    else:
        draw_seed(column, spade, f"{prefix}_seed")


def _draw_names(layout: Layout, spade, prefix: str) -> None:
    model = current_session().connection.model_named(spade.model)
    if listed_names(spade, prefix):
        if model is not None and current_session().thumbnails(model.digest) is not None:
            layout.template_icon_view(spade, f"{prefix}_pick", show_labels=True)
        layout.prop(spade, f"{prefix}_pick", text="")
        return
    note = layout.row()
    note.active = False
    if model is not None:
        note.label(text="The model has none", icon="INFO")
        return
    note.label(text="The server says which there are", icon="INFO")
    layout.operator("spade.start_server", icon="PLAY")


CLASSES = (SPADE_PT_style_presets, SPADE_PT_style)
