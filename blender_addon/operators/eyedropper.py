# SPDX-License-Identifier: GPL-3.0-or-later
"""The eyedropper: point at a thing, or at a painted label, and take its class."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from bpy.props import EnumProperty

from ..contract.errors import NothingLabelledError, SpadeError, UnavailableError
from ..contract.labels import LabelClass, LabelSet
from ..label_image.image import labels_on
from ..overlay.drawing import live_labels
from ..scene import label_rules
from .label_image import choose_class
from .labels import KINDS, targets
from .reports_errors import ReportsErrors

_NAVIGATION = ("MIDDLEMOUSE", "WHEEL", "TRACKPAD", "NDOF", "NUMPAD")
_FOR_PAINT = ("PAINT", "Paint", "What is painted with in the Image Editor")


class SPADE_OT_pick_label(ReportsErrors, bpy.types.Operator):
    """Click a thing in a 3D view, or a label in the Image Editor, to take its class. Esc stops"""

    bl_idname = "spade.pick_label"
    bl_label = "Pick Class"
    bl_options = {"REGISTER", "UNDO"}

    kind: EnumProperty(
        name="For", description="What gets the class", items=(*KINDS, _FOR_PAINT), options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context) -> bool:
        return context.window is not None and not bpy.app.background

    def invoke(self, context, event):
        return self.reporting_errors(self.begin, context)

    def begin(self, context) -> set[str]:
        """Wait for a click, with what is shown now read once. Raises SpadeError."""
        if self.kind != "PAINT" and not targets(context, self.kind):
            raise NothingLabelledError("Nothing is selected to label.", fix="Select an object first.")
        self._read: dict[int, tuple[tuple, np.ndarray]] = {}
        context.window.cursor_modal_set("EYEDROPPER")
        self._say(context, None)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context) -> None:
        raise UnavailableError("The eyedropper needs a mouse.", fix="Scripts give a class by assign_label.")

    def modal(self, context, event):
        if event.type in {"ESC", "RIGHTMOUSE"}:
            return self.end(context, {"CANCELLED"})
        if event.type.startswith(_NAVIGATION):
            return {"PASS_THROUGH"}
        if event.type not in {"MOUSEMOVE", "LEFTMOUSE"}:
            return {"RUNNING_MODAL"}
        try:
            found = self.class_under(context, event.mouse_x, event.mouse_y)
        except SpadeError as problem:
            self.end(context, set())
            return self.show_error(problem)
        self._say(context, found)
        if event.type != "LEFTMOUSE" or event.value != "PRESS":
            return {"RUNNING_MODAL"}
        if found is None:
            self.report({"WARNING"}, "There is no label")
            return {"RUNNING_MODAL"}
        return self.end(context, self.reporting_errors(lambda context: self.take(context, found), context))

    def cancel(self, context) -> None:
        self.end(context, {"CANCELLED"})

    def end(self, context, result: set[str]) -> set[str]:
        """Give the mouse back."""
        self._read = {}
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)
        if context.area is not None:
            context.area.header_text_set(None)
            context.area.tag_redraw()
        return result

    def take(self, context, entry: LabelClass) -> None:
        """Give the class to what it was picked for."""
        if self.kind == "PAINT":
            choose_class(context, entry)
        else:
            label_rules.assign_all(context.scene, targets(context, self.kind), entry.name)
        self.report({"INFO"}, f"Picked {entry.name}")

    def class_under(self, context, x: int, y: int) -> LabelClass | None:
        """The class at a place in the window; None where there is none. Raises SpadeError."""
        label_set = label_rules.scene_label_set(context.scene)
        for area in context.screen.areas:
            region = next((region for region in area.regions if region.type == "WINDOW"), None)
            if region is None or not _holds(region, x, y):
                continue
            at = x - region.x, y - region.y
            if area.type == "VIEW_3D":
                ids = self._ids_of_view(context, area, region)
                return _class_of(label_set, int(ids[region.height - 1 - at[1], at[0]]))
            if area.type == "IMAGE_EDITOR" and area.spaces.active.image is not None:
                return self._class_on_image(label_set, area, region, at)
        return None

    def _ids_of_view(self, context, area: bpy.types.Area, region: bpy.types.Region) -> np.ndarray:
        """What a view shows, drawn again only when it looks elsewhere."""
        space: Any = area.spaces.active
        matrix = space.region_3d.perspective_matrix
        size = region.width, region.height
        looks = size, tuple(map(tuple, matrix))
        known = self._read.get(region.as_pointer())
        if known is None or known[0] != looks:
            live = live_labels()
            live.update_now(context)
            known = self._read[region.as_pointer()] = looks, live.ids(size, matrix)
        return known[1]

    def _class_on_image(
        self, label_set: LabelSet, area: bpy.types.Area, region: bpy.types.Region, at: tuple[int, int]
    ) -> LabelClass | None:
        space: Any = area.spaces.active
        image = space.image
        known = self._read.get(area.as_pointer())
        if known is None:
            known = self._read[area.as_pointer()] = (), labels_on(image, label_set).label_map
        ids = known[1]
        view: Any = region.view2d
        across, up = view.region_to_view(*at)
        column, row = int(across * ids.shape[1]), ids.shape[0] - 1 - int(up * ids.shape[0])
        if across < 0 or up < 0 or column >= ids.shape[1] or row < 0:
            return None
        return _class_of(label_set, int(ids[row, column]))

    @staticmethod
    def _say(context, found: LabelClass | None) -> None:
        name = found.name if found else "no label"
        if context.area is not None:
            context.area.header_text_set(f"Pick Class: {name}")
        context.workspace.status_text_set("Click: take this class     Esc: stop")


def _holds(region: bpy.types.Region, x: int, y: int) -> bool:
    return region.x <= x < region.x + region.width and region.y <= y < region.y + region.height


def _class_of(label_set: LabelSet, class_id: int) -> LabelClass | None:
    return next((entry for entry in label_set.classes if entry.id == class_id), None)


CLASSES = (SPADE_OT_pick_label,)
