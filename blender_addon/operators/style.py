# SPDX-License-Identifier: GPL-3.0-or-later
"""Styles: back to the seed's, and presets on Blender's own preset system."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase

from ..contract.errors import SpadeError
from ..contract.placed_styles import MOST_PLACED
from ..properties import settings
from ..scene.png import png
from ..session import current_session
from ..style.class_styles import ACROSS, styles_in_use
from ..style.reference import rgb_of
from ..style.settings import FIRST, PREFIXES, chosen_name
from .reports_errors import ReportsErrors

PRESETS = "spade_backdrops/style"
_OF_CLASS = ("class_name", "style_source", "style_name", "style_seed")
_KEPT = (
    *("style_softness", "goes_across", "across_peak"),
    *("across_style_source", "across_style_name", "across_style_seed"),
    *("seed", "own_style_seed", "style_seed", "style_strength", "mix_styles", "style_mix"),
    *("style_source", "style_name", "second_style_source", "second_style_name", "second_style_seed"),
)


class SPADE_OT_use_seed_style(ReportsErrors, bpy.types.Operator):
    """Take the style of the seed in place of a named one that the model does not have"""

    bl_idname = "spade.use_seed_style"
    bl_label = "Use the Seed's Style"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        spade, session = settings(context.scene), current_session()
        places = {(spade.path_from_id(), each): (spade, each) for each in PREFIXES}
        places |= {(each.path_from_id(), prefix): (each, prefix) for each, prefix in styles_in_use(spade)}
        named = [each for each in places.values() if getattr(each[0], f"{each[1]}_source") == "NAMED"]
        missing = [
            each
            for each in named
            if session.connection.missing_style(spade.model, [chosen_name(*each)]) is not None
        ]
        for holder, prefix in missing or named:
            setattr(holder, f"{prefix}_source", "SEED")
        session.dismiss()


class SPADE_OT_add_style_preset(AddPresetBase, bpy.types.Operator):
    """Keep style, strength, mix and seeds as a preset for all files, or remove one"""

    bl_idname = "spade.add_style_preset"
    bl_label = "Add Style Preset"
    preset_menu = "SPADE_PT_style_presets"
    preset_subdir = PRESETS

    def add(self, context: bpy.types.Context, filepath: str) -> None:
        """Write the preset; pictures come along as PNG files, for a packed one is in this .blend alone."""
        try:
            self._write(context, filepath)
        except (SpadeError, OSError) as problem:
            self.report({"ERROR"}, f"The preset was not written. {problem}")

    def _write(self, context: bpy.types.Context, filepath: str) -> None:
        spade = settings(context.scene)
        lines = ["import bpy", "", "spade = bpy.context.scene.spade"]
        lines += [f"spade.{name} = {_plain(getattr(spade, name))!r}" for name in _KEPT]
        for prefix in (*PREFIXES, ACROSS):
            lines += _picture_lines(filepath, spade, prefix, "spade", prefix)
        lines.append("spade.class_styles.clear()")
        for number, item in enumerate(spade.class_styles):
            lines.append("item = spade.class_styles.add()")
            lines += [f"item.{name} = {_plain(getattr(item, name))!r}" for name in _OF_CLASS]
            lines += _picture_lines(filepath, item, FIRST, "item", f"class{number}")
        _write(Path(filepath), "\n".join([*lines, ""]).encode())

    def remove(self, context: bpy.types.Context, filepath: str) -> None:
        """Remove it with its pictures; files in which it was used have packed them."""
        Path(filepath).unlink()
        classes = (f"class{number}" for number in range(4 * MOST_PLACED))
        for prefix in (*PREFIXES, ACROSS, *classes):
            _picture_file(filepath, prefix).unlink(missing_ok=True)


def _picture_lines(preset: str, holder, prefix: str, called: str, file_name: str) -> list[str]:
    """Write a style's picture beside a preset, where it has one, and return what loads it again."""
    image = getattr(holder, f"{prefix}_image")
    if getattr(holder, f"{prefix}_source") != "IMAGE" or image is None:
        return []
    file = _picture_file(preset, file_name)
    _write(file, png(rgb_of(image)))
    return [
        f"picture = bpy.data.images.load({str(file)!r}, check_existing=True)",
        "picture.pack()",
        f"{called}.{prefix}_image = picture",
    ]


def _plain(value: str | int | float) -> str | int | float:
    # Blender's numbers are single: 0.3 is kept as 0.3.
    return round(value, 6) if isinstance(value, float) else value


def _picture_file(preset: str, prefix: str) -> Path:
    return Path(preset).with_suffix(f".{prefix}.png")


def _write(file: Path, content: bytes) -> None:
    part = file.with_name(f"{file.name}.part")
    part.write_bytes(content)
    os.replace(part, file)


CLASSES = (SPADE_OT_use_seed_style, SPADE_OT_add_style_preset)
