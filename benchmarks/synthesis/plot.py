# SPDX-License-Identifier: Apache-2.0
"""How many times as fast as plain PyTorch: bars, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from .measuring import Row
from .systems import EXACT, OURS

WIDTH, LEFT, RIGHT, BAR, GAP = 640, 170, 60, 15, 5
OWN, OTHERS = "#2b5f9e", "#b9b9b9"


def drawn(cases: Mapping[str, Sequence[Row]]) -> str:
    """A group of bars a case, each with the smallest and largest ratio of its rounds as a line."""
    most = max((row.highest for rows in cases.values() for row in rows), default=1.0)
    parts, y = [], 8

    def across(ratio: float) -> float:
        return LEFT + ratio / most * (WIDTH - LEFT - RIGHT)

    for title, rows in cases.items():
        y += 22
        parts.append(f'<text x="8" y="{y - 8}" font-weight="bold">{escape(title)}</text>')
        for row in rows:
            middle = y + BAR / 2
            name = row.system.replace(EXACT, "exact")
            parts.append(
                f'<text x="{LEFT - 8}" y="{middle + 4:.0f}" text-anchor="end">{escape(name)}</text>'
                f'<rect x="{LEFT}" y="{y}" width="{across(row.ratio) - LEFT:.0f}" height="{BAR}" '
                f'fill="{OWN if row.system in OURS else OTHERS}"/>'
                f'<path d="M{across(row.lowest):.0f} {middle:.1f}H{across(row.highest):.0f}" stroke="#333"/>'
                f'<text x="{across(row.highest) + 6:.0f}" y="{middle + 4:.0f}">{row.ratio:.2f}</text>'
            )
            y += BAR + GAP
    height = y + 12
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    font = 'font-family="sans-serif" font-size="12"'
    back = f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>{back}{"".join(parts)}</svg>\n'
