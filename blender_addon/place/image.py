# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated pictures as images in the .blend: packed, kept, and shown in the colours they were made with.

A generated picture is finished sRGB; the scene's view transform would change it once more. On a backdrop, nodes undo
that (`colors`), and the image is data to Blender. Where there are none yet it is tagged with the colour space that
comes nearest ("AgX Base sRGB" under AgX).
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..contract.errors import BadImageError
from .view_inverse import View

PROVENANCE = "spade_provenance"
"""Custom property of a generated picture: how it was made, as JSON."""

DIGEST = "spade_digest"
"""Custom property of an image that belongs to pictures: SHA-256 of what it holds."""

JOB = "spade_job"
"""Custom property of a picture that stands in for one that is not finished: the job that it belongs to."""

FRAMES = "spade_frame_range"
"""Custom property of an image sequence: its first frame and its last, by the scene's numbers and the files' alike."""

_OF_THE_MOMENT = ("made", "seconds", "model_terms", "upscaler_terms")
"""What may differ between two pictures that are the same."""

# By view transform; anything else shows sRGB. A version that lacks the space falls back to sRGB, too.
_COLOR_SPACES = {
    "AgX": "AgX Base sRGB",
    "Filmic": "Filmic sRGB",
    "Khronos PBR Neutral": "Khronos PBR Neutral sRGB",
    "ACES 1.3": "ACES 1.3 sRGB",
    "ACES 2.0": "ACES 2.0 sRGB",
    "Raw": "Non-Color",
}
_EXACT = ("Standard", "Raw")
_SRGB = ("sRGB", "sRGB - Texture", "Utility - sRGB - Texture", "srgb_texture", "srgb_tx")


def store_image(
    rgb: np.ndarray, name: str, scene: bpy.types.Scene, provenance: dict[str, str | int | float]
) -> bpy.types.Image:
    """Pack a picture, (H, W, 3) uint8 sRGB with row 0 at the top, into the .blend, to stay even while unused.

    `provenance` says how it was made, kept as JSON in the custom property PROVENANCE. A name that is taken gets a
    number. Raises BadImageError for an array that is no such picture.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise BadImageError(
            f"An array of {rgb.dtype} {rgb.shape} is no picture.", "Give (H, W, 3) bytes of sRGB."
        )
    image = pack_pixels(rgb, name, scene)
    # A later picture takes this one's place in the scene; it must stay in the file all the same.
    image.use_fake_user = True
    image[PROVENANCE] = json.dumps(provenance, ensure_ascii=False)
    return image


def pack_pixels(rgb: np.ndarray, name: str, scene: bpy.types.Scene | None = None) -> bpy.types.Image:
    """A new image of (H, W, 3) uint8 sRGB, row 0 at the top, packed as PNG; tagged for the view of a scene, if any.

    With a fourth channel, straight alpha, it is see-through.
    """
    height, width, channels = rgb.shape
    image = bpy.data.images.new(name, width, height, alpha=channels == 4)
    # First the tag, then the pixels: the bytes stay what they are, only their meaning is set.
    if scene is not None:
        tag_image(image, scene)
    pixels = np.ones((height, width, 4), np.float32)
    np.divide(
        rgb[::-1], 255, out=pixels[..., :channels], dtype=np.float32
    )  # Blender counts rows from the bottom
    flat: Any = pixels.ravel()  # a sequence to Blender, though not to its type stubs
    image.pixels.foreach_set(flat)
    image.update()
    image.pack()
    image.alpha_mode = "STRAIGHT" if channels == 4 else "NONE"
    return image


def pack_file(content: bytes, name: str) -> bpy.types.Image:
    """A new image of the bytes of a picture file, packed as they are."""
    with tempfile.TemporaryDirectory(prefix="spade-") as folder:
        file = Path(folder) / "picture.png"
        file.write_bytes(content)
        image = bpy.data.images.load(str(file))
        image.name = name
        image.pack()
    image.filepath_raw = ""
    image.alpha_mode = "NONE"
    return image


def is_painting(image: bpy.types.Image) -> bool:
    """Whether an image stands in for one that is not finished."""
    return JOB in image


def provenance_of(image: bpy.types.Image) -> dict[str, str | int | float]:
    """How a generated picture was made; empty for any other image."""
    return json.loads(image.get(PROVENANCE, "{}"))


def generated_images() -> list[bpy.types.Image]:
    """The generated pictures in the file, the newest last."""
    found = [image for image in bpy.data.images if PROVENANCE in image]
    return sorted(found, key=lambda image: str(provenance_of(image).get("made", "")))


def same_image(provenance: dict[str, str | int | float]) -> bpy.types.Image | None:
    """The picture in the file with the same pixels, made in the same way, whenever and in however much time."""

    def lasting(facts: dict[str, str | int | float]) -> dict[str, str | int | float]:
        return {name: value for name, value in facts.items() if name not in _OF_THE_MOMENT}

    wanted = lasting(provenance)
    return next((image for image in generated_images() if lasting(provenance_of(image)) == wanted), None)


def tag_image(image: bpy.types.Image, scene: bpy.types.Scene | None = None, raw: bool = False) -> None:
    """Say what a picture's bytes mean: nothing (`raw`), or what comes nearest to finished sRGB in a scene's view.

    Without a scene they are plain sRGB, for what is shown past any view.

    OpenColorIO configurations call that what they like; one without any of our names keeps what it thinks of images.
    """
    settings = image.colorspace_settings
    if raw:
        if not settings.is_data:
            settings.is_data = True
        return
    known = _known_color_spaces()
    view = scene.view_settings.view_transform if scene is not None else "Standard"
    wanted = (_COLOR_SPACES.get(view, "sRGB"), *_SRGB)
    name = next((each for each in wanted if each in known), settings.name)
    if settings.name != name:
        settings.name = name


def has_color_space(view: View) -> bool:
    """Whether a picture comes out of a view to the byte by a colour space alone."""
    plain = view.gamma == 1 and view.white is None and view.display == "sRGB"
    return (
        plain
        and view.transform in _EXACT
        and _COLOR_SPACES.get(view.transform, "sRGB") in _known_color_spaces()
    )


def _known_color_spaces() -> list[str]:
    return bpy.types.ColorManagedInputColorspaceSettings.bl_rna.properties["name"].enum_items.keys()


def play(user: Any, image: bpy.types.Image) -> None:
    """Let whatever shows an image sequence of ours, by its image user, show the file of the scene's frame; before and
    after them the first and the last. Other images stand still."""
    if FRAMES not in image:
        return
    first, last = image[FRAMES]
    user.frame_start, user.frame_offset, user.frame_duration = first, first - 1, last - first + 1
    user.use_auto_refresh, user.use_cyclic = True, False
