# SPDX-License-Identifier: Apache-2.0
"""Everything that travels between a client and the server, as frozen dataclasses.

The fields are the JSON header; raw buffers (label map, style image, picture bands) travel beside it, see
codec. Sizes and shapes are [height, width]. The client chooses a job's id: the same id again is the same job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

import numpy as np

from .errors import SpadeError, error_from
from .frozen import record
from .version import PROTOCOL_MINOR

PRIORITY_BACKGROUND, PRIORITY_NORMAL, PRIORITY_INTERACTIVE = 0, 1, 2


@record
class Style:
    """What the picture should look like: a style code, and how it is used.

    kind: "none" (a style of the job's own seed), "seed" (the style of another seed), "image" (the style of
    the style-image buffer, rgb uint8 of `shape` [h, w]) or "code" (a code the server knows by `name`).
    mix: how far from the style of the job's seed (0) to the one named (1). strength: 0 is the average look,
    1 the style as it is, at most 2.
    """

    kind: str = "none"
    seed: int = 0
    name: str = ""
    shape: tuple[int, int] | None = None
    strength: float = 1.0
    mix: float = 1.0


@record
class Output:
    """The picture wanted: size None means the label map's own; mode "image" | "panorama" | "tile"; encoding
    "raw" | "png" | "jpeg" | "webp"."""

    size: tuple[int, int] | None = None
    mode: str = "image"
    encoding: str = "raw"


def _beside_header(empty: Callable[[], Any]) -> Any:
    """A field that travels as buffers, or not at all."""
    return field(default_factory=empty, metadata={"wire": False}, repr=False, compare=False)


# --- client to server ---


@record
class Hello:
    """First message on every connection; answered by Welcome."""

    minor: int = PROTOCOL_MINOR
    software: str = ""
    client: str = ""


@record
class Submit:
    """One picture to make. Buffers: the label map as `encoding` says, then the style image if any."""

    id: str
    client: str
    model: str
    label_set: str
    seed: int
    shape: tuple[int, int]
    dtype: str
    raw_bytes: int
    encoding: str = "raw"
    style: Style = Style()
    output: Output = Output()
    deadline_ms: int | None = None
    priority: int = PRIORITY_NORMAL
    replaces: str | None = None
    no_cache: bool = False


@record
class Cancel:
    """Stop this client's job, wherever it is; answered by Cancelled unless it is already over."""

    id: str


@record
class GetLabelSet:
    """Ask for the label set of a served model; answered by LabelSetText, or by Failed with the same id."""

    digest: str
    id: str = ""


@record
class ReleaseDevice:
    """Give the device's memory back (a render needs it) until the next job; answered by ServerStatus."""


@record
class Status:
    """How is the server? Answered by ServerStatus, also while it is busy."""


@record
class Ping:
    """Are you there? Answered by Pong, also while the device is busy."""


@record
class Drain:
    """Control socket only: finish what is accepted, take no more, leave; answered by GoAway."""


# --- server to client ---


@record
class Limits:
    """What one request may ask; a message over max_bytes must not be sent: the transport would drop it."""

    min_side: int = 32
    max_side: int = 4096
    max_bytes: int = 64 * 2**20 - 2**16
    max_inflight: int = 16
    max_queue: int = 128


@record
class ModelInfo:
    """A model that is served; `label_set` and `label_set_digest` say which label maps it understands.

    A training run's model changes under its name while the run goes on: `digest` tells two of them apart, `file`
    is the checkpoint's name for people (empty for a model that stays as it is; since minor version 1).
    """

    name: str
    digest: str
    label_set: str
    label_set_digest: str
    native_size: int
    style_size: int
    file: str = ""


@record
class Welcome:
    """The server introduces itself, and again whenever its state or its models change.

    epoch: another one means another process, which knows nothing of earlier jobs. state: "warming" |
    "ready" | "failed" | "released" | "draining". problem: a sentence and its fix, when something is wrong.
    """

    minor: int
    epoch: str
    limits: Limits
    models: tuple[ModelInfo, ...]
    encodings: tuple[str, ...]
    state: str = "ready"
    problem: str = ""
    software: str = ""


@record
class Accepted:
    """The job is known; repeated while it waits. state "queued" | "running"; position 0 is the next."""

    id: str
    state: str
    position: int = 0
    eta_ms: int = 0


@record
class Progress:
    """The job runs; fraction 0..1; repeated at least twice a second."""

    id: str
    stage: str
    fraction: float


@record
class Timings:
    """Milliseconds a job waited, ran, and took to be encoded."""

    queue_ms: float = 0.0
    run_ms: float = 0.0
    encode_ms: float = 0.0


@record
class Finished:
    """The picture; terminal. Buffers: rgb (H, W, 3) uint8 in row bands, or one encoded file.

    digest: SHA-256 of the buffers. cached: it was made before, for a request that asked for the same.
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
    rgb: np.ndarray = _beside_header(lambda: np.empty((0, 0, 3), np.uint8))
    file: bytes = _beside_header(bytes)


@record
class LabelSetText:
    """A label set, for labels.parse_label_set. Buffer: the TOML text; large sets do not fit in a header."""

    id: str = ""
    toml: str = _beside_header(str)


@record
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


@record
class Cancelled:
    """The job was cancelled or replaced; terminal: no picture follows."""

    id: str


@record
class Pong:
    """The server is there; queue is the number of jobs that wait or run."""

    queue: int
    epoch: str


@record
class ServerStatus:
    """What the server is doing; the pids are those of broker and workers."""

    state: str
    epoch: str
    queued: int
    running: int
    finished: int
    failed: int
    uptime_s: float
    pids: tuple[int, ...] = ()
    problem: str = ""


@record
class GoAway:
    """The server leaves at the latest in deadline_ms; jobs it has accepted are finished first."""

    deadline_ms: int


Request = Hello | Submit | Cancel | GetLabelSet | ReleaseDevice | Status | Ping | Drain
Reply = (
    Welcome
    | Accepted
    | Progress
    | Finished
    | LabelSetText
    | Failed
    | Cancelled
    | Pong
    | ServerStatus
    | GoAway
)

# The names on the wire. "Status" and "LabelSet" are called in their replies what they are in the requests.
REQUEST_KINDS: dict[str, type] = {
    kind.__name__: kind for kind in (Hello, Submit, Cancel, GetLabelSet, ReleaseDevice, Status, Ping, Drain)
}
REPLY_KINDS: dict[str, type] = {
    "LabelSet": LabelSetText,
    "Status": ServerStatus,
    **{
        kind.__name__: kind
        for kind in (Welcome, Accepted, Progress, Finished, Failed, Cancelled, Pong, GoAway)
    },
}
