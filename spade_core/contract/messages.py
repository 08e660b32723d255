# SPDX-License-Identifier: Apache-2.0
"""Everything that travels between a client and the server, as frozen dataclasses.

The fields are the JSON header; raw buffers (label map, styles, picture bands) travel beside it, see
codec. Sizes and shapes are [height, width]. The client chooses a job's id: the same id again is the same job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import SpadeError, error_from
from .limits import Limits
from .server_statistics import GetStatistics, Statistics, WorkerStatus
from .version import PROTOCOL_MINOR

PRIORITIES = PRIORITY_BACKGROUND, PRIORITY_NORMAL, PRIORITY_INTERACTIVE = 0, 1, 2
PICTURE_ENCODINGS = ("raw", "png", "jpeg", "webp")
Wrap = tuple[bool, bool]
"""Whether an axis goes on at its other end: (rows, columns)."""
NOWHERE: Wrap = (False, False)


@dataclass(frozen=True)
class StylePart:
    """One style: that of a seed, or of the next buffer, which is an "image", rgb uint8 of `shape` [h, w], or a "code",
    a row of float32."""

    kind: str
    seed: int = 0
    shape: tuple[int, int] | None = None
    name: str = ""


@dataclass(frozen=True)
class SubmitStyle:
    """The look of a picture. strength: 0 is the average look, 1 the style as it is, at most 2.

    kind: "none" (a style of the job's own seed), or a StylePart's kind with its fields, or "mixed" of the two `parts`
    (since minor version 2). mix: how far from the first part (0) to the second (1); with a single style, how far from
    that of the job's own seed to it.
    """

    kind: str = "none"
    seed: int = 0
    shape: tuple[int, int] | None = None
    strength: float = 1.0
    mix: float = 1.0
    parts: tuple[StylePart, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class PlacedPart:
    """A style for a part of the picture: the style as in a StylePart, the rest as in PlacedStyle (since minor version
    9)."""

    kind: str
    seed: int = 0
    shape: tuple[int, int] | None = None
    name: str = ""
    classes: tuple[int, ...] = ()
    region: int = 0
    peak: float | None = None


@dataclass(frozen=True)
class PlacesPart:
    """Styles for parts of the picture, their buffers behind that of its own style; where `regions` says so, then the
    region map's. softness: as in PictureRequest (since minor version 9)."""

    parts: tuple[PlacedPart, ...] = ()
    softness: float = 0.0
    regions: InstancesPart | None = None


@dataclass(frozen=True)
class Output:
    """The picture wanted: size None means the label map's own, encoding is one of PICTURE_ENCODINGS.

    upscale: as in PictureRequest; older clients do not send it and get what they got (since minor version 3).
    natural_edges: as in PictureRequest (since minor version 4). wrap: as in PictureRequest; older servers paint without
    (since minor version 7).
    """

    size: tuple[int, int] | None = None
    encoding: str = "raw"
    upscale: str = "off"
    natural_edges: float = 0.0
    wrap: Wrap = NOWHERE


def _beside_header(empty: Callable[[], Any]) -> Any:
    """A field that travels as buffers, or not at all."""
    return field(default_factory=empty, metadata={"wire": False}, repr=False, compare=False)


# --- client to server ---


@dataclass(frozen=True)
class Hello:
    """First message on every connection; answered by Welcome."""

    minor: int = PROTOCOL_MINOR
    software: str = ""
    client: str = ""


@dataclass(frozen=True)
class InstancesPart:
    """An instance map in the last buffer: whole numbers of the label map's shape, as "uint8" or "uint16".

    `encoding` and `raw_bytes` are as of the label map."""

    dtype: str
    raw_bytes: int
    encoding: str = "raw"


@dataclass(frozen=True)
class Submit:
    """One picture to paint; `submission` makes it from a PictureRequest. Buffers: the label map as `encoding` says,
    then that of each style which has one, then the region map, then the instance map.

    painting: whether the small picture is sent, as Painting, before an upscaler enlarges it (since minor version 3).
    instances: for a model of `ModelInfo.instance_edges` (since minor version 7). places: further styles, for a model
    without `ModelInfo.one_style` (since minor version 9).
    """

    id: str
    client: str
    model: str
    label_set: str
    seed: int
    shape: tuple[int, int]
    dtype: str
    raw_bytes: int
    encoding: str = "raw"
    style: SubmitStyle = SubmitStyle()
    output: Output = Output()
    deadline_ms: int | None = None
    priority: int = PRIORITY_NORMAL
    replaces: str | None = None
    no_cache: bool = False
    painting: bool = False
    instances: InstancesPart | None = None
    places: PlacesPart | None = None


@dataclass(frozen=True)
class Cancel:
    """Stop this client's job, wherever it is; answered by Cancelled unless it is already over."""

    id: str


@dataclass(frozen=True)
class GetLabelSet:
    """Ask for the label set of a served model; answered by LabelSetText, or by Failed with the same id."""

    digest: str
    id: str = ""


@dataclass(frozen=True)
class GetThumbnails:
    """Ask for pictures of a served model's styles; answered by Thumbnails, or by Failed with the same id (since minor
    version 4). digest: the model's."""

    digest: str
    id: str = ""


@dataclass(frozen=True)
class ReleaseDevice:
    """Give the device's memory back (a render needs it) until the next job; answered by ServerStatus."""


@dataclass(frozen=True)
class Status:
    """How is the server? Answered by ServerStatus, also while it is busy."""


@dataclass(frozen=True)
class Ping:
    """Are you there? Answered by Pong, also while the device is busy."""


@dataclass(frozen=True)
class Drain:
    """Control socket only: finish what is accepted, take no more, leave; answered by GoAway.

    within_ms: what has not ended by then fails; None is the server's usual time (since minor version 6).
    """

    within_ms: int | None = None


# --- server to client ---


@dataclass(frozen=True)
class ModelInfo:
    """A model that is served; `label_set` and `label_set_digest` say which label maps it understands.

    A training run's model changes under its name while the run goes on: `digest` tells two of them apart, `file`
    is the checkpoint's name for people (empty for a model that stays as it is; since minor version 1). trained_size:
    [height, width] of what it paints best, where that is known (since minor version 3). styles: names of its styles
    (since minor version 4). instance_edges: whether it looks at the borders between objects, and takes an instance map;
    terms: whose weights it has, on what it was trained, and on what terms, in words (since minor version 7). one_style:
    why it paints all of a picture in one style, as the end of a sentence; "" where it can in several (since minor
    version 9).
    """

    name: str
    digest: str
    label_set: str
    label_set_digest: str
    native_size: int
    style_size: int
    file: str = ""
    trained_size: tuple[int, int] | None = None
    styles: tuple[str, ...] = ()
    instance_edges: bool = False
    terms: str = ""
    one_style: str = ""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with a model, or, where `model` is empty, with the server; and the remedy."""

    model: str
    message: str
    fix: str


@dataclass(frozen=True)
class Welcome:
    """The server introduces itself, and again whenever its state or its models change.

    epoch: another one means another process, which knows nothing of earlier jobs. models: in the header as many as fit,
    since minor version 5 all of them as a table in the buffer. encodings: those of a picture that this server can send.
    state: "warming" | "ready" | "failed" | "released" | "draining". problems: what is wrong, as
    many as fit (since minor version 2). upscalers: names that a request may ask for beside "auto" and "off"; the
    first is what "auto" takes (since minor version 3). upscaler_terms: those of each of them, in words, as many as fit
    (since minor version 7).
    """

    minor: int
    epoch: str
    limits: Limits
    models: tuple[ModelInfo, ...]
    encodings: tuple[str, ...]
    state: str = "ready"
    problems: tuple[Problem, ...] = ()
    software: str = ""
    upscalers: tuple[str, ...] = ()
    upscaler_terms: tuple[str, ...] = ()

    def terms_of_upscaler(self, upscaler: str) -> str:
        """In words; empty where the server did not say. upscaler: its name, or the description of a picture's."""
        terms = dict(zip(self.upscalers, self.upscaler_terms, strict=False))
        return terms.get(upscaler.split(" ")[0], "")

    def problem_with(self, model: str) -> Problem | None:
        """Why a model cannot paint: what is wrong with itself, or with the server."""
        return next((each for each in self.problems if each.model in (model, "")), None)


@dataclass(frozen=True)
class Accepted:
    """The job is known; repeated while it waits. state "queued" | "running"; position 0 is the next."""

    id: str
    state: str
    position: int = 0


SENDING = "sending"
"""The stage of a job whose picture is large, and comes next over the same connection: nothing else can until then."""


@dataclass(frozen=True)
class Progress:
    """The job runs; fraction 0..1; repeated at least twice a second."""

    id: str
    stage: str
    fraction: float


@dataclass(frozen=True)
class Painting:
    """What an upscaler is going to enlarge; not terminal, and not said again. Buffers: rgb (h, w, 3) uint8 in row
    bands.

    The client fills `rgb`, which is not part of the header.
    """

    id: str
    shape: tuple[int, int]
    dtype: str = "uint8"
    rgb: np.ndarray = _beside_header(lambda: np.empty((0, 0, 3), np.uint8))


@dataclass(frozen=True)
class Timings:
    """Milliseconds a job waited, ran, and took to be encoded."""

    queue_ms: float = 0.0
    run_ms: float = 0.0
    encode_ms: float = 0.0


@dataclass(frozen=True)
class Finished:
    """The picture; terminal. Buffers: rgb (H, W, 3) uint8 in row bands, or one encoded file.

    digest: SHA-256 of the buffers. cached: it was made before, for a request that asked for the same. upscaler: what
    enlarged it and how, for people and for making it again; empty where nothing did (since minor version 3).
    The client fills `rgb` where the encoding is "raw" and `file` elsewhere; neither is part of the header.
    """

    id: str
    shape: tuple[int, int]
    model_digest: str
    encoding: str = "raw"
    dtype: str = "uint8"
    digest: str = ""
    cached: bool = False
    timings: Timings = Timings()
    upscaler: str = ""
    rgb: np.ndarray = _beside_header(lambda: np.empty((0, 0, 3), np.uint8))
    file: bytes = _beside_header(bytes)


@dataclass(frozen=True)
class LabelSetText:
    """A label set, for labels.parse_label_set. Buffer: the TOML text; large sets do not fit in a header."""

    id: str = ""
    toml: str = _beside_header(str)


@dataclass(frozen=True)
class Thumbnails:
    """A model's styles, each as a picture of `shape` [h, w], in the order of ModelInfo.styles. Buffer: their rgb."""

    id: str = ""
    shape: tuple[int, int] = (0, 0)
    rgb: np.ndarray = _beside_header(lambda: np.empty((0, 0, 0, 3), np.uint8))


@dataclass(frozen=True)
class Failed:
    """The job failed, or, with an empty id, a message that belongs to none; terminal unless retryable."""

    id: str
    code: str
    message: str
    fix: str = ""
    retryable: bool = False
    retry_after_ms: int = 0

    @property
    def error(self) -> SpadeError:
        """The typed error, to show or to raise."""
        return error_from(self.code, self.message, self.fix, self.retryable, self.retry_after_ms)

    @classmethod
    def of(cls, id: str, error: SpadeError) -> Failed:
        """The message that tells of an error."""
        return cls(id, error.code, error.message, error.fix, error.retryable, error.retry_after_ms)


@dataclass(frozen=True)
class Cancelled:
    """The job was cancelled or replaced; terminal: no picture follows."""

    id: str


@dataclass(frozen=True)
class Pong:
    """The server is there; queue is the number of jobs that wait or run."""

    queue: int
    epoch: str


@dataclass(frozen=True)
class ServerStatus:
    """What the server is doing; the pids are those of broker and workers. software, workers: since minor version 6."""

    state: str
    epoch: str
    queued: int
    running: int
    finished: int
    failed: int
    uptime_s: float
    pids: tuple[int, ...] = ()
    problems: tuple[Problem, ...] = ()
    software: str = ""
    workers: tuple[WorkerStatus, ...] = ()


@dataclass(frozen=True)
class GoAway:
    """The server leaves at the latest in deadline_ms; jobs it has accepted are finished first."""

    deadline_ms: int


ClientMessage = (
    Hello
    | Submit
    | Cancel
    | GetLabelSet
    | GetThumbnails
    | GetStatistics
    | ReleaseDevice
    | Status
    | Ping
    | Drain
)
ServerMessage = (
    Welcome
    | Accepted
    | Progress
    | Painting
    | Finished
    | LabelSetText
    | Thumbnails
    | Failed
    | Cancelled
    | Pong
    | ServerStatus
    | Statistics
    | GoAway
)

# The names on the wire. "Status" and "LabelSet" are called in their replies what they are in the requests.
CLIENT_MESSAGES: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Hello,
        Submit,
        Cancel,
        GetLabelSet,
        GetThumbnails,
        GetStatistics,
        ReleaseDevice,
        Status,
        Ping,
        Drain,
    )
}
SERVER_MESSAGES: dict[str, type] = {
    "LabelSet": LabelSetText,
    "Status": ServerStatus,
    **{
        kind.__name__: kind
        for kind in (
            Welcome,
            Accepted,
            Progress,
            Painting,
            Finished,
            Thumbnails,
            Failed,
            Cancelled,
            Pong,
            Statistics,
            GoAway,
        )
    },
}
