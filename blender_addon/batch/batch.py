# SPDX-License-Identifier: GPL-3.0-or-later
"""A batch being painted, row after row; one that fails does not keep the others from being painted.

Each picture also lies in a folder, as a file with all that it was made of: after a stop, or where Blender has ended
without saving, the same press places from there what would be painted.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import bpy

from ..bridge.jobs import Job, JobState, SceneRequest, made_facts
from ..bridge.sight import Sight
from ..contract.errors import SpadeError, UnavailableError
from ..long_work import LongWork, Waiting
from ..picture_folder import Entry, PictureFolder, digest_of
from ..place.picture import hindrance, keep_picture, scene_of
from ..properties import settings
from ..scene.elsewhere import Elsewhere
from ..scene.label_pass import LabelPass
from ..scene.label_worker import PassRequest
from ..session import current_session
from .plan import BatchPlan, Row, RowState

_NOT_PAINTED_FROM = frozenset({"label_seconds", "blend_file", "scene_uid", "made_with", "sight"})
"""Of a request: what its picture does not depend on."""


class Batch(LongWork):
    """plan: whose rows say where each is."""

    def __init__(self, plan: BatchPlan, scene: bpy.types.Scene, folder: Path) -> None:
        """Begin. Raises InternalError where the file cannot be written, CannotWriteError and UnavailableError."""
        self.pictures = PictureFolder(folder)
        super().__init__(scene, keep_unkeyed=True)
        self.plan = plan

    @property
    def done(self) -> int:
        """How many rows are through."""
        return sum(row.state not in _UNDER_WAY for row in self.plan.rows)

    def work(self) -> Waiting[None]:
        for row in self.plan.rows:
            if row.state is RowState.FAILED or row.request is None:
                continue
            try:
                yield from self._paint(row, row.request)
            except UnavailableError as problem:  # which the others would meet, too
                row.fail(problem)
                raise
            except SpadeError as problem:
                row.fail(problem)

    def close(self) -> None:
        super().close()
        for row in self.plan.rows:
            if row.state in _UNDER_WAY:
                row.state = RowState.WAITING

    def _paint(self, row: Row, request: SceneRequest) -> Waiting[None]:
        row.state = RowState.TAKING
        digest = yield from self.model_digest(request)
        taken, sight = yield from self._seen(row, request)
        request = replace(
            request,
            label_map=taken.label_map,
            instance_map=taken.instance_map,
            camera_name=row.camera,
            sight=sight,
        )
        values = [
            getattr(request, each.name) for each in fields(request) if each.name not in _NOT_PAINTED_FROM
        ]
        key, name = digest_of(digest, *values), self.plan.names[row]
        board = current_session().board
        rgb = yield from self.in_thread(self.pictures.kept, name, key)
        if rgb is not None:
            entry = self.pictures.entry(name)
            assert entry is not None
            job = board.add_finished(request, rgb, entry.facts)
            job.lands = False
        else:
            row.state = RowState.PAINTING
            job = yield from self.painted(request)
            if job.state is not JobState.FINISHED or job.rgb is None:
                row.state = RowState.CANCELLED
                return
            yield from self.in_thread(self.pictures.keep, name, job.rgb, Entry(key, made_facts(job)))
        yield from self._land(row, job)
        row.state = RowState.DONE if job.is_new else RowState.KEPT

    def _seen(self, row: Row, request: SceneRequest) -> Waiting[tuple[LabelPass, Sight | None]]:
        """The row's labels, and what its camera saw, where that is to be projected."""
        scene = scene_of(request)
        projects = row.lands and scene is not None and settings(scene).placement == "PROJECTION"
        looks = current_session().connection.looks_at_objects(request.model)
        taken, place = yield from self.taken(
            PassRequest(
                self.scene_file, row.scene, row.layer, row.shape, with_objects=bool(looks), with_depth=projects,
                elsewhere=Elsewhere(camera=row.camera_full),
            )
        )  # fmt: skip
        is_seen = projects and place.projector is not None
        return taken, Sight(place.projector, taken.fine_depth) if is_seen and place.projector else None

    def _land(self, row: Row, job: Job) -> Waiting[None]:
        """Have a picture placed, or kept, as soon as the user's hands are free. Raises what its scene refuses."""
        if row.lands:
            job.lands = True  # the timer places it
            while job.state is JobState.FINISHED and job.error is None and scene_of(job.request) is not None:
                yield
            if job.error is not None:
                current_session().board.discard(job)
                raise job.error
            self.show_in_view()
            return
        while hindrance() is not None:
            yield
        if (scene := scene_of(job.request)) is not None:
            keep_picture(current_session().board, job, scene)


_UNDER_WAY = (RowState.WAITING, RowState.TAKING, RowState.PAINTING)
