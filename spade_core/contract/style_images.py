# SPDX-License-Identifier: Apache-2.0
"""Pictures of styles, made to fit what a server takes: of a style only the look counts, so a smaller one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .limits import Limits
from .placed_styles import PlacedStyle
from .request import ImageStyle, MixedStyle, PlainStyle, Style


def fitted(style: Style | None, limits: Limits) -> Style | None:
    """The style with its pictures scaled into the limits; what fits is left as it is."""
    if isinstance(style, MixedStyle):
        return replace(style, first=_fitted(style.first, limits), second=_fitted(style.second, limits))
    return None if style is None else _fitted(style, limits)


def fitted_placed(placed: Sequence[PlacedStyle], limits: Limits) -> tuple[PlacedStyle, ...]:
    """The same of styles of parts."""
    return tuple(replace(each, style=_fitted(each.style, limits)) for each in placed)


def _fitted(style: PlainStyle, limits: Limits) -> PlainStyle:
    if not isinstance(style, ImageStyle):
        return style
    height, width = style.rgb.shape[:2]
    scale = min(1.0, limits.max_side / max(height, width), (limits.max_bytes / style.rgb.nbytes) ** 0.5)
    # A narrow strip keeps the least side rather than its aspect.
    rows, columns = (max(limits.min_side, int(side * scale)) for side in (height, width))
    if (rows, columns) == (height, width):
        return style
    return ImageStyle(np.rint(_resampled(_resampled(style.rgb, rows, 0), columns, 1)).astype(np.uint8))


def _resampled(rgb: np.ndarray, count: int, axis: int) -> np.ndarray:
    """`rgb` with `count` rows (axis 0) or columns (axis 1): averages where they are fewer, repeated where more."""
    length = rgb.shape[axis]
    starts = np.arange(count) * length // count
    if count >= length:
        return rgb.take(starts, axis)
    sums = np.add.reduceat(rgb, starts, axis, dtype=np.float32)
    lengths = np.diff(np.append(starts, length)).astype(np.float32)
    return sums / (lengths[:, None, None] if axis == 0 else lengths[:, None])
