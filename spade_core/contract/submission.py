# SPDX-License-Identifier: Apache-2.0
"""A PictureRequest as a Submit message with its buffers, and back: the one place that knows their order.

Buffers: the label map, then for each style, in order, first the picture's own, then those of its parts, an image's rgb
or a code's float32 (a seed or a name needs none), then the region map and the instance map, if there are any.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import numpy as np

from .codec import pack_map, unpack_map
from .errors import BadFramesError, BadHeaderError, SizeMismatchError, TooLargeError
from .labels import LabelSet
from .limits import MAX_MESSAGE_BYTES, Limits
from .messages import InstancesPart, Output, PlacedPart, PlacesPart, StylePart, Submit, SubmitStyle
from .placed_styles import MOST_PLACED, PlacedStyle
from .request import (
    CodeStyle,
    Delivery,
    ImageStyle,
    MixedStyle,
    NamedStyle,
    PictureRequest,
    PlainStyle,
    SeedStyle,
    Style,
)

Buffer = bytes | memoryview
_CODE = np.dtype("<f4")
_ALWAYS_COMPRESSED = 4 * 2**20
"""From here on a map is deflated sooner than enciphered, and a server does not let many wait on its socket."""
_WITHOUT_BUFFER = ("seed", "named")


def submit_from(
    request: PictureRequest, delivery: Delivery, client: str, limits: Limits
) -> tuple[Submit, list[Buffer]]:
    """A new job and its buffers, which share no memory with the arrays. Raises what `check` of both raises, and
    TooLargeError where all of it is too much for one message."""
    delivery.check()
    request = request.check(limits)
    label_map, encoding = request.label_map, _encoding(request.label_map, delivery)
    instances, objects = _instances_part(request.instance_map, delivery)
    regions, numbers = _instances_part(request.region_map if request.placed_styles else None, delivery)
    deadline_s = delivery.deadline_s
    submit = Submit(
        id=uuid.uuid4().hex,
        client=client,
        model=request.model,
        label_set=request.label_set.digest,
        seed=int(request.seed),
        shape=(label_map.shape[0], label_map.shape[1]),
        dtype=label_map.dtype.name,
        raw_bytes=label_map.nbytes,
        encoding=encoding,
        style=_style_message(request),
        output=Output(
            request.size,
            delivery.encoding,
            request.upscale,
            float(request.natural_edges),
            request.wrap,
            request.precision,
            float(request.detail),
        ),
        deadline_ms=None if deadline_s is None else max(1, round(deadline_s * 1000)),
        priority=delivery.priority,
        replaces=delivery.replaces,
        no_cache=delivery.no_cache,
        painting=delivery.painting,
        instances=instances,
        places=_places(request, regions),
    )
    buffers = [bytes(pack_map(label_map, encoding)), *style_buffers(request), *numbers, *objects]
    _refuse_large(buffers, limits)
    return submit, buffers


def _encoding(numbers: np.ndarray, delivery: Delivery) -> str:
    return "zlib" if delivery.compress or numbers.nbytes > _ALWAYS_COMPRESSED else "raw"


def _instances_part(
    instance_map: np.ndarray | None, delivery: Delivery
) -> tuple[InstancesPart | None, list[Buffer]]:
    if instance_map is None:
        return None, []
    encoding = _encoding(instance_map, delivery)
    part = InstancesPart(instance_map.dtype.name, instance_map.nbytes, encoding)
    return part, [bytes(pack_map(instance_map, encoding))]


def _refuse_large(buffers: Sequence[Buffer], limits: Limits) -> None:
    largest, size = max(map(len, buffers)), sum(map(len, buffers))
    if largest > limits.max_bytes:
        raise TooLargeError(
            f"A map of the picture has {largest} bytes even deflated, the server takes {limits.max_bytes}.",
            "Choose a smaller size.",
        )
    if size > MAX_MESSAGE_BYTES - 2**16:
        raise TooLargeError(
            f"The label map, its style and its instance map have {size >> 20} MiB together, "
            f"{MAX_MESSAGE_BYTES >> 20} can be sent.",
            "Choose smaller pictures.",
        )


def request_from(submit: Submit, buffers: Sequence[Buffer], label_set: LabelSet) -> PictureRequest:
    """What a job asks for; nothing but its form is checked. The arrays are read-only and share the buffers' memory.

    Raises BadFramesError, BadHeaderError, BadShapeError, SizeMismatchError; never inflates more than `raw_bytes` of the
    job and of its instance map.
    """
    places = submit.places or PlacesPart()
    parts = all_style_parts(submit)
    wanted = 1 + sum(part.kind not in _WITHOUT_BUFFER for part in parts)
    wanted += (submit.instances is not None) + (places.regions is not None)
    if len(buffers) != wanted:
        raise BadFramesError(
            f"The job has {len(buffers)} buffers where {wanted} belong.", "Send the arrays it names."
        )
    rest = iter(buffers[1:])
    styles = [_plain_style(part, b"" if part.kind in _WITHOUT_BUFFER else next(rest)) for part in parts]
    own, placed = styles[: len(styles) - len(places.parts)], styles[len(styles) - len(places.parts) :]
    region_map = None if places.regions is None else _map(submit, places.regions, next(rest), "region map")
    return PictureRequest(
        unpack_map(buffers[0], submit.shape, submit.dtype, submit.encoding, submit.raw_bytes),
        label_set,
        submit.model,
        submit.seed,
        _style(submit, own),
        submit.style.strength,
        submit.output.size,
        upscale=submit.output.upscale,
        natural_edges=submit.output.natural_edges,
        instance_map=None
        if submit.instances is None
        else _map(submit, submit.instances, next(rest), "instance map"),
        wrap=submit.output.wrap,
        precision=submit.output.precision,
        placed_styles=tuple(
            PlacedStyle(style, part.classes, part.region, part.peak)
            for style, part in zip(placed, places.parts, strict=True)
        ),
        region_map=region_map,
        softness=places.softness,
        detail=submit.output.detail,
    )


def _map(submit: Submit, part: InstancesPart, buffer: Buffer, what: str) -> np.ndarray:
    return unpack_map(buffer, submit.shape, part.dtype, part.encoding, part.raw_bytes, what)


def _places(request: PictureRequest, regions: InstancesPart | None) -> PlacesPart | None:
    """None where the picture has one style: then the job is what it was before there were parts."""
    if not request.placed_styles:
        return None
    parts = []
    for each in request.placed_styles:
        style = _part(each.style)
        parts.append(
            PlacedPart(
                *(style.kind, style.seed, style.shape, style.name),
                tuple(map(int, each.classes)),
                int(each.region),
                None if each.peak is None else float(each.peak),
            )
        )
    return PlacesPart(tuple(parts), float(request.softness), regions)


def style_buffers(request: PictureRequest) -> list[Buffer]:
    """What travels beside the header for a request's styles."""
    return [
        style.rgb.tobytes() if isinstance(style, ImageStyle) else style.code.astype(_CODE).tobytes()
        for style in (*request.plain_styles, *(each.style for each in request.placed_styles))
        if not isinstance(style, SeedStyle | NamedStyle)
    ]


def all_style_parts(submit: Submit) -> tuple[StylePart, ...]:
    """The styles of a job in the order of their buffers: its own, then those of its parts. Raises BadHeaderError."""
    places = () if submit.places is None else submit.places.parts
    if len(places) > MOST_PLACED:
        raise BadHeaderError(f"The job has {len(places)} placed styles.", f"Send {MOST_PLACED} at most.")
    further = tuple(StylePart(part.kind, part.seed, part.shape, part.name) for part in places)
    _check_parts(further)
    return (*style_parts(submit.style), *further)


def style_parts(style: SubmitStyle) -> tuple[StylePart, ...]:
    """The styles that a job's is made of: none, one, or two to mix. Raises BadHeaderError."""
    if style.kind == "none":
        return ()
    parts = (StylePart(style.kind, style.seed, style.shape, style.name),)
    if style.kind == "mixed":
        parts = style.parts
        if len(parts) != 2:
            raise BadHeaderError(f"A mixed style has {len(parts)} parts.", "Send two of them.")
    _check_parts(parts)
    return parts


def _check_parts(parts: Sequence[StylePart]) -> None:
    for part in parts:
        if part.kind not in ("seed", "image", "code", "named"):
            raise BadHeaderError(
                f"The style '{part.kind[:20]}' is not allowed here.",
                "Use 'none', 'seed', 'image', 'code', 'named', or 'mixed' of two of them.",
            )
        if part.kind == "image" and part.shape is None:
            raise BadHeaderError("A style image has no shape.", "Send its [height, width].")


def _style_message(request: PictureRequest) -> SubmitStyle:
    parts = tuple(map(_part, request.plain_styles))
    if isinstance(request.style, MixedStyle):
        return SubmitStyle("mixed", strength=request.strength, mix=request.style.share, parts=parts)
    part = parts[0] if parts else StylePart("none")
    return SubmitStyle(part.kind, part.seed, part.shape, request.strength, name=part.name)


def _part(style: PlainStyle) -> StylePart:
    if isinstance(style, SeedStyle):
        return StylePart("seed", seed=int(style.seed))
    if isinstance(style, NamedStyle):
        return StylePart("named", name=style.name)
    if isinstance(style, ImageStyle):
        return StylePart("image", shape=(style.rgb.shape[0], style.rgb.shape[1]))
    return StylePart("code")


def _plain_style(part: StylePart, buffer: Buffer) -> PlainStyle:
    if part.kind == "seed":
        return SeedStyle(part.seed)
    if part.kind == "named":
        return NamedStyle(part.name)
    if part.kind == "code":
        if len(buffer) % _CODE.itemsize:
            raise SizeMismatchError("The style code is no row of float32.", "Send it as float32.")
        return CodeStyle(np.frombuffer(buffer, _CODE))
    height, width = part.shape or (0, 0)
    if height < 1 or width < 1 or len(buffer) != height * width * 3:
        raise SizeMismatchError(f"The style image is not {width} x {height} RGB.", "Send it as 8-bit RGB.")
    return ImageStyle(np.frombuffer(buffer, np.uint8).reshape(height, width, 3))


def _style(submit: Submit, styles: list[PlainStyle]) -> Style | None:
    if not styles:
        return None
    if submit.style.kind == "mixed":
        return MixedStyle(styles[0], styles[1], submit.style.mix)
    if submit.style.mix != 1:  # how clients of minor version 1 mix: from the style of the job's own seed
        return MixedStyle(SeedStyle(submit.seed), styles[0], submit.style.mix)
    return styles[0]
