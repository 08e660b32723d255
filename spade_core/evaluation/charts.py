# SPDX-License-Identifier: Apache-2.0
"""A small line chart as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 340, 190, 52, 24, 10, 14


@dataclass(frozen=True)
class Chart:
    title: str
    svg: Markup


def line_chart(
    title: str, xs: Sequence[float], ys: Sequence[float], ticks: Sequence[str], real: float | None,
    joined: Sequence[Sequence[int]],
) -> Chart:  # fmt: skip
    """xs rising, ticks one a point; real: a level drawn as a dashed line; joined: places of points with a line."""
    levels = [*ys, *([] if real is None else [real])]
    low, high = min(0.0, *levels), max(levels) * 1.05 or 1.0
    span = (xs[-1] - xs[0]) or 1.0

    def across(x: float) -> float:
        return LEFT + (x - xs[0]) / span * (WIDTH - LEFT - RIGHT)

    def up(y: float) -> float:
        return TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def level_line(kind: str, y: float) -> str:
        return f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}"/>'

    parts = []
    for level in (low, (low + high) / 2, high):
        parts.append(level_line("axis", level))
        parts.append(f'<text x="{LEFT - 6}" y="{up(level) + 4:.1f}" text-anchor="end">{short(level)}</text>')
    if real is not None:
        parts.append(level_line("real", real))
    for line in joined:
        points = " ".join(f"{across(xs[place]):.1f},{up(ys[place]):.1f}" for place in line)
        parts.append(f'<polyline class="line" points="{points}"/>')
    for place, (x, y, tick) in enumerate(zip(xs, ys, ticks, strict=True)):
        label = Markup.escape(tick)
        hint = f"<title>{label}: {short(y)}</title>"
        parts.append(f'<circle class="dot" cx="{across(x):.1f}" cy="{up(y):.1f}" r="3">{hint}</circle>')
        if place in (0, len(xs) // 2, len(xs) - 1):
            anchor = "start" if place == 0 else "end" if place == len(xs) - 1 else "middle"
            parts.append(f'<text x="{across(x):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{label}</text>')
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return Chart(title, Markup(f'<svg {size} role="img">{"".join(parts)}</svg>'))


def short(value: float) -> str:
    """About three digits."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
