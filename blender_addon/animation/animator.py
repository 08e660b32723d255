# SPDX-License-Identifier: GPL-3.0-or-later
"""An animation being painted, frame after frame, from the press to its last one.

What is finished lies in the folder. A frame's key follows from what its camera sees and from all frames before it, so
whatever ends this, the same press goes on where it was; where something has moved, from that frame on.
"""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np

from ..bridge.jobs import JobState
from ..contract.errors import CancelledError, NoCameraError
from ..long_work import LongWork, Waiting
from ..picture_folder import Entry, PictureFolder, digest_of
from ..scene.elsewhere import Elsewhere, Place
from ..scene.label_pass import LabelPass
from ..scene.label_worker import PassRequest
from ..session import current_session
from .plan import OF_NO_SCENE, AnimationPlan, Step
from .reprojection import Known, Source, faded, known_of, without_slivers
from .sources import Sources
from .views import View


class Animator(LongWork):
    """done: how many frames are there; painted: for how many of them the server was asked now."""

    def __init__(self, plan: AnimationPlan, scene: bpy.types.Scene) -> None:
        """Begin. Raises InternalError where the scene cannot be written, and UnavailableError."""
        super().__init__(scene, keep_unkeyed=False)  # the keys say what is at each frame
        self.plan = plan
        self.frames: PictureFolder | None = None
        self.done = self.painted_count = 0
        self._sources = Sources()

    @property
    def fraction(self) -> float:
        """How much is there, 0..1."""
        return self.done / len(self.plan.frames)

    def work(self) -> Waiting[None]:
        plan, before = self.plan, ""
        made_with = plan.made_with((yield from self.model_digest(plan.request)))
        self.frames = PictureFolder(plan.folder_for(made_with))
        looks = current_session().connection.looks_at_objects(plan.request.model)
        passes = [
            PassRequest(
                self.scene_file, plan.scene, plan.layer, plan.shape, with_objects=bool(looks),
                elsewhere=Elsewhere(step.frame, rest=plan.frames[0]),
            )
            for step in plan.steps
        ]  # fmt: skip
        for number, step in enumerate(plan.steps):
            taken, place = yield from self.taken(passes[number])
            if number + 1 < len(passes):
                self.passes.ask(passes[number + 1])  # while this one is painted
            view = view_of(taken, place)
            before = digest_of(before, view.digest(), step)
            rgb = yield from self.in_thread(self.frames.kept, name_of(step.frame), before)
            if rgb is None:
                rgb = yield from self._make(step, view, taken, before, place.camera)
            entry = self.frames.entry(name_of(step.frame))
            assert entry is not None
            if entry.facts["new"]:
                self._sources.add(Source(step.frame, view, rgb), step.key)
            self._sources.forget({int(frame): count for frame, count in entry.facts["taken"].items()})
            self.done += 1

    def _make(self, step: Step, view: View, taken: LabelPass, key: str, camera: str) -> Waiting[np.ndarray]:
        """(H, W, 3) uint8: a frame, written to its file."""
        assert self.frames is not None
        known = yield from self.in_thread(self._known, step, view)
        painting = None
        if not known.is_known.all():
            painting = yield from self._painting(taken)
        rgb = yield from self.in_thread(known.painted, painting)
        new = 1.0 - float(known.is_known.mean())
        facts = {"new": new, "taken": {str(frame): count for frame, count in known.taken.items()}}
        entry = Entry(key, facts | {"camera": camera})
        yield from self.in_thread(self.frames.keep, name_of(step.frame), rgb, entry)
        return rgb

    def _known(self, step: Step, view: View) -> Known:
        known = known_of(view, () if step.key else self._sources.before(step.frame))
        if step.towards is not None:
            known = faded(known, view, self._sources.key(step.towards), step.share)
        return without_slivers(known, view)

    def _painting(self, taken: LabelPass) -> Waiting[np.ndarray]:
        """(H, W, 3) uint8: all of a frame as the server paints it."""
        labels, objects = taken.label_map, taken.instance_map
        request = replace(self.plan.request, label_map=labels, instance_map=objects, scene_uid=OF_NO_SCENE)
        job = yield from self.painted(request)
        if job.state is not JobState.FINISHED or job.rgb is None:
            raise CancelledError("The frame was cancelled.", "Press again: it goes on there.")
        current_session().board.discard(job)
        self.painted_count += 1
        return job.rgb


def name_of(frame: int) -> str:
    """Of a frame's file; the number is the scene's."""
    return f"frame_{frame:04d}"


def view_of(taken: LabelPass, place: Place) -> View:
    """What the camera of a label pass saw. Raises NoCameraError where its picture is not flat."""
    if place.projector is None:
        raise NoCameraError(
            f"The camera '{place.camera}' is panoramic: no frame of it is flat.",
            "Set the lens of the camera to Perspective or Orthographic.",
        )
    assert taken.apart is not None
    moved = {each.part: each for each in place.moved}
    return View(place.projector, taken.label_map, taken.depth, taken.apart, taken.parts, moved)
