# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames as an image sequence: on the backdrops of the cameras that see them, or as an image for materials."""

from __future__ import annotations

import bpy

from ..picture_folder import PictureFolder
from ..place.backdrop import place_backdrop
from ..place.camera_background import place_background, remove_background
from ..place.image import FRAMES, tag_image
from ..place.projection.projections import remove_projections
from ..place.show import show_landed
from ..properties import settings
from .animator import name_of

SEQUENCE = "spade_frames"
"""Custom property of an image: the folder of its frames."""


def show_frames(scene: bpy.types.Scene, frames: range, folder: PictureFolder) -> bpy.types.Image:
    """Load the frames, and show them as the scene says. Raises BadOptionError where a camera cannot have them."""
    image = _sequence(scene, frames, folder)
    if settings(scene).frames_as == "IMAGE":
        return image
    entries = [folder.entry(name_of(frame)) for frame in frames]
    cameras = {entry.facts["camera"] for entry in entries if entry is not None}
    for camera in [thing for thing in scene.objects if thing.type == "CAMERA" and thing.name in cameras]:
        if settings(scene).placement == "BACKGROUND_IMAGE":
            place_background(scene, image, camera)
            continue
        remove_projections(scene, camera)
        remove_background(camera)
        place_backdrop(scene, image, camera)
    show_landed(scene)
    return image


def _sequence(scene: bpy.types.Scene, frames: range, folder: PictureFolder) -> bpy.types.Image:
    """The image of a folder's frames; the file has each once, and reads it anew."""
    known = next((image for image in bpy.data.images if image.get(SEQUENCE) == str(folder.folder)), None)
    image = known or bpy.data.images.load(str(folder.path(name_of(frames[0]))))
    if known is None:
        image.name = f"Frames {scene.name}"
        image[SEQUENCE] = str(folder.folder)
        image.use_fake_user = True
    image.filepath = (
        bpy.path.relpath(str(folder.path(name_of(frames[0])))) if bpy.data.filepath else image.filepath
    )
    image.source = "SEQUENCE"
    image[FRAMES] = [frames[0], frames[-1]]
    image.alpha_mode = "NONE"
    tag_image(image, scene)
    image.reload()
    return image
