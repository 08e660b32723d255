# SPDX-License-Identifier: GPL-3.0-or-later
"""Painting labels on an image, class by class, and Generate from it: no blocks are needed."""

from __future__ import annotations

import time
from dataclasses import replace

import bpy
import numpy as np
from bpy.props import EnumProperty, IntProperty, StringProperty

from ..bridge.jobs import Job
from ..bridge.sight import Sight
from ..contract.errors import BadImageError, BadLabelError
from ..contract.labels import LabelClass
from ..contract.limits import LARGEST_SIDE, MIN_SIDE
from ..label_image.brushes import choose_color, class_palette, take_brush
from ..label_image.colors import paint_colors
from ..label_image.editor import largest_view, show_for_painting
from ..label_image.image import is_label_image, labels_on, make_label_image, shape_of
from ..place.projection.sights import sight_of_now
from ..properties import settings
from ..scene.coverage import percent
from ..scene.label_pass import render_label_map
from ..scene.label_rules import scene_label_set
from ..scene.label_sets import background_of
from ..scene.projector import projector_around
from ..scene.view import camera_of, flat_camera_of, label_map_shape
from ..scene_job import ready_to_paint, scene_request
from ..session import current_session
from ..timer import wake
from .reports_errors import ReportsErrors
from .swatches import class_items
from .waiting import wait_for_picture

TOOLS = (
    ("BRUSH", "Brush", "Draw with a hard round brush", "BRUSH_DATA", 0),
    ("FILL", "Fill", "Fill what has one colour under the mouse", "IMAGE", 1),
    ("LINE", "Line", "Press, drag and release to draw a straight line", "IPO_LINEAR", 2),
)


class SPADE_OT_paint_labels(ReportsErrors, bpy.types.Operator):
    """Take the labels that the camera sees as an image, to paint on in the Image Editor"""

    bl_idname = "spade.paint_labels"
    bl_label = "Paint the Labels"
    bl_options = {"REGISTER", "UNDO"}

    image: StringProperty(
        name="Image",
        description="Name of a label image to write over; without one a new image is made",
        options={"SKIP_SAVE"},
    )

    def run(self, context) -> None:
        scene = context.scene
        into = _image_named(self.image) if self.image else None
        taken = render_label_map(scene, label_map_shape(scene))
        image = make_label_image(f"Labels {scene.name}", taken.label_map, scene_label_set(scene), into)
        _begin_painting(context, image)


class SPADE_OT_new_label_image(ReportsErrors, bpy.types.Operator):
    """Begin with an empty label map: all of it is background, such as sky"""

    bl_idname = "spade.new_label_image"
    bl_label = "New Label Image"
    bl_options = {"REGISTER", "UNDO"}

    width: IntProperty(
        name="Width",
        description="Pixels from left to right; the picture has as many",
        default=512,
        min=MIN_SIDE,
        max=LARGEST_SIDE,
        subtype="PIXEL",
    )
    height: IntProperty(
        name="Height",
        description="Pixels from top to bottom; the picture has as many",
        default=512,
        min=MIN_SIDE,
        max=LARGEST_SIDE,
        subtype="PIXEL",
    )

    def invoke(self, context, event):
        # What fits the camera's frame needs no thought.
        self.height, self.width = label_map_shape(context.scene)
        return context.window_manager.invoke_props_dialog(self)

    def run(self, context) -> None:
        scene = context.scene
        if not self.properties.is_property_set("width") and not self.properties.is_property_set("height"):
            self.height, self.width = label_map_shape(scene)
        label_set = scene_label_set(scene)
        background = background_of(label_set, settings(scene).background_class)
        filled = background.id if background else label_set.ignore_id
        empty = np.full((self.height, self.width), filled, label_set.dtype)
        _begin_painting(context, make_label_image(f"Labels {scene.name}", empty, label_set))


class SPADE_OT_paint_class(ReportsErrors, bpy.types.Operator):
    """Paint with this class"""

    bl_idname = "spade.paint_class"
    bl_label = "Paint With Class"

    class_name: EnumProperty(name="Class", description="The class to paint with", items=class_items)

    @classmethod
    def description(cls, context, properties) -> str:
        return f"Paint with the colour of '{properties.class_name}'"

    def run(self, context) -> None:
        label_set = scene_label_set(context.scene)
        entry = label_set.class_named(self.class_name)
        if entry is None:
            raise BadLabelError(f"There is no class '{self.class_name}'.", "Choose one of the label set's.")
        choose_class(context, entry)


class SPADE_OT_label_tool(ReportsErrors, bpy.types.Operator):
    """Take a tool that paints labels without a colour between two others"""

    bl_idname = "spade.label_tool"
    bl_label = "Take Label Tool"

    tool: EnumProperty(name="Tool", description="What paints the labels", items=TOOLS)

    @classmethod
    def description(cls, context, properties) -> str:
        return next(item[2] for item in TOOLS if item[0] == properties.tool)

    def run(self, context) -> None:
        take_brush(self.tool)


class SPADE_OT_generate_painted(ReportsErrors, bpy.types.Operator):
    """Paint a backdrop from the labels on this image; its size is the picture's"""

    bl_idname = "spade.generate_painted"
    bl_label = "Generate from Labels"

    image: StringProperty(
        name="Image",
        description="Name of the label image; without one, that of the Image Editor, or the file's only one",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context, event):
        return self.reporting_errors(self.start, context)

    def start(self, context) -> None:
        view = largest_view(context)
        self.submit(context).pressed_in = view.as_pointer() if view else 0
        wake()

    def run(self, context) -> None:
        """The way of scripts: return when the picture is placed, raise when there is none."""
        wait_for_picture(self.submit(context))

    def submit(self, context) -> Job:
        """Read the labels and hand the request to the board. Raises SpadeError."""
        scene, pressed_at = context.scene, time.monotonic()
        image = chosen_image(context, self.image)
        style = ready_to_paint(scene, shape_of(image))
        found = labels_on(image, scene_label_set(scene))
        if found.strange:
            self.report(
                {"WARNING"},
                f"{percent(found.strange)} of the labels has colours of no class, such as {found.example}: "
                "they count as the nearest class.",
            )
        request = scene_request(scene, found.label_map, style, pressed_at)
        if settings(scene).is_on_blocks:
            flat = settings(scene).placement == "PROJECTION"
            camera = flat_camera_of(scene) if flat else camera_of(scene)
            request = replace(request, sight=sight_of_now(scene, camera, shape_of(image)))
        elif settings(scene).placement == "PANORAMA":  # laid on the blocks later, perhaps
            request = replace(request, sight=Sight(projector_around(camera_of(scene))))
        return current_session().board.add(request, pressed_at)


def choose_class(context: bpy.types.Context, entry: LabelClass) -> None:
    """Let labels be painted with a class."""
    choose_color(context, paint_colors(scene_label_set(context.scene))[entry.id])


def chosen_image(context: bpy.types.Context, name: str) -> bpy.types.Image:
    """The image of this name, else the one that is looked at, else the only label image. Raises BadImageError."""
    if name:
        return _image_named(name)
    space = context.space_data
    if isinstance(space, bpy.types.SpaceImageEditor) and space.image is not None:
        return space.image
    painted = [image for image in bpy.data.images if is_label_image(image)]
    if len(painted) != 1:
        why = "There is no label image" if not painted else "There are several label images"
        raise BadImageError(f"{why}.", "Paint the labels of the scene, or say which image is meant.")
    return painted[0]


def _image_named(name: str) -> bpy.types.Image:
    image = bpy.data.images.get(name)
    if image is None:
        raise BadImageError(f"The file has no image '{name}'.", "Choose one of those it has.")
    return image


def _begin_painting(context: bpy.types.Context, image: bpy.types.Image) -> None:
    """Palette, colour and editor: the next stroke paints a label."""
    label_set = scene_label_set(context.scene)
    context.tool_settings.image_paint.palette = class_palette(label_set)
    first = label_set.class_named("grass") or label_set.classes[0]
    choose_class(context, first)
    current_session().dismiss()
    show_for_painting(context, image)


CLASSES = (
    SPADE_OT_paint_labels,
    SPADE_OT_new_label_image,
    SPADE_OT_paint_class,
    SPADE_OT_label_tool,
    SPADE_OT_generate_painted,
)
