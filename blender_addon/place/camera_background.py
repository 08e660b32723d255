# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture as the background image of its camera: seen in every view through the camera, whatever its shading.

It fills the camera's frame whatever lens, shift and resolution, behind the scene or before it, as opaque as its own
settings say. Renders do not show it: Blender's background images are for views.

The camera's own background images stay. Where they were switched off as a whole they stay unseen, one by one, and all
is as it was when ours goes.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..contract.errors import BadOptionError
from ..properties import settings
from ..scene.view import camera_data
from .image import play, tag_image

# Custom properties of a camera's data: the picture that our background image shows, and, where its background images
# were switched off, which of the others were shown one by one.
_PICTURE, _OFF = "spade_background", "spade_backgrounds_off"


def place_background(
    scene: bpy.types.Scene, image: bpy.types.Image, camera: bpy.types.Object
) -> bpy.types.CameraBackgroundImage:
    """Show a picture as a camera's background image; the one that was there makes room.

    Raises BadOptionError as `refuse_linked` does.
    """
    refuse_linked(camera)
    lens = camera_data(camera)
    background = background_of(camera) or _new_background(lens)
    background.image = lens[_PICTURE] = image
    play(background.image_user, image)
    tag_image(image)
    fit_background(scene, camera)
    return background


def refuse_linked(camera: bpy.types.Object) -> None:
    """Raises BadOptionError for a camera of a linked file, which cannot be given a background image."""
    if camera_data(camera).library is not None:
        raise BadOptionError(
            f"The camera '{camera.name}' is linked, and takes no background image.",
            "Place the picture on a backdrop, or make a library override of the camera.",
        )


def fit_background(scene: bpy.types.Scene, camera: bpy.types.Object) -> None:
    """Show a camera's background image of ours, or hide it, as the scene says."""
    background, is_shown = background_of(camera), settings(scene).show != "BLOCKS"
    if background is not None and background.show_background_image != is_shown:
        background.show_background_image = is_shown


def background_of(camera: bpy.types.Object) -> bpy.types.CameraBackgroundImage | None:
    """Our background image of a camera."""
    lens = camera_data(camera)
    picture = lens.get(_PICTURE)
    if picture is None:
        return None
    return next((each for each in lens.background_images if each.image == picture), None)


def remove_background(camera: bpy.types.Object) -> None:
    """Take ours away; the picture stays in the file, and the camera's own are as they were."""
    lens, background = camera_data(camera), background_of(camera)
    if background is not None:
        lens.background_images.remove(background)
    if _OFF in lens:
        own: Any = lens.background_images
        for each, was_shown in zip(own, lens[_OFF], strict=False):
            each.show_background_image = bool(was_shown)
        lens.show_background_images = False
    for mark in (_PICTURE, _OFF):
        if mark in lens:
            del lens[mark]


def _new_background(lens: bpy.types.Camera) -> bpy.types.CameraBackgroundImage:
    own: Any = lens.background_images
    if not lens.show_background_images:
        lens[_OFF] = [int(each.show_background_image) for each in own]
        for each in own:
            each.show_background_image = False
        lens.show_background_images = True
    background = own.new()
    background.source, background.alpha = "IMAGE", 1.0
    background.frame_method = "STRETCH"  # the picture was painted for exactly the frame
    return background
