# SPDX-License-Identifier: GPL-3.0-or-later
"""The history: a result is placed again, painted again exactly, starred, or removed."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ..bridge.jobs import Job
from ..contract.errors import BadImageError, BusyError
from ..contract.messages import PREVIEW
from ..history.records import FAVOURITE, is_in_use, remove_result, request_of, results, style_images
from ..place.picture import PANORAMA
from ..place.placement import kind_of, place
from ..place.show import show_landed
from ..place.viewport import pressed_in
from ..properties import settings
from ..scene.view import label_map_shape
from ..scene_job import AROUND
from ..session import current_session
from ..style.class_styles import apply_placed_facts
from ..style.settings import apply_facts
from ..timer import wake
from .reports_errors import ReportsErrors
from .waiting import wait_for_picture


class OfResult(ReportsErrors):
    """A mixin for what is done with one result."""

    name: StringProperty(
        name="Picture", description="Name of the image; empty for the one chosen in the list"
    )

    def result(self, context: bpy.types.Context) -> bpy.types.Image:
        """The picture. Raises BadImageError where the file does not have it."""
        return named_result(self.name or settings(context.scene).history_name)


def named_result(name: str) -> bpy.types.Image:
    """A picture in the file's history. Raises BadImageError where it is not there."""
    found = next((image for image in results() if image.name == name), None)
    if found is None:
        raise BadImageError(f"The file has no picture '{name}'.", "Choose one from the history.")
    return found


class SPADE_OT_place_again(OfResult, bpy.types.Operator):
    """Put this picture behind the scene again, as it was painted"""

    bl_idname = "spade.place_again"
    bl_label = "Place Again"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        picture = self.result(context)
        place(context.scene, picture)
        if kind_of(picture) != "TILE":  # which is seen on the blocks
            show_landed(context.scene)


class SPADE_OT_paint_again(OfResult, bpy.types.Operator):
    """Paint this picture again, from its own label map and settings, whatever the scene has become"""

    bl_idname = "spade.paint_again"
    bl_label = "Paint Again"

    def invoke(self, context, event):
        return self.reporting_errors(self.start, context)

    def start(self, context) -> None:
        """Send it off, and say what is no longer as it was; the timer does the rest."""
        job = self.submit(context)
        job.pressed_in = pressed_in(context)
        if job.notes:
            self.report({"WARNING"}, " ".join(job.notes))
        wake()

    def run(self, context) -> None:
        """The way of scripts: return when the picture is placed, raise when there is none."""
        job = self.submit(context)
        wait_for_picture(job)
        if job.notes:
            self.report({"WARNING"}, " ".join(job.notes))

    def submit(self, context) -> Job:
        """The same request as then."""
        session = current_session()
        session.dismiss()
        request = request_of(self.result(context), context.scene)
        session.connect()
        return session.board.add(request)


class SPADE_OT_use_settings(OfResult, bpy.types.Operator):
    """Take seed, style, model and size of this picture into the scene, to go on from there"""

    bl_idname = "spade.use_settings"
    bl_label = "Use Its Settings"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        picture, spade = self.result(context), settings(context.scene)
        request = request_of(picture, context.scene)
        spade.seed, spade.model = request.seed, request.model
        spade.upscale, spade.natural_edges = request.upscale != "off", request.natural_edges
        spade.detail = request.detail / (AROUND if request.wrap == PANORAMA else 1.0)  # 1 at least
        spade.preview = request.precision == PREVIEW
        images = style_images(picture)
        apply_facts(spade, request.style_facts, images)
        apply_placed_facts(spade, request.style_facts, images)
        height, width = request.label_map.shape
        if label_map_shape(context.scene) != (height, width):
            spade.width, spade.height, spade.match_camera = width, height, False


class SPADE_OT_favourite(OfResult, bpy.types.Operator):
    """A favourite stays in the file whatever the history's limit"""

    bl_idname = "spade.favourite"
    bl_label = "Favourite"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        picture = self.result(context)
        if FAVOURITE in picture:
            del picture[FAVOURITE]
        else:
            picture[FAVOURITE] = True
        context.scene.update_tag()


class SPADE_OT_remove_result(OfResult, bpy.types.Operator):
    """Remove this picture and its label map from the file"""

    bl_idname = "spade.remove_result"
    bl_label = "Remove"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        picture = self.result(context)
        if is_in_use(picture):
            raise BusyError(
                f"'{picture.name}' is shown somewhere.",
                "Place another one, or Take Away, and remove it then.",
            )
        remove_result(picture)


CLASSES = (
    SPADE_OT_place_again,
    SPADE_OT_paint_again,
    SPADE_OT_use_settings,
    SPADE_OT_favourite,
    SPADE_OT_remove_result,
)
