# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures on the blocks themselves: one more from another place, what stands behind things, and the way back."""

from __future__ import annotations

from dataclasses import replace

import bpy

from ..bridge.jobs import Job, JobState
from ..bridge.sight import Sight
from ..contract.errors import BadOptionError
from ..place.placement import switch_placement
from ..place.projection.group import projector_in
from ..place.projection.projections import projection_of, refuse_too_many, remove_projections
from ..place.projection.sights import depth_of
from ..place.show import show
from ..properties import settings
from ..scene.bands import BANDS, things_before
from ..scene.borrow import borrowed
from ..scene.other_view import OtherView
from ..scene.projector import projector_of
from ..scene.standpoint import put_camera, remove_camera, standpoint_of
from ..scene.view import flat_camera_of
from ..scene_job import submit_scene
from .reports_errors import ReportsErrors
from .waiting import wait_for_picture
from .watches_job import WatchesJob

WIDER = 1.8
"""How many times as wide as the camera's the frame is in which hidden things are painted: what comes into sight when
the camera moves is behind things, or beyond the frame."""


class SPADE_OT_project_from_view(WatchesJob, bpy.types.Operator):
    """Paint what is seen from where you stand, and lay it on what no projection reaches yet. A camera is left here"""

    bl_idname = "spade.project_from_view"
    bl_label = "Project from View"

    def invoke(self, context, event):
        return self.reporting_errors(self.start, context)

    def start(self, context) -> set[str]:
        return self.watch(context, submit_from_view(context))

    def go_on(self, context) -> None:
        """It is one picture."""

    def run(self, context) -> None:
        """The way of scripts: return when the picture is placed. They stand where the active camera does."""
        wait_for_picture(submit_from_view(context, in_background=False))


class SPADE_OT_fill_hidden(WatchesJob, bpy.types.Operator):
    """Paint what the camera does not see behind nearer things and beside its frame, and lay it there"""

    bl_idname = "spade.fill_hidden"
    bl_label = "Fill What Is Hidden"

    def invoke(self, context, event):
        return self.reporting_errors(self.start, context)

    def start(self, context) -> set[str]:
        """The first band; the next one follows when it is there."""
        self.band = 1
        return self.watch(context, submit_hidden(context, self.band))

    def go_on(self, context) -> Job | None:
        if self.job.state is not JobState.PLACED or self.band == BANDS:
            return None
        self.band += 1
        return submit_hidden(context, self.band)

    def run(self, context) -> None:
        """The way of scripts: return when all is placed."""
        for band in range(1, BANDS + 1):
            wait_for_picture(submit_hidden(context, band, in_background=False))


class SPADE_OT_remove_projections(ReportsErrors, bpy.types.Operator):
    """Take all projections off the blocks: your materials are back. Pictures stay in the history"""

    bl_idname = "spade.remove_projections"
    bl_label = "Remove Projections"
    bl_options = {"REGISTER", "UNDO"}

    def run(self, context) -> None:
        scene = context.scene
        remove_projections(scene)
        settings(scene).panorama_on_blocks = False
        if settings(scene).placement == "PROJECTION":
            settings(scene).placement = "BACKDROP"
            show(scene, "BOTH")


def submit_from_view(context: bpy.types.Context, in_background: bool | None = None) -> Job:
    """Have painted what is seen from where the designer stands. A camera comes there with the picture: until then the
    scene stays as it is, and whatever is undone meanwhile takes nothing away from it.

    Raises BadOptionError where one more projection is too many, and what Generate raises.
    """
    scene = context.scene
    refuse_too_many(scene, None)
    if settings(scene).placement != "PROJECTION":
        switch_placement(scene, "PROJECTION")
    standpoint = standpoint_of(context)
    here = put_camera(scene, standpoint)
    try:
        context.view_layer.update()
        with borrowed(scene, camera=here):
            job = submit_scene(context, in_background)
    finally:
        remove_camera(here)
    job.request = replace(job.request, standpoint=standpoint)
    return job


def submit_hidden(context: bpy.types.Context, bands: int, in_background: bool | None = None) -> Job:
    """Have painted what is behind the things in the first `bands` bands, as the camera's projector stands.

    Raises BadOptionError where the camera has no projection, or has moved since, and what Generate raises.
    """
    scene = context.scene
    camera = flat_camera_of(scene)
    entry = projection_of(scene, camera)
    if entry is None:
        raise BadOptionError(
            f"The camera '{camera.name}' has no projection.", "Place As Projection, and Generate first."
        )
    refuse_too_many(scene, camera, hidden=bands)
    frozen = projector_in(entry.group)
    if not frozen.is_like(projector_of(scene, camera)):
        raise BadOptionError(
            f"The camera '{camera.name}' has moved since its picture was projected.",
            "Move it back or generate again; or Project from View, from where it is now.",
        )
    hidden = things_before(scene, frozen, depth_of(entry), bands)
    sight = Sight(projector_of(scene, camera, WIDER), hidden=bands)
    return submit_scene(context, in_background, sight=sight, view=OtherView(hidden, WIDER))


CLASSES = (SPADE_OT_project_from_view, SPADE_OT_fill_hidden, SPADE_OT_remove_projections)
