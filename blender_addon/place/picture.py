# SPDX-License-Identifier: GPL-3.0-or-later
"""Placing finished pictures: when that may be, in which scene, and what the stored image says of itself."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import bpy
import numpy as np

from ..bridge.jobs import Job, JobBoard, JobState, SceneRequest
from ..bridge.layer_painting import LayerPainting
from ..contract.errors import NoCameraError, SpadeError
from ..contract.messages import EXACT
from ..contract.version import VERSION
from ..history import records
from ..properties import settings
from ..scene.standpoint import put_camera, remove_camera
from ..scene.view import FLAT, flat_camera_of
from .image import same_image, store_image
from .layers.kept import keep_layers, keep_layers_of, layers_in
from .painting import keep_painting, painting_of, place_painting, swap_painting, take_back
from .placement import is_placed, kind_of, place, placed_cameras, placed_picture
from .projection.sights import keep_sight
from .show import show_landed
from .zenith import calmed

PANORAMA = (False, True)
"""The axes of a panorama that meet."""

# A tool in the user's hand: a picture that lands now would end up inside its undo step.
HANDS_FULL = ("TRANSFORM_OT_", "PAINT_OT_", "SCULPT_OT_", "MESH_OT_", "CURVE_OT_", "VIEW3D_OT_interactive")


def place_picture(board: JobBoard, job: Job, scene: bpy.types.Scene) -> None:
    """Put the picture behind the scene, packed into the file, let it be seen, and make that one undo step.

    The history has it then, and lets go of its oldest where it would take too much. What is in the file already, made
    in the same way, is not stored again; where it is in place, too, nothing changes.
    Raises SpadeError where the scene refuses it: the picture then stays on the board, and the reason is the job's.
    """
    small = painting_of(job)
    try:
        with _camera_for(job, scene) as camera:
            image, known = _stored(job, scene)
            job.is_new = not known or small is not None or not is_placed(scene, image, camera)
            if job.request.wrap == PANORAMA and job.request.sight is not None:
                keep_sight(image, job.request.sight)
            if job.request.repaint is not None and (
                base := bpy.data.images.get(job.request.repaint.base_name)
            ):
                keep_layers_of(image, base, _shown(job))
            if job.is_new:
                place(scene, image, camera, job.request.sight)
    except SpadeError as problem:
        job.error = problem
        raise
    if small is not None:
        swap_painting(small, image, keep_name=not known)
    if kind_of(image) != "TILE":  # which is seen on the blocks
        show_landed(scene)
    board.placed(job)
    records.trim(settings(scene).history_limit * 2**20)
    if job.is_new:
        bpy.ops.ed.undo_push(message="Place Backdrop")


@contextmanager
def _camera_for(job: Job, scene: bpy.types.Scene) -> Iterator[bpy.types.Object | None]:
    """The camera that a picture is placed for, None for a panorama or a tile; one that is not there yet comes, and goes
    again where the picture is refused."""
    request = job.request
    if request.standpoint is None:
        yield None if any(request.wrap) else _camera_of(scene, request)
        return
    here = put_camera(scene, request.standpoint)
    job.request = replace(request, camera_name=here.name, standpoint=None)
    try:
        yield here
    except Exception:
        job.request = request
        remove_camera(here)
        raise


def keep_picture(board: JobBoard, job: Job, scene: bpy.types.Scene) -> None:
    """Let the history have a picture that is not shown. Raises SpadeError as `place_picture` does."""
    _, known = _stored(job, scene)
    job.is_new = not known
    board.placed(job)
    records.trim(settings(scene).history_limit * 2**20)


def _stored(job: Job, scene: bpy.types.Scene) -> tuple[bpy.types.Image, bool]:
    """The image of a finished job with what it was made of, and whether the file had it already."""
    assert job.rgb is not None
    facts = provenance(job)
    known, rgb = same_image(facts), _shown(job)
    image = known or store_image(rgb, f"Backdrop {scene.name}", scene, facts)
    records.record(image, job.request, rgb)
    return image, known is not None


def _shown(job: Job) -> np.ndarray:
    """What of a finished job is shown, (H, W, 3) uint8."""
    assert job.rgb is not None
    if job.request.repaint is not None:
        return job.request.repaint.composited(job.rgb)
    return calmed(job.rgb) if job.request.wrap == PANORAMA else job.rgb


def wants_layers(job: Job) -> bool:
    """Whether what stands behind a picture that was placed is still to be painted."""
    wanted, image = job.request.layers, same_image(provenance(job))
    if wanted is None or image is None or job.request.repaint is not None:
        return False
    kept = layers_in(image)
    return kept is None or not kept.is_like(wanted)


def lay_out(painted: LayerPainting, cards: list[np.ndarray], scene: bpy.types.Scene) -> None:
    """Keep the cards of a picture with it, and let them stand where it is still shown as layers: one undo step."""
    image = same_image(provenance(painted.placed))
    if image is None:
        return  # somebody has removed it meanwhile
    keep_layers(image, painted.layers, cards)
    showing = [each for each in placed_cameras(scene) if placed_picture(scene, each) == image]
    if settings(scene).placement == "LAYERS" and showing:
        for camera in showing:
            place(scene, image, camera)
        bpy.ops.ed.undo_push(message="Place Layers")
    records.trim(settings(scene).history_limit * 2**20)


def show_painting(job: Job, scene: bpy.types.Scene) -> None:
    """Show the small picture that is being enlarged, in place. Raises NoCameraError.

    Not on the blocks: what it replaced there could not be brought back as it was.
    """
    sight = job.request.sight
    if settings(scene).is_on_blocks or (sight is not None and sight.hidden):
        return
    place_painting(job, scene, _camera_of(scene, job.request), provenance(job))


def settle_painting(job: Job) -> None:
    """A job whose painting was shown has ended: see `painting` for what stays."""
    small = painting_of(job)
    if small is None:
        return
    if job.state is JobState.FAILED:
        keep_painting(small)
        assert job.painting is not None
        records.record(small, job.request, job.painting)
        bpy.ops.ed.undo_push(message="Place Backdrop")
    elif job.state is JobState.CANCELLED:
        take_back(small)


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
        "upscale": request.upscale,
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
    }
    facts |= request.style_facts
    if any(request.wrap):
        facts["wrap"] = "both" if request.wrap[0] else "horizontal"
    if request.repaint is not None:
        facts |= {"region_of": request.repaint.base_name, "region": request.repaint.digest}
    if request.wrap == PANORAMA:
        facts["yaw"] = round(request.yaw, 6)
    if request.detail != 1:
        facts["detail"] = request.detail
    if request.natural_edges:
        facts["natural_edges"] = request.natural_edges
    if request.precision != EXACT:
        facts["precision"] = request.precision
    if "run" in job.seconds:
        facts["seconds"] = round(job.seconds["run"], 2)
    if request.sight is not None and request.sight.hidden:
        facts["hidden"] = request.sight.hidden
    if job.upscaler:
        facts["upscaler"] = job.upscaler
    for name, terms in (("model_terms", job.terms), ("upscaler_terms", job.upscaler_terms)):
        if terms:
            facts[name] = terms
    if job.picture_digest:
        facts["picture_digest"] = job.picture_digest
    return facts


def _camera_of(scene: bpy.types.Scene, request: SceneRequest) -> bpy.types.Object:
    """The camera the labels were taken from: the user may have switched since. Raises NoCameraError.

    Where that is gone, it is the active one; but a projection from elsewhere would take the place of that one's own.
    """
    then = scene.objects.get(request.camera_name)
    if then is not None and isinstance(then.data, bpy.types.Camera) and then.data.type in FLAT:
        return then
    is_projected = settings(scene).placement == "PROJECTION" and request.sight is not None
    if is_projected and request.made_with is None:  # what is painted again is for the active camera
        raise NoCameraError(
            f"The camera '{request.camera_name}', from which the picture is to be projected, is gone.",
            "Dismiss this: then Place Here takes it for the active camera, and Discard throws it away.",
        )
    return flat_camera_of(scene)
