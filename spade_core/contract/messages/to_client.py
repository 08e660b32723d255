# SPDX-License-Identifier: Apache-2.0
"""What the server says to a client, and what such messages are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import SpadeError, error_from
from ..limits import Limits
from ..server_statistics import Statistics, WorkerStatus


def _beside_header(empty: Callable[[], Any]) -> Any:
    """A field that travels as buffers, or not at all."""
    return field(default_factory=empty, metadata={"wire": False}, repr=False, compare=False)


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
    (since minor version 7). preview: the numbers that previews are computed in, "bfloat16"; empty where none are faster
    than what is exact, which a preview then is (since minor version 8).
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
    preview: str = ""

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

# "Status" and "LabelSet" are called in their replies what they are in the requests.
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
