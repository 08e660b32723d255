# SPDX-License-Identifier: Apache-2.0
"""What a client says to the server, and what such messages are made of."""

from __future__ import annotations

from dataclasses import dataclass

from ..server_statistics import GetStatistics
from ..version import PROTOCOL_MINOR

PRIORITIES = PRIORITY_BACKGROUND, PRIORITY_NORMAL, PRIORITY_INTERACTIVE = 0, 1, 2
PICTURE_ENCODINGS = ("raw", "png", "jpeg", "webp")
Wrap = tuple[bool, bool]
"""Whether an axis goes on at its other end: (rows, columns)."""
PRECISIONS = EXACT, PREVIEW = "exact", "preview"
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
class Output:
    """The picture wanted: size None means the label map's own, encoding is one of PICTURE_ENCODINGS.

    upscale: as in PictureRequest; older clients do not send it and get what they got (since minor version 3).
    natural_edges: as in PictureRequest (since minor version 4). wrap: as in PictureRequest; older servers paint without
    (since minor version 7). precision: as in PictureRequest; older servers paint what is exact (since minor version 8).
    detail: as in PictureRequest; older servers paint with 1 (since minor version 10).
    """

    size: tuple[int, int] | None = None
    encoding: str = "raw"
    upscale: str = "off"
    natural_edges: float = 0.0
    wrap: Wrap = NOWHERE
    precision: str = EXACT
    detail: float = 1.0


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
