# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of classes that have styles of their own."""

from __future__ import annotations

import bpy

from ..contract.errors import BadOptionError
from ..contract.placed_styles import MOST_PLACED
from ..label_set_choice import label_set_of
from ..properties import settings
from .reports_errors import ReportsErrors


class SPADE_OT_add_class_style(ReportsErrors, bpy.types.Operator):
    """Give a class a style of its own: the sky like one photo, the ground like another"""

    bl_idname = "spade.add_class_style"
    bl_label = "Add Class"
    bl_options = {"REGISTER", "UNDO"}

    class_name: bpy.props.StringProperty(
        name="Class", description="Which one; empty for the first that has none", options={"SKIP_SAVE"}
    )

    def run(self, context) -> None:
        spade = settings(context.scene)
        if len(spade.class_styles) >= 4 * MOST_PLACED:
            raise BadOptionError("The list is full.", "Remove a class first.")
        taken = {each.class_name for each in spade.class_styles}
        free = [entry.name for entry in label_set_of(spade).classes if entry.name not in taken]
        if not free:
            raise BadOptionError("Every class has a style of its own.", "Choose another style for one.")
        item = spade.class_styles.add()
        item.class_name = self.class_name or free[0]
        spade.class_style_index = len(spade.class_styles) - 1


class SPADE_OT_remove_class_style(ReportsErrors, bpy.types.Operator):
    """Paint the chosen class in the picture's own style again"""

    bl_idname = "spade.remove_class_style"
    bl_label = "Remove Class"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        spade = settings(context.scene)
        if not 0 <= spade.class_style_index < len(spade.class_styles):
            raise BadOptionError("No class is chosen.", "Choose one in the list.")
        spade.class_styles.remove(spade.class_style_index)
        spade.class_style_index = max(0, spade.class_style_index - 1)


CLASSES = (SPADE_OT_add_class_style, SPADE_OT_remove_class_style)
