# SPDX-License-Identifier: GPL-3.0-or-later
"""Work of many pictures: labels by a Blender in the background, paintings by the server, the rest in a thread.

It is a generator that yields wherever it would have to wait, so that Blender's main thread never does.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import bpy

from .bridge.connection import ConnectionState
from .bridge.jobs import Job, SceneRequest
from .contract.errors import DeadlineError, InternalError, SpadeError, UnavailableError
from .place.viewport import show_as_it_looks
from .scene.elsewhere import Place
from .scene.frame_passes import FramePasses
from .scene.label_pass import LabelPass
from .scene.label_worker import PassRequest
from .scene.scene_file import write_scene_file
from .session import current_session

TRIES = 2
"""How often a picture is asked for where the server ends meanwhile, or does not come to it in time."""
_log = logging.getLogger(__name__)
Made = TypeVar("Made")
Waiting = Generator[None, None, Made]
"""Work that goes on with each `next`, and never waits within one."""


class LongWork:
    """Call step() often; implement `work`. error: what ended it, if anything did.

    pressed_in: the view that it was begun in, by its address; 0 for none.
    """

    def __init__(self, scene: bpy.types.Scene, keep_unkeyed: bool) -> None:
        """Write the file as it is now, and begin. Raises InternalError, UnavailableError.

        keep_unkeyed: as of `write_scene_file`.
        """
        self.error: SpadeError | None = None
        self.has_ended = False
        self.pressed_in = 0
        self._began = time.monotonic()
        self._ended: float | None = None
        self._job: Job | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="spade-series-"))
        self.scene_file = self._folder / "scene.blend"
        try:
            write_scene_file(scene, self.scene_file, keep_unkeyed)
            self.passes = FramePasses(self._folder)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._thread = ThreadPoolExecutor(1, "spade pictures")
        self._work = self.work()

    def work(self) -> Waiting[None]:
        """All of it; an error that leaves it ends it."""
        raise NotImplementedError

    @property
    def seconds(self) -> float:
        """From its beginning to its end, or to now."""
        return (self._ended or time.monotonic()) - self._began

    def step(self) -> None:
        """Go on with what can go on."""
        if self.has_ended:
            return
        try:
            next(self._work)
        except StopIteration:
            self.close()
        except SpadeError as problem:
            self.error = problem
            self.close()
        except Exception as problem:  # a fault of ours is no end that went well
            _log.exception("work of many pictures failed")
            self.error = InternalError(
                f"A fault in the add-on ended the work ({type(problem).__name__}).",
                "Please report it with what the system console says.",
            )
            self.close()

    def show_in_view(self) -> None:
        """Let the view that it was begun in show what has landed; once, for then the view is the designer's again."""
        show_as_it_looks(self.pressed_in)
        self.pressed_in = 0

    def close(self) -> None:
        """End it, whatever it does; what is finished stays."""
        self.has_ended, self._ended = True, self._ended or time.monotonic()
        self._work.close()
        if self._job is not None and self._job.is_live:
            current_session().board.cancel(self._job)
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.passes.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def model_digest(self, request: SceneRequest) -> Waiting[str]:
        """Of the model that a request is for, once the server has said what it has. Raises SpadeError where the server
        cannot paint it."""
        connection = current_session().connection
        while connection.is_starting:
            yield
        if connection.state is not ConnectionState.READY:
            raise connection.error or UnavailableError("The server is not connected.", "Press again.")
        model = connection.required_model(request.model)
        mismatch = connection.mismatch(model.name, request.label_set)
        if mismatch is not None:
            raise mismatch
        return model.digest

    def taken(self, request: PassRequest) -> Waiting[tuple[LabelPass, Place]]:
        """A label pass elsewhere."""
        self.passes.ask(request)
        while (found := self.passes.taken()) is None:
            yield
        return found

    def painted(self, request: SceneRequest, lands: bool = False) -> Waiting[Job]:
        """The job of a request once it has ended: FINISHED, or PLACED where it lands, or CANCELLED. A server that ends
        meanwhile is started again, one that was too busy is asked again. Raises what the job failed with."""
        session, tries = current_session(), 0
        while True:
            tries += 1
            session.connect()
            while session.board.live_in(request.scene_uid) is not None:
                yield  # the user's own press comes first
            self._job = job = session.board.add(request, lands=lands)
            while job.is_live:
                yield
            if job.error is None:
                return job
            if tries == TRIES or not (job.error.retryable or isinstance(job.error, DeadlineError)):
                raise job.error

    def in_thread(self, work: Callable[..., Made], *words: Any) -> Waiting[Made]:
        """What a function returns that touches nothing of Blender's."""
        ended = self._thread.submit(work, *words)
        while not ended.done():
            yield
        try:
            return ended.result()
        except SpadeError:
            raise
        except Exception as problem:
            raise InternalError(
                f"A picture could not be put together ({type(problem).__name__}: {problem}).",
                "Please report it.",
            ) from problem
