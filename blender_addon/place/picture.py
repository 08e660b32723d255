# SPDX-License-Identifier: GPL-3.0-or-later
"""Placing finished pictures: when that may be, in which scene, and what the stored image says of itself."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

import bpy

from ..bridge.jobs import Job, JobBoard, SceneRequest
from ..contract.errors import SpadeError
from ..contract.version import VERSION
from .backdrop import backdrop_of, place_backdrop
from .image import store_image

# A tool in the user's hand: a picture that lands now would end up inside its undo step.
HANDS_FULL = ("TRANSFORM_OT_", "PAINT_OT_", "SCULPT_OT_", "MESH_OT_", "CURVE_OT_", "VIEW3D_OT_interactive")


def place_picture(board: JobBoard, job: Job, scene: bpy.types.Scene) -> None:
    """Pack the picture into the file, put it behind the scene, and make that one undo step.

    Raises SpadeError where the scene refuses it: the picture then stays on the board, and the reason is the job's.
    """
    assert job.rgb is not None
    try:
        image = store_image(job.rgb, f"Backdrop {scene.name}", scene, provenance(job))
        with _camera_of_the_request(scene, job.request.camera_name):
            place_backdrop(scene, image)
    except SpadeError as problem:
        job.error = problem
        raise
    board.placed(job)
    bpy.ops.ed.undo_push(message="Place Backdrop")


def scene_of(request: SceneRequest) -> bpy.types.Scene | None:
    """The scene a request came from, also after undo and after its file was loaded again; None when it is gone."""
    for scene in bpy.data.scenes:
        if scene.session_uid == request.scene_uid:
            return scene
    if request.blend_file and request.blend_file == bpy.data.filepath:
        return bpy.data.scenes.get(request.scene_name)
    return None


def hindrance() -> str | None:
    """Why a picture cannot land this moment, for the panel; None when it can."""
    if bpy.app.is_job_running("RENDER"):
        return "after the render"
    if bpy.context.mode != "OBJECT":
        # Other modes keep an undo history of their own, which would lose the backdrop.
        return "when you are back in Object Mode"
    for window in bpy.context.window_manager.windows:
        if any(tool.bl_idname.startswith(HANDS_FULL) for tool in window.modal_operators):
            return "when your tool is done"
    return None


def provenance(job: Job) -> dict[str, str | int | float]:
    """What the stored image says about how it was made; enough to make it again."""
    request = job.request
    facts: dict[str, str | int | float] = {
        "software": f"Spade Backdrops {VERSION}",
        "model": request.model,
        "model_digest": job.model_digest,
        "label_set": request.label_set.name,
        "label_set_digest": request.label_set.digest,
        "seed": request.seed,
        "camera": request.camera_name,
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    if request.style_seed is not None:
        facts["style_seed"] = request.style_seed
    if job.upscaler:
        facts["upscaler"] = job.upscaler
    return facts


@contextmanager
def _camera_of_the_request(scene: bpy.types.Scene, name: str) -> Iterator[None]:
    """Look through the camera the labels were taken from: the user may have switched since."""
    now = scene.camera
    then = scene.objects.get(name)
    if then is None or then == now or then.type != "CAMERA":
        yield
        return
    scene.camera = then
    try:
        yield
    finally:
        scene.camera = now
        # Each camera sees its own backdrop only.
        for camera in (then, now) if now else ():
            backdrop = backdrop_of(scene, camera)
            if backdrop is not None:
                backdrop.hide_render = backdrop.hide_viewport = camera != now
