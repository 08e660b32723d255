# SPDX-License-Identifier: GPL-3.0-or-later
"""Landing finished pictures: in the scene they were made for, or wherever the user says when that one is
gone.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

import bpy

from ..bridge import pump
from ..bridge.jobs import Job
from ..contract.errors import SpadeError
from ..contract.version import VERSION
from ..place.backdrop import backdrop_of, place_backdrop
from ..place.image import store_image
from .polite import Polite


def land(job: Job, scene: bpy.types.Scene) -> None:
    """Pack the picture into the file, put it behind the scene, and make that one undo step."""
    assert job.rgb is not None
    request = job.request
    try:
        image = store_image(job.rgb, f"Backdrop {scene.name}", scene, provenance(job))
        with _camera_of_the_press(scene, request.camera_name):
            place_backdrop(scene, image)
    except SpadeError as problem:
        # the picture stays on the board: it is placed once the scene allows it
        pump.board.hold(job, problem)
        return
    pump.board.placed(job)
    bpy.ops.ed.undo_push(message="Place Backdrop")


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
    return facts


@contextmanager
def _camera_of_the_press(scene: bpy.types.Scene, name: str) -> Iterator[None]:
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
        # each camera sees its own backdrop only
        for camera in (then, now) if now else ():
            backdrop = backdrop_of(scene, camera)
            if backdrop is not None:
                backdrop.hide_render = backdrop.hide_viewport = camera != now


class SPADE_OT_place_kept(Polite, bpy.types.Operator):
    """Place the picture that waits behind this scene"""

    bl_idname = "spade.place_kept"
    bl_label = "Place Here"

    def run(self, context) -> None:
        for job in pump.board.finished[-1:]:
            job.error = pump.board.error = None
            land(job, context.scene)
            if job.error is not None:
                raise job.error


class SPADE_OT_discard_kept(Polite, bpy.types.Operator):
    """Throw the picture that waits away"""

    bl_idname = "spade.discard_kept"
    bl_label = "Discard"

    def run(self, context) -> None:
        for job in pump.board.finished[-1:]:
            pump.board.discard(job)
        pump.board.error = None


class SPADE_OT_show_backdrop(Polite, bpy.types.Operator):
    """Look through the camera and show materials: solid view does not show pictures"""

    bl_idname = "spade.show_backdrop"
    bl_label = "Show Backdrop"

    @classmethod
    def poll(cls, context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"

    def run(self, context) -> None:
        context.space_data.shading.type = "MATERIAL"
        context.space_data.region_3d.view_perspective = "CAMERA"


def is_hidden_by_view(context: bpy.types.Context) -> bool:
    """Whether the scene has a backdrop for its camera, which this view does not show."""
    scene, view = context.scene, context.space_data
    if scene.camera is None or not isinstance(view, bpy.types.SpaceView3D):
        return False
    shading = view.shading
    shows = shading.type not in {"SOLID", "WIREFRAME"} or (
        shading.type == "SOLID" and shading.color_type == "TEXTURE"
    )
    return not shows and backdrop_of(scene, scene.camera) is not None


CLASSES = (SPADE_OT_place_kept, SPADE_OT_discard_kept, SPADE_OT_show_backdrop)
