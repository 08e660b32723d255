# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs: everything one generation needs, and the board that carries each from the press to its picture.

A job holds names and arrays, never Blender data: undo and file loads make every Blender pointer invalid
while the server works. One job per scene is live; a newer one makes the older stale. A picture leaves the board only
when somebody placed or discarded it, so one that arrives after its scene has gone is still there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from ..contract.client import Delayed, Event
from ..contract.errors import SpadeError
from ..contract.labels import LabelSet
from ..contract.limits import Limits
from ..contract.messages import (
    EXACT,
    NOWHERE,
    Accepted,
    Cancelled,
    Failed,
    Finished,
    Painting,
    Progress,
    Wrap,
)
from ..contract.placed_styles import PlacedStyle
from ..contract.request import Delivery, NamedStyle, PictureRequest, Style
from ..contract.style_images import fitted, fitted_placed
from .connection import Connection, ConnectionState
from .layers import Layers
from .made_with import MadeWith
from .repaint import Repaint
from .sight import Sight, Standpoint

# Results that nobody placed: a handful is a safety net, more would be a memory leak.
KEPT_RESULTS = 8


class JobState(Enum):
    """Where a job is. The last three are final."""

    TAKING = "Taking labels"
    WAITING = "Waiting for the server"
    SENT = "Sent"
    QUEUED = "Queued"
    RUNNING = "Painting"
    FINISHED = "Picture ready"
    PLACED = "Placed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


LIVE_STATES = frozenset({JobState.TAKING, JobState.WAITING, JobState.SENT, JobState.QUEUED, JobState.RUNNING})


# No eq: two requests are never the same one, and arrays do not compare to a truth value.
@dataclass(frozen=True, eq=False)
class SceneRequest:
    """One generation, complete: nothing is read from the scene after the press.

    label_map: (H, W) ids of `label_set`, row 0 at the top; while they are being taken, all the ignore id. instance_map:
    (H, W) uint16, which object each pixel shows; None where the model does not look at them, or they are not known.
    style, strength, upscale, detail, natural_edges, precision, placed_styles, softness, wrap: as in PictureRequest; a
    picture of a style may have any size. style_facts: what the stored picture says of its style. made_with: of a
    picture that is painted again. sight: what the camera saw, of one that is to be projected. layers: of one that is to
    be shown as cards, how it is taken apart. standpoint: of one whose camera is not in the scene yet.
    yaw: how far the camera of a panorama was turned, in radians. repaint: of which picture only a part is painted anew.
    scene_uid: Blender's session uid of the scene; blend_file and scene_name find it again after a reload.
    """

    label_map: np.ndarray
    label_set: LabelSet
    model: str
    seed: int
    scene_uid: int
    scene_name: str
    blend_file: str
    camera_name: str
    label_seconds: float = 0.0
    upscale: str = "auto"
    detail: float = 1.0
    natural_edges: float = 0.0
    precision: str = EXACT
    style: Style | None = None
    strength: float = 1.0
    style_facts: dict[str, str | int | float] = field(default_factory=dict)
    instance_map: np.ndarray | None = None
    made_with: MadeWith | None = None
    sight: Sight | None = None
    layers: Layers | None = None
    placed_styles: tuple[PlacedStyle, ...] = ()
    softness: float = 0.0
    wrap: Wrap = NOWHERE
    yaw: float = 0.0
    repaint: Repaint | None = None
    standpoint: Standpoint | None = None

    def picture(self, limits: Limits) -> PictureRequest:
        """What to ask a server for that has these limits."""
        return PictureRequest(
            self.label_map,
            self.label_set,
            self.model,
            self.seed,
            fitted(self.style, limits),
            self.strength,
            instance_map=self.instance_map,
            upscale=self.upscale,
            natural_edges=self.natural_edges,
            precision=self.precision,
            placed_styles=fitted_placed(self.placed_styles, limits),
            softness=self.softness,
            wrap=self.wrap,
            detail=self.detail,
        )


@dataclass(eq=False)
class Job:
    """A request on its way. rgb: (H, W, 3) uint8 once it is FINISHED, picture_digest: SHA-256 of its bytes.

    painting: (h, w, 3) uint8, the small picture that the server is enlarging; None where it painted at full size.
    terms, upscaler_terms: whose weights painted and enlarged it, and on what terms, in words, as far as is known.
    lands: whether its picture is placed by itself when it is there; pressed_in: the view that shows it then, by its
    address; 0 for none. is_new: whether placing it changed anything.
    objects_can_come: whether it can still be found out which objects the pixels show; wants_objects: that it shall.
    """

    request: SceneRequest
    pressed_at: float
    state: JobState = JobState.WAITING
    id: str = ""
    stage: str = ""
    fraction: float = 0.0
    painting: np.ndarray | None = None
    rgb: np.ndarray | None = None
    picture_digest: str = ""
    model_digest: str = ""
    upscaler: str = ""
    terms: str = ""
    upscaler_terms: str = ""
    lands: bool = True
    pressed_in: int = 0
    is_new: bool = True
    notes: list[str] = field(default_factory=list)
    """Of one that is painted again: what is no longer as it was, in sentences."""
    objects_can_come: bool = False
    wants_objects: bool = False
    error: SpadeError | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES


MADE_FACTS = ("picture_digest", "model_digest", "upscaler", "terms", "upscaler_terms")
"""What of a finished job says how its picture was made."""


def made_facts(job: Job) -> dict[str, str]:
    """These of a job, by name."""
    return {name: getattr(job, name) for name in MADE_FACTS}


class JobBoard:
    """The jobs of this Blender. Call step() often; it never waits."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self.connection = connection
        self.last_placed: Job | None = None
        self._clock = clock
        self._jobs: list[Job] = []
        self._ended: list[Job] = []  # since the last step

    @property
    def live(self) -> list[Job]:
        """Jobs the server still owes an answer for, oldest first."""
        return [job for job in self._jobs if job.is_live]

    @property
    def finished(self) -> list[Job]:
        """Jobs whose picture waits to be placed, oldest first."""
        return [job for job in self._jobs if job.state is JobState.FINISHED and job.lands]

    def live_in(self, scene_uid: int) -> Job | None:
        """The live job of a scene."""
        return next(
            (job for job in reversed(self._jobs) if job.is_live and job.request.scene_uid == scene_uid), None
        )

    def add(
        self,
        request: SceneRequest,
        pressed_at: float | None = None,
        state: JobState = JobState.WAITING,
        lands: bool = True,
    ) -> Job:
        """Take a request; it is sent as soon as the server is ready. An older live job of the scene is cancelled.

        `state`: TAKING for one whose labels are still being taken; `labels_taken` makes it WAITING.
        """
        older = self.live_in(request.scene_uid)
        if older is not None:
            self.cancel(older)
        job = Job(request, self._clock() if pressed_at is None else pressed_at, state, lands=lands)
        self._jobs.append(job)
        self._send_waiting()
        return job

    def add_finished(self, request: SceneRequest, rgb: np.ndarray, made: dict[str, str]) -> Job:
        """Take in a picture, (H, W, 3) uint8, that was painted before, to be placed. made: what its job said then, as
        `made_facts` gives it."""
        job = Job(request, self._clock(), JobState.FINISHED, fraction=1.0, rgb=rgb)
        for name in MADE_FACTS:
            setattr(job, name, str(made.get(name, "")))
        self._jobs.append(job)
        return job

    def labels_taken(
        self,
        job: Job,
        label_map: np.ndarray,
        instance_map: np.ndarray | None = None,
        objects_can_come: bool = False,
        depth: np.ndarray | None = None,
        layers: Layers | None = None,
    ) -> None:
        """The (H, W) label map of a job in state TAKING is there, perhaps with that of the objects, with the depth
        that its sight lacks, and with its layers: from now on it waits for the server.

        objects_can_come: of a job without them: it goes back to TAKING where the server's model wants them.
        """
        seconds = self._clock() - job.pressed_at
        job.request = replace(
            job.request, label_map=label_map, instance_map=instance_map, label_seconds=seconds
        )
        if job.request.sight is not None and depth is not None:
            job.request = replace(job.request, sight=replace(job.request.sight, depth=depth))
        if layers is not None:
            job.request = replace(job.request, layers=layers)
        job.state, job.fraction = JobState.WAITING, 0.0
        job.objects_can_come, job.wants_objects = objects_can_come, False
        self._send_waiting()

    def fail(self, job: Job, problem: SpadeError) -> None:
        """End a live job with an error; the next step tells of it."""
        job.state, job.error = JobState.FAILED, problem
        self._jobs.remove(job)
        self._ended.append(job)

    def cancel(self, job: Job) -> None:
        """Forget a live job: whatever the server still says of it, its picture is never placed."""
        if not job.is_live:
            return
        job.state = JobState.CANCELLED
        self._jobs.remove(job)
        if job.id and self.connection.client is not None:
            self.connection.client.cancel(job.id)

    def placed(self, job: Job) -> None:
        """Somebody placed this picture."""
        job.state = JobState.PLACED
        job.seconds["total"] = self._clock() - job.pressed_at
        self._jobs.remove(job)
        self.last_placed = job

    def discard(self, job: Job) -> None:
        """Somebody does not want this picture."""
        self._jobs.remove(job)

    def step(self) -> list[Job]:
        """Move everything that can move; returns the jobs that ended since the last step, well or not."""
        for event in self.connection.step():
            self._handle(event)
        self._send_waiting()
        if self.connection.state is ConnectionState.LOST and self.connection.error is not None:
            for job in self.live:
                self.fail(job, self.connection.error)
        for stale in self.finished[:-KEPT_RESULTS]:
            self._jobs.remove(stale)
        ended, self._ended = self._ended, []
        return ended

    def _handle(self, event: Event) -> None:
        job = next((job for job in self._jobs if job.id and job.id == getattr(event, "id", None)), None)
        if job is None or not job.is_live:
            return  # a late word on a job that was cancelled or replaced
        match event:
            case Accepted():
                job.state = JobState.QUEUED if event.state == "queued" else JobState.RUNNING
            case Delayed():
                job.state = JobState.QUEUED
            case Progress():
                job.state, job.stage, job.fraction = JobState.RUNNING, event.stage, event.fraction
            case Painting():
                job.painting = event.rgb
            case Finished():
                job.state, job.rgb, job.fraction = JobState.FINISHED, event.rgb, 1.0
                job.model_digest, job.upscaler = event.model_digest, event.upscaler
                job.picture_digest = event.digest
                made = job.request.made_with
                if made is not None and not job.notes:
                    job.notes = made.unlike(event.model_digest, event.upscaler)
                job.terms, job.upscaler_terms = self.connection.terms(job.request.model, event.upscaler)
                job.seconds["run"] = event.timings.run_ms / 1000
                self._ended.append(job)
            case Failed():
                self.fail(job, event.error)
            case Cancelled():
                job.state = JobState.CANCELLED
                self._jobs.remove(job)
                self._ended.append(job)

    def _send_waiting(self) -> None:
        client = self.connection.client
        if self.connection.state is not ConnectionState.READY or client is None:
            return
        for job in [job for job in self._jobs if job.state is JobState.WAITING]:
            looks = self.connection.looks_at_objects(job.request.model)
            if looks and job.objects_can_come:
                job.state, job.wants_objects = JobState.TAKING, True
                continue
            job.objects_can_come = False
            try:
                if not looks and job.request.instance_map is not None:
                    job.request = replace(job.request, instance_map=None)
                welcome = self.connection.welcome
                if welcome is not None and not welcome.preview:  # so it would be the exact picture
                    job.request = replace(job.request, precision=EXACT)
                wanted = job.request.picture(client.limits)
                self._check_model(wanted)
                wanted = self._as_before(job, wanted)
                # The small painting is a preview of the whole, seconds before it.
                preview = wanted.upscale != "off" and not any(wanted.wrap) and job.request.repaint is None
                job.id = client.submit(wanted, Delivery(painting=preview))
                job.state = JobState.SENT
            except SpadeError as problem:
                self.fail(job, problem)

    def _as_before(self, job: Job, request: PictureRequest) -> PictureRequest:
        """One that is painted again: enlarged as it was, where that can be had; notes what cannot."""
        made, welcome = job.request.made_with, self.connection.welcome
        if made is None or welcome is None:
            return request
        job.notes = made.gone_from(welcome)
        if request.upscale == "auto" and made.upscaler_name in welcome.upscalers:
            return replace(request, upscale=made.upscaler_name)
        return request

    def _check_model(self, request: PictureRequest) -> None:
        """What the server would refuse anyway, said with the names that the user knows."""
        self.connection.required_model(request.model)
        mismatch = self.connection.mismatch(request.model, request.label_set)
        if mismatch is not None:
            raise mismatch
        styles = (*request.plain_styles, *(each.style for each in request.placed_styles))
        names = [style.name for style in styles if isinstance(style, NamedStyle)]
        if (missing := self.connection.missing_style(request.model, names)) is not None:
            raise missing
        if request.placed_styles and (refused := self.connection.one_style(request.model)) is not None:
            raise refused
