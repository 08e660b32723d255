# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that wait behind no scene, earlier ones, and what is seen of blocks and picture."""

from __future__ import annotations

import bpy

from ..contract.errors import BadImageError
from ..place.backdrop import place_backdrop
from ..place.image import generated_images
from ..place.picture import place_picture
from ..place.show import show, show_landed
from ..place.viewport import look_at_picture
from ..properties import SHOWN
from ..session import current_session
from .reports_errors import ReportsErrors


class SPADE_OT_place_kept(ReportsErrors, bpy.types.Operator):
    """Place the picture that waits behind this scene"""

    bl_idname = "spade.place_kept"
    bl_label = "Place Here"

    def run(self, context) -> None:
        session = current_session()
        for job in session.board.finished[-1:]:
            job.error = None
            session.dismiss()
            place_picture(session.board, job, context.scene)


class SPADE_OT_discard_kept(ReportsErrors, bpy.types.Operator):
    """Throw the picture that waits away"""

    bl_idname = "spade.discard_kept"
    bl_label = "Discard"

    def run(self, context) -> None:
        session = current_session()
        for job in session.board.finished[-1:]:
            session.board.discard(job)
        session.dismiss()


class SPADE_OT_show(ReportsErrors, bpy.types.Operator):
    """Show the blocks, the picture that was painted from them, or both, in views and in renders"""

    bl_idname = "spade.show"
    bl_label = "Show"
    bl_options = {"REGISTER", "UNDO"}

    what: bpy.props.EnumProperty(
        name="Show",
        description="What is seen of the blocks and of the picture",
        items=SHOWN,
    )

    @classmethod
    def description(cls, context, properties) -> str:
        return next(text for name, _, text in SHOWN if name == properties.what)

    def run(self, context) -> None:
        show(context.scene, self.what)
        if self.what != "BLOCKS" and isinstance(context.space_data, bpy.types.SpaceView3D):
            look_at_picture(context.space_data)


class SPADE_OT_show_backdrop(ReportsErrors, bpy.types.Operator):
    """Look through the camera and show materials: solid view does not show pictures"""

    bl_idname = "spade.show_backdrop"
    bl_label = "Show Backdrop"

    @classmethod
    def poll(cls, context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"

    def run(self, context) -> None:
        look_at_picture(context.space_data)


class SPADE_OT_place_again(ReportsErrors, bpy.types.Operator):
    """Put a picture that was painted earlier behind the scene again"""

    bl_idname = "spade.place_again"
    bl_label = "Place Again"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Picture", description="Name of the image")

    def run(self, context) -> None:
        image = bpy.data.images.get(self.name)
        if image is None or image not in generated_images():
            raise BadImageError(f"The file has no picture '{self.name}'.", "Choose one from the menu.")
        place_backdrop(context.scene, image)
        show_landed(context.scene)


CLASSES = (
    SPADE_OT_place_kept,
    SPADE_OT_discard_kept,
    SPADE_OT_show,
    SPADE_OT_show_backdrop,
    SPADE_OT_place_again,
)
