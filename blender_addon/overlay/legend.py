# SPDX-License-Identifier: GPL-3.0-or-later
"""The legend in a 3D view: the classes in use with their colours and shares."""

from __future__ import annotations

import blf
import bpy

from ..contract.labels import LabelSet
from ..label_image.colors import paint_colors
from ..scene.coverage import percent
from .card import gpu, quad

LONGEST = 18
"""Rows; what takes less of the picture is summed up."""
_FONT = 0
_TITLE = "Of the camera's picture"
_TEXT, _DIM, _BACK = (0.93, 0.93, 0.93, 1.0), (0.65, 0.65, 0.65, 1.0), (0.08, 0.08, 0.08, 0.82)


def draw_legend(context: bpy.types.Context, label_set: LabelSet, shares: dict[int, float]) -> None:
    """At the lower left of the view, the largest share first; `shares` by class ids, 0..1."""
    rows = legend_rows(label_set, shares)
    if not rows:
        return
    scale = context.preferences.system.ui_scale or 1.0
    line, pad, swatch = 20 * scale, 10 * scale, 12 * scale
    blf.size(_FONT, 11 * scale)
    names = max(blf.dimensions(_FONT, name)[0] for name, _, _ in rows)
    title = 2 * pad + blf.dimensions(_FONT, _TITLE)[0]
    width = pad + swatch + 8 * scale + names + 14 * scale + blf.dimensions(_FONT, "under 1%")[0] + pad
    width = max(width, title)
    left, bottom = _left_of_tools(context) + 10 * scale, 10 * scale
    height = (len(rows) + 1) * line + pad
    gpu.state.blend_set("ALPHA")
    _rectangle(left, bottom, width, height, _BACK)
    top = bottom + height - pad / 2
    _text(
        "Share of the camera's picture"[: 60 if width > 190 * scale else 5],
        left + pad,
        top - 14 * scale,
        _DIM,
    )
    for number, (name, rgb, share) in enumerate(rows, 2):
        base = top - number * line
        if rgb is not None:
            red, green, blue = rgb
            _rectangle(
                left + pad, base + 4 * scale, swatch, swatch, (red / 255, green / 255, blue / 255, 1.0)
            )
        _text(name, left + pad + swatch + 8 * scale, base + 6 * scale, _TEXT)
        text = percent(share)
        at = left + width - pad - blf.dimensions(_FONT, text)[0]
        _text(text, at, base + 6 * scale, _DIM)
    gpu.state.blend_set("NONE")


def legend_rows(
    label_set: LabelSet, shares: dict[int, float]
) -> list[tuple[str, tuple[int, int, int] | None, float]]:
    """Name, colour and share of each class in use, the largest first; the last sums up what would be too many."""
    colors = paint_colors(label_set)
    names = {entry.id: entry.name for entry in label_set.classes}
    names.setdefault(label_set.ignore_id, "no label")
    used = sorted((item for item in shares.items() if item[1] > 0), key=lambda item: -item[1])
    rows = [(names[class_id], colors[class_id], share) for class_id, share in used]
    if len(rows) <= LONGEST:
        return list(rows)
    rest = rows[LONGEST - 1 :]
    return [*rows[: LONGEST - 1], (f"{len(rest)} more", None, sum(share for _, _, share in rest))]


def _left_of_tools(context: bpy.types.Context) -> int:
    """Where the view is not under the toolbar."""
    if not context.preferences.system.use_region_overlap or context.area is None:
        return 0
    tools = (region for region in context.area.regions if region.type == "TOOLS" and region.width > 1)
    return sum(region.width for region in tools)


def _text(text: str, x: float, y: float, color: tuple[float, float, float, float]) -> None:
    blf.color(_FONT, *color)
    blf.position(_FONT, x, y, 0)
    blf.draw(_FONT, text)


def _rectangle(
    x: float, y: float, width: float, height: float, color: tuple[float, float, float, float]
) -> None:
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    batch = quad(shader, pos=corners)
    shader.uniform_float("color", color)
    batch.draw(shader)
