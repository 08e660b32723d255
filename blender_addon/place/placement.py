# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pictures are shown: on a backdrop, as the background image of their camera, on cards, on the blocks themselves.

A camera has at most one of them. A scene says which in `scene.spade.placement`; the pictures stay when it changes.
"""

from __future__ import annotations

import bpy

from ..bridge.sight import Sight
from ..contract.errors import BadOptionError
from ..properties import settings
from ..scene.borrow import borrowed
from ..scene.view import camera_of, flat_camera_of
from .backdrop import backdrop_of, fit_backdrop, picture_of, place_backdrop, remove_backdrop
from .camera_background import (
    background_of,
    fit_background,
    place_background,
    refuse_linked,
    remove_background,
)
from .image import FRAMES, PROVENANCE, is_painting, provenance_of
from .layers.cards import fit_layers, layers_of, place_layers, remove_layers
from .layers.kept import cards_in
from .panorama_world import match_world, panorama_of, place_panorama, remove_panorama
from .projection.group import projector_in
from .projection.projections import fit_projections, projection_of, remove_projections
from .projection.sights import lay_on_blocks, lay_panorama_on_blocks, sight_in, sights_of
from .tile_material import fit_tile, place_tile, tile_of


def place(
    scene: bpy.types.Scene,
    image: bpy.types.Image,
    camera: bpy.types.Object | None = None,
    sight: Sight | None = None,
) -> None:
    """Show a generated picture by the scene's placement, for a camera, the active one if none is given.

    sight: what that camera saw when the labels were taken; one with things hidden only completes a projection.
    For a projection of a picture without one, what the file keeps with it counts, else what the camera sees now, which
    is rendered.
    Raises NoCameraError without a camera that has a flat frame, BadOptionError for a placement that the camera cannot
    have, and for a projection what a label pass raises.
    """
    kind = kind_of(image)
    if kind == "PANORAMA":
        for each in placed_cameras(scene):
            _clear(scene, each)
        if settings(scene).panorama_on_blocks:
            lay_panorama_on_blocks(scene, image, camera or camera_of(scene))
        place_panorama(scene, image)
        return
    if kind == "TILE":
        place_tile(scene, image)
        return
    placement, camera = settings(scene).placement, camera or flat_camera_of(scene)
    kept = sight or sight_in(image)
    completes = placement == "PROJECTION" and projection_of(scene, camera) is not None
    if sight is not None and sight.hidden and not completes:
        return  # what it was to complete is gone, by undo or by Place As; the history has it
    if placement == "PROJECTION" and kept is not None and kept.hidden:
        lay_on_blocks(scene, image, camera, kept)
        return
    _take_around_away(scene)
    if placement != "LAYERS":
        remove_layers(scene, camera)
    if placement == "BACKGROUND_IMAGE":
        place_background(scene, image, camera)
        remove_projections(scene, camera)
        if (backdrop := backdrop_of(scene, camera)) is not None:
            remove_backdrop(backdrop)
        return
    if placement == "PROJECTION":
        lay_on_blocks(scene, image, camera, sight)
    else:
        remove_projections(scene, camera)
    remove_background(camera)
    # Behind a projection it carries the sky; cards are shown before it.
    place_backdrop(scene, image, camera)
    if placement == "LAYERS" and not is_painting(image):  # that of a job that is cancelled makes room again
        place_layers(scene, image, camera)


def kind_of(image: bpy.types.Image) -> str:
    """ "PANORAMA" or "TILE" for a picture whose ends meet, which is shown in no other way; else ""."""
    return {"horizontal": "PANORAMA", "both": "TILE"}.get(str(provenance_of(image).get("wrap", "")), "")


def placed_picture(scene: bpy.types.Scene, camera: bpy.types.Object) -> bpy.types.Image | None:
    """The picture that is shown for a camera."""
    background = background_of(camera)
    return background.image if background is not None else picture_of(scene, camera)


def shown_picture(scene: bpy.types.Scene) -> bpy.types.Image | None:
    """The picture that a scene shows by its placement: its world, its tile, or that of the active camera."""
    placement = settings(scene).placement
    if placement == "PANORAMA":
        return panorama_of(scene)
    if placement == "TILE":
        return tile_of(scene)
    return placed_picture(scene, scene.camera) if scene.camera is not None else None


def is_placed(scene: bpy.types.Scene, image: bpy.types.Image, camera: bpy.types.Object | None) -> bool:
    """Whether `place` would change nothing. camera: of a flat picture."""
    if kind := kind_of(image):
        return (panorama_of(scene) if kind == "PANORAMA" else tile_of(scene)) == image
    assert camera is not None
    background = background_of(camera)
    if settings(scene).placement == "BACKGROUND_IMAGE":
        return background is not None and background.image == image
    if settings(scene).placement == "PROJECTION":
        return False  # what it is projected from is another each time
    if settings(scene).placement == "LAYERS" and cards_in(image) and layers_of(scene, camera) != image:
        return False
    return background is None and projection_of(scene, camera) is None and picture_of(scene, camera) == image


def placed_cameras(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The cameras of the scene that a picture is shown for."""
    cameras = [thing for thing in scene.objects if isinstance(thing.data, bpy.types.Camera)]
    return [camera for camera in cameras if placed_picture(scene, camera) is not None]


def shows_or_has_pictures(scene: bpy.types.Scene) -> bool:
    """Whether there is anything to see beside the blocks: a picture of the file, or frames that a camera shows."""
    return any(PROVENANCE in image for image in bpy.data.images) or bool(placed_cameras(scene))


def switch_placement(scene: bpy.types.Scene, placement: str) -> None:
    """Show all pictures of the scene in another way; for a panorama or a tile the next one is painted.

    Of a picture that was painted without its layers, the backdrop is shown until it is generated again. Raises
    BadOptionError for one that a camera or its frames cannot have, and for projections what a label pass raises;
    nothing has changed then.
    """
    if placement in ("PANORAMA", "TILE"):  # what is shown stays until there is a picture of this kind
        settings(scene).placement = placement
        return
    pictures = [
        (camera, picture)
        for camera in placed_cameras(scene)
        if (picture := placed_picture(scene, camera)) is not None
    ]
    for camera, _ in pictures if placement == "BACKGROUND_IMAGE" else ():
        refuse_linked(camera)
    for _, picture in pictures if placement == "PROJECTION" else ():
        _refuse_frames(picture)
    sights = {}
    if placement == "PROJECTION":
        with borrowed(settings(scene), placement=placement):  # by which a label pass looks ahead, or around
            sights = sights_of(scene, pictures)
    settings(scene).placement = placement
    for camera, picture in pictures:
        place(scene, picture, camera, sights.get(camera))


def _refuse_frames(picture: bpy.types.Image) -> None:
    """Raises BadOptionError for frames: each was painted from another place, and a projection stays where it is."""
    if FRAMES in picture:
        raise BadOptionError(
            "Frames cannot be projected.",
            "Take Away comes first; the files stay.",
        )


def remove_placement(scene: bpy.types.Scene, camera: bpy.types.Object) -> None:
    """Let a camera see what it saw before, and the scene have its own world; the picture stays in the file."""
    _take_around_away(scene)
    _clear(scene, camera)


def _take_around_away(scene: bpy.types.Scene) -> None:
    """Take a panorama away, from the world and off the blocks."""
    remove_panorama(scene)
    entries = settings(scene).projections
    for camera in {each.camera for each in entries if projector_in(each.group).is_around}:
        remove_projections(scene, camera)


def _clear(scene: bpy.types.Scene, camera: bpy.types.Object) -> None:
    remove_background(camera)
    remove_projections(scene, camera)
    remove_layers(scene, camera)
    if (backdrop := backdrop_of(scene, camera)) is not None:
        remove_backdrop(backdrop)


def fit(scene: bpy.types.Scene) -> None:
    """Bring all that is shown in line with the scene's settings."""
    fit_backdrop(scene)
    fit_layers(scene)
    fit_projections(scene)
    match_world(scene)
    fit_tile(scene)
    for camera in placed_cameras(scene):
        fit_background(scene, camera)
