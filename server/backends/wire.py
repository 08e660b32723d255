# SPDX-License-Identifier: Apache-2.0
"""What the broker and its worker processes send to each other, over the contract's codec.

A ticket is one try of one job: after a worker is lost the job gets another, so an answer that comes too late
belongs to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from spade_core.checkpoint.sources import CheckpointVersion, ModelSource
from spade_core.contract.messages import ModelInfo, Problem, Submit

# --- broker to worker ---


@dataclass(frozen=True)
class Assignment:
    """First line on a worker's stdin, as JSON: what it is. `token` is its name on the wire, and a secret."""

    address: str
    token: str
    models: tuple[ModelSource, ...]
    device: str
    threads: int
    synthesizer: str
    upscalers: dict[str, str]
    """Files by name."""
    broker_key: str
    """The public key of the broker's socket for workers."""
    set_aside: tuple[CheckpointVersion, ...] = ()
    """What ended the workers before this one whenever it was loaded."""
    log_format: str = "text"


@dataclass(frozen=True)
class Render:
    """Make this picture. Buffers: those of the job, its label map raw."""

    ticket: int
    submit: Submit


@dataclass(frozen=True)
class Abandon:
    """Nobody wants this picture any more."""

    ticket: int


# --- worker to broker ---


@dataclass(frozen=True)
class Heartbeat:
    """The process lives; twice a second, also while it computes. The rest is as in WorkerStatus."""

    device: str = ""
    memory_bytes: int = 0
    device_bytes: int = 0


@dataclass(frozen=True)
class Loading:
    """This checkpoint is loaded next, which may end the process; None: that went well, or the file was refused."""

    version: CheckpointVersion | None


@dataclass(frozen=True)
class Ready:
    """What this worker paints with from now on: sent when loading and warming up is over, and again when a run
    has a newer model. Buffers: models and problems as tables, then their label sets as one JSON list of TOML texts.

    problems: models that could not be loaded; an older one of the same name may be served all the same.
    ms_per_megapixel: of painting, measured on a first picture, to estimate others. upscalers: as in Welcome.
    """

    ms_per_megapixel: float
    upscalers: tuple[str, ...] = ()
    models: tuple[ModelInfo, ...] = field(default=(), metadata={"wire": False})
    problems: tuple[Problem, ...] = field(default=(), metadata={"wire": False})


@dataclass(frozen=True)
class StyleThumbnails:
    """The styles of a model that the next Ready names, as pictures of this (height, width). Buffer: their rgb."""

    model_digest: str
    shape: tuple[int, int]


@dataclass(frozen=True)
class RenderPainting:
    """What an upscaler is going to enlarge is in the buffers: rgb (h, w, 3) uint8 in row bands."""

    ticket: int
    shape: tuple[int, int]


@dataclass(frozen=True)
class RenderProgress:
    """How far the picture is: the stage, and how much of it is done, 0 to 1."""

    ticket: int
    stage: str
    done: float


@dataclass(frozen=True)
class Rendered:
    """The picture is in the buffers; `digest` is their SHA-256, `model_digest` that of the model that painted.

    upscaler: as in Finished; upscaling_ms: its share of run_ms.
    """

    ticket: int
    shape: tuple[int, int]
    encoding: str
    digest: str
    model_digest: str
    run_ms: float
    encode_ms: float
    upscaler: str = ""
    upscaling_ms: float = 0.0


@dataclass(frozen=True)
class RenderFailed:
    """The picture will not come: it was abandoned (code CANCELLED), or failed."""

    ticket: int
    code: str
    message: str
    fix: str


TO_WORKER: dict[str, type] = {kind.__name__: kind for kind in (Render, Abandon)}
FROM_WORKER: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Heartbeat,
        Loading,
        Ready,
        StyleThumbnails,
        RenderProgress,
        RenderPainting,
        Rendered,
        RenderFailed,
    )
}
