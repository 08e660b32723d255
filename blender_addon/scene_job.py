# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene as it is now as a job on the board: first what is wrong with it, then its labels, taken here or in the
background."""

from __future__ import annotations

import time
from dataclasses import replace

import bpy
import numpy as np

from .bridge.jobs import Job, JobState, SceneRequest
from .bridge.sight import Sight
from .contract.errors import BadLabelError, BusyError
from .contract.messages import EXACT, PREVIEW
from .contract.request import MOST_DETAIL
from .label_taking import current_labels
from .place.colors import find_colors
from .place.projection.sights import wanted_sight
from .properties import settings
from .scene.label_pass import LabelPass
from .scene.label_rules import scene_label_set
from .scene.label_worker import PassRequest
from .scene.layered_pass import take_pass
from .scene.other_view import AS_IT_IS, OtherView
from .scene.panorama import yaw_of
from .scene.view import camera_of, flat_camera_of, label_map_shape
from .session import current_session
from .style.class_styles import chosen_names, paints_parts
from .style.wanted import WantedStyle, wanted_style

AROUND = 3.0
"""Times the detail of a panorama: it shows dozens of times what a camera sees."""


def submit_scene(
    context: bpy.types.Context,
    in_background: bool | None = None,
    objects_later: bool = False,
    sight: Sight | None = None,
    view: OtherView = AS_IT_IS,
) -> Job:
    """Check, and hand the request to the board; the picture comes later. Raises SpadeError.

    in_background: whether the labels may be taken there, as they are where Blender has a window; the job is in state
    TAKING until they are. Else, or where only this Blender can take them, the call takes as long as the label pass.
    objects_later: where it is not known yet whether the model looks at objects, the caller will `take_wanted_objects`;
    else they are taken in case it does.
    sight, view: of a picture that is painted of the scene seen otherwise; by default as `wanted_sight` has it.
    """
    scene, pressed_at, board = context.scene, time.monotonic(), current_session().board
    shape, label_set = label_map_shape(scene), scene_label_set(scene)
    style = ready_to_paint(scene, shape)
    if settings(scene).placement == "TILE":
        request = scene_request(scene, _tile_labels(scene, shape), style, pressed_at)
        job = board.add(request, pressed_at, JobState.TAKING)
        board.labels_taken(job, request.label_map)
        return job
    sight = sight or wanted_sight(scene)
    with_depth, with_layers = sight is not None, settings(scene).placement == "LAYERS"
    wanted_pass = _written_for_background(context, shape, in_background, with_depth, view, with_layers)
    if wanted_pass is None:
        looks = current_session().connection.looks_at_objects(settings(scene).model)
        with_objects = bool(looks) or (looks is None and not objects_later)
        taken = take_labels_here(context, scene, shape, with_objects, with_depth, view, with_layers)
        request = replace(scene_request(scene, taken.label_map, style, pressed_at), sight=sight)
        job = board.add(request, pressed_at, JobState.TAKING)
        can_come = looks is None and objects_later
        board.labels_taken(job, taken.label_map, taken.instance_map, can_come, taken.fine_depth, taken.layers)
        return job
    none_yet = np.full(shape, label_set.ignore_id, label_set.dtype)
    request = replace(scene_request(scene, none_yet, style, pressed_at), sight=sight)
    job = board.add(request, pressed_at, JobState.TAKING)
    current_labels().add(job, wanted_pass)
    return job


def ready_to_paint(scene: bpy.types.Scene, shape: tuple[int, int]) -> WantedStyle:
    """Check what is wrong at once, before what costs time, and begin to connect. Raises SpadeError."""
    if bpy.app.is_job_running("RENDER"):
        raise BusyError("Blender is rendering.", fix="Generate again when the render is done.")
    session, wanted = current_session(), settings(scene)
    session.dismiss()
    _camera_name(scene)  # a backdrop needs one, and a panorama
    session.connect()
    if not bpy.app.background:
        current_labels().warm()
    find_colors(scene)  # is found while the server paints
    if (problem := session.connection.too_large(shape)) is not None:
        raise problem
    if (problem := session.connection.missing_style(wanted.model, chosen_names(wanted))) is not None:
        raise problem
    if paints_parts(wanted) and (problem := session.connection.one_style(wanted.model)) is not None:
        raise problem
    return wanted_style(scene)


def scene_request(
    scene: bpy.types.Scene, label_map: np.ndarray, style: WantedStyle, pressed_at: float
) -> SceneRequest:
    """The request for these labels, (H, W) ids, with all else as it is set in the scene."""
    wanted = settings(scene)
    return SceneRequest(
        label_map=label_map,
        label_set=scene_label_set(scene),
        model=wanted.model,
        seed=wanted.seed,
        scene_uid=scene.session_uid,
        scene_name=scene.name,
        blend_file=bpy.data.filepath,
        camera_name=_camera_name(scene),
        label_seconds=time.monotonic() - pressed_at,
        upscale="auto" if wanted.upscale else "off",
        detail=detail_of(scene),
        # Blender's numbers are single: 0.3 is to be the 0.3 of the command line. Cards are cut where blocks end.
        natural_edges=0.0 if wanted.placement == "LAYERS" else round(wanted.natural_edges, 6),
        precision=PREVIEW if wanted.preview else EXACT,
        style=style.style,
        strength=style.strength,
        style_facts=style.facts,
        placed_styles=style.placed,
        softness=style.softness,
        wrap=(wanted.placement == "TILE", wanted.placement in ("PANORAMA", "TILE")),
        yaw=yaw_of(camera_of(scene)) if wanted.placement == "PANORAMA" else 0.0,
    )


def detail_of(scene: bpy.types.Scene) -> float:
    """As in PictureRequest."""
    wanted = settings(scene)
    detail = round(wanted.detail, 6) * (AROUND if wanted.placement == "PANORAMA" else 1.0)
    return min(detail, float(MOST_DETAIL)) if wanted.upscale else 1.0


def _camera_name(scene: bpy.types.Scene) -> str:
    """Of the camera that a picture is of. Raises NoCameraError."""
    placement = settings(scene).placement
    if placement == "TILE":
        return ""
    return (camera_of(scene) if placement == "PANORAMA" else flat_camera_of(scene)).name


def _tile_labels(scene: bpy.types.Scene, shape: tuple[int, int]) -> np.ndarray:
    """All of one class. Raises BadLabelError where the label set does not have it."""
    label_set, wanted = scene_label_set(scene), settings(scene).tile_class
    entry = next((each for each in label_set.classes if each.name == wanted), None)
    if entry is None:
        raise BadLabelError(
            f"A tile is of the class '{wanted}', which the label set does not have.",
            "Choose another class in the Place As panel.",
        )
    return np.full(shape, entry.id, label_set.dtype)


def _written_for_background(
    context: bpy.types.Context,
    shape: tuple[int, int],
    in_background: bool | None,
    with_depth: bool,
    view: OtherView,
    with_layers: bool,
) -> PassRequest | None:
    """The scene as a file for the background, or None where the labels are to be taken here."""
    for thing in context.objects_in_mode if context.mode.startswith("EDIT") else ():
        thing.update_from_editmode()  # The labels are to be of what the user sees.
    if in_background is None:
        in_background = not bpy.app.background
    if not in_background or not current_labels().can_take(context.scene):
        return None
    return current_labels().write(context.scene, shape, with_depth, view, with_layers)


def take_labels_here(
    context: bpy.types.Context,
    scene: bpy.types.Scene,
    shape: tuple[int, int],
    with_objects: bool,
    with_depth: bool = False,
    view: OtherView = AS_IT_IS,
    with_layers: bool = False,
) -> LabelPass:
    """Take them at once, with the mouse as a bar."""
    manager, window = context.window_manager, context.window
    manager.progress_begin(0, 100)
    if window:
        window.cursor_modal_set("WAIT")
    try:
        return take_pass(
            scene,
            shape,
            lambda fraction: manager.progress_update(100 * fraction),
            with_objects,
            with_depth,
            view,
            with_layers=with_layers,
        )
    finally:
        manager.progress_end()
        if window:
            window.cursor_modal_restore()
