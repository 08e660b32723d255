# SPDX-License-Identifier: Apache-2.0
"""From arrays to a Submit message: what the client checks before anything is sent."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import numpy as np

from .codec import encode, pack_label_map
from .errors import BadImage, BadShape, TooLarge
from .labels import LabelSet
from .messages import PRIORITY_NORMAL, Limits, Output, Style, Submit

_NO_STYLE = Style()


def submission(
    label_map: np.ndarray,
    label_set: LabelSet,
    *,
    client: str,
    limits: Limits,
    model: str = "landscape",
    seed: int = 0,
    style: Style = _NO_STYLE,
    style_image: np.ndarray | None = None,
    size: tuple[int, int] | None = None,
    mode: str = "image",
    encoding: str = "raw",
    compress: bool = False,
    deadline_s: float | None = None,
    priority: int = PRIORITY_NORMAL,
    replaces: str | None = None,
    no_cache: bool = False,
) -> tuple[str, list[Any]]:
    """A new job's id and its frames, which share no memory with the arrays; see Client.submit."""
    label_map = label_set.check(label_map)
    refuse_size((label_map.shape[0], label_map.shape[1]), "label map", limits)
    if size is not None:
        refuse_size(size, "picture", limits)
    buffers = [bytes(pack_label_map(label_map, "zlib" if compress else "raw"))]
    if style_image is not None:
        height, width = _checked_style(style_image, limits)
        style = replace(style, kind="image", shape=(height, width))
        buffers.append(style_image.tobytes())
    if label_map.nbytes > limits.max_bytes:
        raise TooLarge(
            f"The label map has {label_map.nbytes} bytes, the server takes {limits.max_bytes}.",
            "Choose a smaller size.",
        )
    job = Submit(
        id=uuid.uuid4().hex,
        client=client,
        model=model,
        label_set=label_set.digest,
        seed=int(seed),
        shape=(label_map.shape[0], label_map.shape[1]),
        dtype=label_map.dtype.name,
        raw_bytes=label_map.nbytes,
        encoding="zlib" if compress else "raw",
        style=style,
        output=Output(size, mode, encoding),
        deadline_ms=None if deadline_s is None else round(deadline_s * 1000),
        priority=priority,
        replaces=replaces,
        no_cache=no_cache,
    )
    return job.id, encode(job, buffers)


def refuse_size(size: tuple[int, int], what: str, limits: Limits) -> None:
    """Raises TooLarge or BadShape where a (height, width) is outside the limits."""
    height, width = size
    if max(height, width) > limits.max_side:
        raise TooLarge(
            f"The {what} is {width} x {height} pixels, the server takes up to {limits.max_side} a side.",
            "Choose a smaller size.",
        )
    if min(height, width) < limits.min_side:
        raise BadShape(
            f"The {what} is {width} x {height} pixels, at least {limits.min_side} a side are needed.",
            "Choose a larger size.",
        )


def _checked_style(style_image: np.ndarray, limits: Limits) -> tuple[int, int]:
    if style_image.ndim != 3 or style_image.shape[2] != 3 or style_image.dtype != np.uint8:
        raise BadImage(
            f"A style image is (height, width, 3) uint8, this is {style_image.shape} {style_image.dtype}.",
            "Convert the picture to 8-bit RGB.",
        )
    height, width = style_image.shape[:2]
    refuse_size((height, width), "style image", limits)
    return height, width
