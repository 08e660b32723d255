# SPDX-License-Identifier: GPL-3.0-or-later
"""From the press to the label map, without that Blender stands still.

The scene is written to a file at the press, which takes moments, and a Blender in the background takes the labels from
it: whatever the user does meanwhile, the labels are those of the press, to the byte what the pass in this Blender
gives. Where a file cannot say all of a scene, or no second Blender runs, the labels are taken here.

For models that look at the borders between objects, the pass finds out which object each pixel shows, too. Where the
server has not said yet which models it has, the scene file is kept until it has.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from .bridge.jobs import Job, JobState
from .contract.errors import SpadeError, UnavailableError
from .scene.coverage import remember
from .scene.label_pass import LabelPass, check_pass
from .scene.label_worker import LabelWorker, PassRequest
from .scene.other_view import AS_IT_IS, OtherView
from .scene.scene_file import only_here, write_scene_file
from .scene.visible import active_view_layer
from .session import current_session

# What a pass is taken to last until one was measured: only the bar knows.
SECONDS_A_PIXEL = 2e-6
SECONDS_AT_LEAST = 0.3
TRIES = 2
LEFT_TO_END_S = 2.0
"""A pass for live painting that was overtaken may go on for so long: a new Blender would take as long to start, and
live painting will want one in a moment."""


@dataclass(eq=False)
class _Taking:
    job: Job
    request: PassRequest
    tries: int = 0
    asked_at: float = 0.0


class LabelTaking:
    """The jobs in state TAKING, one pass at a time. Call step() often; it never waits."""

    def __init__(self) -> None:
        self._waiting: list[_Taking] = []
        self._kept: list[_Taking] = []  # their labels are there, and perhaps their objects are wanted, too
        self._asked: _Taking | None = None
        self._worker: LabelWorker | None = None
        self._folder: Path | None = None
        self._number = 0
        self._seconds_a_pixel = SECONDS_A_PIXEL
        self.works = True
        """Whether a Blender in the background can be had; if not, labels are to be taken in this one."""

    @property
    def worker(self) -> LabelWorker | None:
        """The process, if one was started."""
        return self._worker

    @property
    def folder(self) -> Path | None:
        """Where the process and the scene files are, while there are any."""
        return self._folder

    @property
    def is_idle(self) -> bool:
        """Whether step() has nothing to do."""
        return self._asked is None and not self._waiting

    def can_take(self, scene: bpy.types.Scene) -> bool:
        """Whether the labels of a scene can be taken in the background, exactly."""
        return self.works and only_here(scene) is None

    def warm(self) -> None:
        """Start the process, if none runs: the sooner the less there is to wait for."""
        if not self.works or (self._worker is not None and not self._worker.has_ended):
            return
        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="spade-labels-"))
            self._folder.mkdir(exist_ok=True)  # one that was idle for long has taken it away
            self._worker = LabelWorker(self._folder)
        except (OSError, UnavailableError):
            self.works = False

    def write(
        self,
        scene: bpy.types.Scene,
        shape: tuple[int, int],
        with_depth: bool = False,
        view: OtherView = AS_IT_IS,
        with_layers: bool = False,
    ) -> PassRequest:
        """Write the scene as it is now, for a pass of (height, width) pixels. Raises what `check_pass` does."""
        check_pass(scene, shape)
        self.warm()
        if self._folder is None:
            raise UnavailableError(
                "There is no folder for temporary files.", "Set one in the preferences, File Paths."
            )
        self._number += 1
        file = self._folder / f"scene-{self._number}.blend"
        write_scene_file(scene, file)
        return PassRequest(
            file,
            scene.name_full,
            active_view_layer(scene).name,
            shape,
            with_depth=with_depth,
            view=view,
            with_layers=with_layers,
        )

    def add(self, job: Job, request: PassRequest) -> None:
        """Take the labels of a job in state TAKING."""
        self._waiting.append(_Taking(job, request))
        self.step()

    def step(self) -> None:
        """Hear what came, ask for what waits, and let go of what was cancelled."""
        for taking in [each for each in self._waiting if not each.job.is_live]:
            self._waiting.remove(taking)
            _delete(taking)
        for taking in list(self._kept):
            self._look_at_kept(taking)
        if self._asked is not None:
            self._hear(self._asked)
        if self._asked is None and self._waiting:
            self._ask(self._waiting.pop(0))

    def abandon(self) -> None:
        """Another file is loaded: what is still being taken is not wanted."""
        for taking in [*self._waiting, *([self._asked] if self._asked else ())]:
            current_session().board.cancel(taking.job)
        self.step()

    def close(self) -> None:
        """The end: the process goes, and its files."""
        self.abandon()
        if self._worker is not None:
            self._worker.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._worker = self._folder = None
        self._kept.clear()

    def _look_at_kept(self, taking: _Taking) -> None:
        job = taking.job
        if job.wants_objects and job.is_live:
            self._kept.remove(taking)
            self._waiting.append(taking)
        elif job.state is not JobState.WAITING:
            self._kept.remove(taking)
            _delete(taking)

    def _ask(self, taking: _Taking) -> None:
        self.warm()
        if self._worker is None:
            self._end(taking, UnavailableError("No Blender runs in the background.", "Generate again."))
            return
        self._asked, taking.asked_at = taking, time.monotonic()
        taking.tries += 1
        if current_session().connection.looks_at_objects(taking.job.request.model):
            taking.request = replace(taking.request, with_objects=True)
        self._worker.ask(taking.request)

    def _hear(self, taking: _Taking) -> None:
        worker = self._worker
        assert worker is not None
        if not taking.job.is_live:
            self._hear_unwanted(taking, worker)
            return
        taken = worker.taken()
        if taken is not None:
            self._asked = None
            self._end(taking, taken)
        elif worker.has_ended:
            self._asked = self._worker = None
            self._begin_again(taking, worker)
        else:
            height, width = taking.request.shape
            expected = max(SECONDS_AT_LEAST, self._seconds_a_pixel * height * width)
            passed = time.monotonic() - taking.asked_at
            taking.job.fraction = passed / (passed + expected / 2)

    def _hear_unwanted(self, taking: _Taking, worker: LabelWorker) -> None:
        """Its job was cancelled: stop it, unless it belongs to live painting and will soon be done."""
        is_done = worker.taken() is not None
        passed = time.monotonic() - taking.asked_at
        if not is_done and not worker.has_ended and not taking.job.lands and passed < LEFT_TO_END_S:
            return
        self._asked = None
        _delete(taking)
        if not is_done:
            worker.stop()  # it has nothing else to do
            self._worker = None
            self.warm()  # for the next press

    def _begin_again(self, taking: _Taking, worker: LabelWorker) -> None:
        """The process ended within a pass: its scene is still there, so another one takes the labels."""
        if taking.tries < TRIES:
            self._waiting.insert(0, taking)
            return
        self.works = worker.is_ready  # one that never began will not begin the next time
        self._end(
            taking,
            UnavailableError(
                f"The Blender in the background that takes the labels ended: {worker.last_words()}.",
                "Generate again; if memory is short, choose a smaller size.",
            ),
        )

    def _end(self, taking: _Taking, taken: LabelPass | SpadeError) -> None:
        job, session = taking.job, current_session()
        if isinstance(taken, SpadeError):
            _delete(taking)
            session.board.fail(job, taken)
            return
        looks = session.connection.looks_at_objects(job.request.model)
        is_kept = taken.instance_map is None and looks is not False
        if is_kept:
            taking.tries = 0
            self._kept.append(taking)
        else:
            _delete(taking)
        self._seconds_a_pixel = (time.monotonic() - taking.asked_at) / taken.label_map.size
        scene = next((each for each in bpy.data.scenes if each.session_uid == job.request.scene_uid), None)
        if scene is not None:
            remember(scene, job.request.label_set, taken.unlabelled, taken.sky_share, taken.object_count)
        session.board.labels_taken(
            job, taken.label_map, taken.instance_map, is_kept, taken.fine_depth, taken.layers
        )


def _delete(taking: _Taking) -> None:
    with contextlib.suppress(OSError):
        taking.request.scene_file.unlink(missing_ok=True)


_current: LabelTaking | None = None


def current_labels() -> LabelTaking:
    """The one of this registration."""
    assert _current is not None, "the add-on is not registered"
    return _current


@bpy.app.handlers.persistent
def _before_load(*_) -> None:
    current_labels().abandon()


def register() -> None:
    global _current
    _current = LabelTaking()
    bpy.app.handlers.load_pre.append(_before_load)


def unregister() -> None:
    global _current
    if _current is not None:
        bpy.app.handlers.load_pre.remove(_before_load)
        _current.close()
        _current = None
