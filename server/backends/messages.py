# SPDX-License-Identifier: Apache-2.0
"""What the broker and its worker processes say to each other, over the contract's codec.

A ticket is one try of one job: after a worker is lost the job gets another, so an answer that comes too late
belongs to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from spade_core.contract.messages import ModelInfo, Submit

from ..run_folder import Place

# --- broker to worker ---


@dataclass(frozen=True)
class Assignment:
    """First line on a worker's stdin, as JSON: what it is. `token` is its name on the wire, and a secret."""

    address: str
    token: str
    models: tuple[Place, ...]
    device: str
    threads: int
    synthesizer: str


@dataclass(frozen=True)
class Run:
    """Make this picture. Buffers: the raw label map, then the style image if the job has one."""

    ticket: int
    submit: Submit


@dataclass(frozen=True)
class Abandon:
    """Nobody wants this picture any more."""

    ticket: int


# --- worker to broker ---


@dataclass(frozen=True)
class Beat:
    """The process lives; twice a second, also while it computes."""


@dataclass(frozen=True)
class LoadProblem:
    """A model that could not be loaded, and why; an older one of its name may be served all the same."""

    model: str
    message: str
    fix: str


@dataclass(frozen=True)
class Ready:
    """What this worker paints with from now on: said when loading and warming up is over, and again when a run
    has a newer model. Buffers: the label set of each model, as TOML.

    ms_per_megapixel: measured on a first picture, to estimate others.
    """

    models: tuple[ModelInfo, ...]
    problems: tuple[LoadProblem, ...]
    ms_per_megapixel: float


@dataclass(frozen=True)
class Step:
    """How far the picture is."""

    ticket: int
    stage: str
    fraction: float


@dataclass(frozen=True)
class Painted:
    """The picture is in the buffers; `digest` is their SHA-256, `model_digest` that of the model that painted."""

    ticket: int
    shape: tuple[int, int]
    encoding: str
    digest: str
    model_digest: str
    run_ms: float
    encode_ms: float


@dataclass(frozen=True)
class Stopped:
    """The picture will not come: it was abandoned (code CANCELLED), or failed."""

    ticket: int
    code: str
    message: str
    fix: str


TO_WORKER: dict[str, type] = {kind.__name__: kind for kind in (Run, Abandon)}
FROM_WORKER: dict[str, type] = {kind.__name__: kind for kind in (Beat, Ready, Step, Painted, Stopped)}
