# SPDX-License-Identifier: Apache-2.0
"""What the broker and its worker processes send to each other, over the contract's codec.

A ticket is one try of one job: after a worker is lost the job gets another, so an answer that comes too late
belongs to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from spade_core.checkpoint.sources import CheckpointVersion, ModelSource
from spade_core.contract.messages import ModelInfo, Problem, Submit

UPSCALER_BYTES, UPSCALED_BYTES_A_PIXEL = 500_000_000, 60
"""Of a picture that an upscaler makes: its tiles, and a few copies of the picture. Measured with benchmarks.upscaling:
0.05 to 0.16 GB in all at 1024x576, 0.6 (embedded) and 1.1 (x4plus) at 4096x2304, 2.1 at 8192x4608."""
PARTED_BYTES_A_PIXEL = 16
"""Of a picture that is painted in parts: its labels, noise and colours, and a copy of those to send."""
LARGE_PICTURES = 1.3
"""How much more a large picture takes than the difference between two small ones says: 14.2 GB at 2048 squared, where
that said 11.2."""

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
    """Make this picture. Buffers: those of the job, its label map raw.

    more: how many of the messages that follow belong to the same batch.
    """

    ticket: int
    submit: Submit
    more: int = 0


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
class PaintingCost:
    """What it takes to paint with a model: memory beside the model's own, measured, and 0 where it cannot be.

    batches: whether several at once may be worth it; not where they were seen to differ from each alone.
    whole_pixels: of the largest picture that is painted as a whole (0: every one is). A larger one is painted in parts,
    which take parted_bytes at most.
    """

    bytes_a_picture: float = 0.0
    bytes_a_pixel: float = 0.0
    batches: bool = True
    whole_pixels: int = 0
    parted_bytes: float = 0.0

    def memory(self, painted_pixels: int, upscaled_pixels: int = 0) -> float:
        """Bytes for a picture; upscaled_pixels: its size where it is enlarged from what is painted."""
        if self.whole_pixels and painted_pixels > self.whole_pixels:
            painting = self.bytes_a_picture + self.parted_bytes + PARTED_BYTES_A_PIXEL * painted_pixels
        else:
            painting = self.bytes_a_picture + LARGE_PICTURES * self.bytes_a_pixel * painted_pixels
        upscaling = UPSCALER_BYTES + UPSCALED_BYTES_A_PIXEL * upscaled_pixels if upscaled_pixels else 0
        return max(painting, upscaling)

    def largest_side(self, room: float) -> int:
        """Of a square picture that `room` bytes can hold, in whole steps of 32 pixels; 0 where none can."""
        left = max(0.0, room - self.bytes_a_picture)
        pixels = left / max(LARGE_PICTURES * self.bytes_a_pixel, 1.0)
        if self.whole_pixels:
            parted = (left - self.parted_bytes) / PARTED_BYTES_A_PIXEL
            pixels = parted if parted > self.whole_pixels else min(pixels, self.whole_pixels)
        return int(pixels**0.5) // 32 * 32


@dataclass(frozen=True)
class Ready:
    """What this worker paints with from now on: sent when loading and warming up is over, and again when a run
    has a newer model. Buffers: models, problems and costs as tables, then their label sets as one JSON list of TOML
    texts.

    problems: models that could not be loaded; an older one of the same name may be served all the same.
    ms_per_megapixel: of painting, measured on a first picture, to estimate others. upscalers, preview: as in Welcome.
    costs: of each model, in the order of the models. room: bytes that this worker's pictures may
    take at most; 0 where the device does not say.
    """

    ms_per_megapixel: float
    upscalers: tuple[str, ...] = ()
    room: int = 0
    preview: str = ""
    models: tuple[ModelInfo, ...] = field(default=(), metadata={"wire": False})
    problems: tuple[Problem, ...] = field(default=(), metadata={"wire": False})
    costs: tuple[PaintingCost, ...] = field(default=(), metadata={"wire": False})


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
