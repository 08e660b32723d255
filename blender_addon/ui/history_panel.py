# SPDX-License-Identifier: GPL-3.0-or-later
"""The history: every picture that was painted in the file, and what can be done with the one that is chosen."""

from __future__ import annotations

from typing import Any

import bpy

from ..history.comparison import compared
from ..history.parts import LABEL_MAP
from ..history.records import FAVOURITE, is_in_use, made_with, results, size_of
from ..history.thumbnails import icon_of
from ..place.image import provenance_of
from ..place.placement import placed_picture
from ..properties import settings
from ..session import current_session
from .layout import Layout, layout_of, wrapped
from .panel import CATEGORY

_MB = 2**20


class SPADE_UL_history(bpy.types.UIList):
    """The file's images that are finished pictures, the newest first."""

    bl_idname = "SPADE_UL_history"

    def draw_item(
        self, context, layout, data, item: Any, icon, active_data, active_property, index=0, flt_flag=0
    ):
        row = layout.row(align=True)
        star = "SOLO_ON" if FAVOURITE in item else "SOLO_OFF"
        row.operator("spade.favourite", text="", icon=star, emboss=False).name = item.name
        row.label(text=described(item), icon_value=icon_of(item))
        camera = context.scene.camera
        if camera is not None and placed_picture(context.scene, camera) == item:
            row.label(text="", icon="CHECKMARK")

    def filter_items(self, context, data, property):
        shown, order = newest_first(list(getattr(data, property)), self.filter_name)
        return [self.bitflag_filter_item if each else 0 for each in shown], order


class SPADE_PT_history(bpy.types.Panel):
    """What was painted before."""

    bl_label = "History"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_parent_id = "SPADE_PT_backdrop"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context) -> None:
        layout, spade = layout_of(self), settings(context.scene)
        layout.template_list(
            "SPADE_UL_history", "", bpy.data, "images", spade, "history_index", rows=4, maxrows=12
        )
        pictures = results()
        chosen = next((image for image in pictures if image.name == spade.history_name), None)
        if chosen is not None:
            _draw_chosen(layout, context, chosen)
        foot = layout.row(align=True)
        taken = size_of(pictures) / _MB
        foot.label(text=f"{len(pictures)} in {taken:.1f} MB" if pictures else "Nothing yet")
        foot.prop(spade, "history_limit", text="Limit (MB)")


class SPADE_PT_comparison(bpy.types.Panel):
    """Which two pictures are compared."""

    bl_label = "Comparison"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"
    bl_category = CATEGORY

    @classmethod
    def poll(cls, context) -> bool:
        return bool(compared(context.space_data.image))

    def draw(self, context) -> None:
        layout = layout_of(self)
        for side, picture in zip(("Left", "Right"), compared(context.space_data.image), strict=True):
            layout.label(text=f"{side}: {described(picture)}", icon_value=icon_of(picture))
        layout.operator("spade.wipe", icon="ARROW_LEFTRIGHT")


def newest_first(images: list[bpy.types.Image], typed: str = "") -> tuple[list[bool], list[int]]:
    """For each image: whether it is a result that has what was typed in its line, and the place it comes to."""
    listed = set(results())
    shown = [image in listed and typed.casefold() in described(image).casefold() for image in images]
    by_age = sorted(range(len(images)), key=lambda number: _made(images[number]), reverse=True)
    order = [0] * len(images)
    for place, number in enumerate(by_age):
        order[number] = place
    return shown, order


def described(picture: bpy.types.Image) -> str:
    """A result in a line: its seed, its style, when it was painted."""
    facts = provenance_of(picture)
    style = [str(facts[name]) for name in ("style_name", "style_image", "second_style_name") if name in facts]
    when = str(facts.get("made", ""))[:16].replace("T", " ")
    return "  ".join([f"Seed {facts.get('seed', '?')}", *style, when])


def _draw_chosen(layout: Layout, context: bpy.types.Context, picture: bpy.types.Image) -> None:
    """What can be done with it first: below the picture the buttons would leave a window of usual height."""
    name, facts = picture.name, provenance_of(picture)
    row = layout.row(align=True)
    row.operator("spade.place_again", text="Place", icon="IMAGE_BACKGROUND").name = name
    row.operator("spade.compare", icon="ARROW_LEFTRIGHT").name = name
    welcome = current_session().connection.welcome
    for sentence in made_with(picture).gone_from(welcome) if welcome is not None else ():
        for number, text in enumerate(wrapped(context, sentence)):
            layout.label(text=text, icon="BLANK1" if number else "ERROR")
    row = layout.row(align=True)
    again = row.row(align=True)
    again.enabled = LABEL_MAP in picture
    again.operator("spade.paint_again", icon="FILE_REFRESH").name = name
    again.operator("spade.use_settings", text="Its Settings", icon="SETTINGS").name = name
    remove = row.row(align=True)
    remove.enabled = not is_in_use(picture)
    remove.operator("spade.remove_result", text="", icon="TRASH").name = name
    region = layout.row()
    region.enabled = LABEL_MAP in picture
    region.operator("spade.paint_region", text="Paint Region Again...", icon="BRUSH_DATA").name = name
    column = layout.column(align=True)
    column.template_icon(icon_value=icon_of(picture), scale=8.0)
    terms = [str(facts[name]) for name in ("model_terms", "upscaler_terms") if name in facts]
    for text in (*_facts(picture, facts), *(line for each in terms for line in wrapped(context, each))):
        line = column.row()
        line.active, line.scale_y = False, 0.8
        line.label(text=text)


def _facts(picture: bpy.types.Image, facts: dict[str, str | int | float]) -> list[str]:
    """How it was made, in lines."""
    size: Any = picture.size  # a sequence to Blender, though not to its type stubs
    took = f" in {facts['seconds']} s" if facts.get("seconds") else ""
    model = f"{facts.get('model', '?')} {str(facts.get('model_digest', ''))[:8]}"
    lines = [picture.name, f"{size[0]} × {size[1]}{took}", f"Model {model}"]
    if LABEL_MAP not in picture:
        lines.append("Of an earlier version: without its label map")
    return lines


def _made(image: bpy.types.Image) -> str:
    return str(provenance_of(image).get("made", ""))


CLASSES = (SPADE_UL_history, SPADE_PT_history, SPADE_PT_comparison)
