# SPDX-License-Identifier: Apache-2.0
"""The demo's result on one page: pictures in a grid, each with a caption, and the legend of the label map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

PAPER, INK, QUIET, LINE = "#FBFAF7", "#1B1E21", "#6A7076", "#DEDCD5"
MARGIN, GAP, RADIUS = 72, 44, 14
PICTURE_WIDTH = 868
CHIP = 22


@dataclass(frozen=True)
class Panel:
    """One picture: what it is, and a quieter line that says more."""

    picture: Path
    title: str
    detail: str


@dataclass(frozen=True)
class LegendEntry:
    """One class on the label map; `share` of the picture, 0..1."""

    name: str
    color: str
    share: float


def contact_sheet(
    title: str, subtitle: str, panels: list[Panel], legend: list[LegendEntry], footer: str
) -> Image.Image:
    """The page, two panels a row; the legend stands below them."""
    columns = 2 if len(panels) > 1 else 1
    with Image.open(panels[0].picture) as first:
        picture_height = round(PICTURE_WIDTH * first.height / first.width)
    cell_height = picture_height + 92
    rows = -(-len(panels) // columns)
    width = 2 * MARGIN + columns * PICTURE_WIDTH + (columns - 1) * GAP
    legend_lines = _lines(legend, width - 2 * MARGIN)
    top = 190
    height = top + rows * (cell_height + GAP) + 44 + 42 * len(legend_lines) + 62
    page = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, 62), title, INK, _font(52))
    draw.text((MARGIN, 128), subtitle, QUIET, _font(25))
    for index, panel in enumerate(panels):
        x = MARGIN + (index % columns) * (PICTURE_WIDTH + GAP)
        y = top + (index // columns) * (cell_height + GAP)
        _panel(page, draw, panel, index + 1, (x, y), (PICTURE_WIDTH, picture_height))
    _legend(draw, legend_lines, top + rows * (cell_height + GAP) + 14, width)
    draw.text((MARGIN, height - 66), footer, QUIET, _font(20))
    return page


def _panel(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    panel: Panel,
    number: int,
    at: tuple[int, int],
    size: tuple[int, int],
) -> None:
    (x, y), (width, height) = at, size
    with Image.open(panel.picture) as opened:
        # labels keep hard borders, photographs do not
        smooth = Image.Resampling.NEAREST if opened.mode == "P" else Image.Resampling.LANCZOS
        picture = opened.convert("RGB").resize(size, smooth)
    page.paste(picture, at, _rounded(size))
    draw.rounded_rectangle((x, y, x + width - 1, y + height - 1), RADIUS, outline=LINE)
    draw.text((x, y + height + 18), str(number), QUIET, _font(27))
    draw.text((x + 32, y + height + 18), panel.title, INK, _font(27))
    draw.text((x + 32, y + height + 54), panel.detail, QUIET, _font(21))


def _rounded(size: tuple[int, int]) -> Image.Image:
    """A mask with smooth round corners: drawn large, then reduced."""
    large = Image.new("L", (4 * size[0], 4 * size[1]), 0)
    ImageDraw.Draw(large).rounded_rectangle((0, 0, 4 * size[0] - 1, 4 * size[1] - 1), 4 * RADIUS, fill=255)
    return large.resize(size, Image.Resampling.LANCZOS)


def _lines(legend: list[LegendEntry], width: int) -> list[list[tuple[int, LegendEntry, str]]]:
    """The legend broken into lines: (x, entry, text) of each entry."""
    lines: list[list[tuple[int, LegendEntry, str]]] = [[]]
    x = 0
    for entry in legend:
        text = f"{entry.name}  {100 * entry.share:.0f} %" if entry.share >= 0.005 else f"{entry.name}  < 1 %"
        needed = CHIP + 10 + round(_font(21).getlength(text)) + 26
        if x + needed > width and lines[-1]:
            lines.append([])
            x = 0
        lines[-1].append((x, entry, text))
        x += needed
    return lines if legend else []


def _legend(
    draw: ImageDraw.ImageDraw, lines: list[list[tuple[int, LegendEntry, str]]], y: int, width: int
) -> None:
    draw.line((MARGIN, y - 22, width - MARGIN, y - 22), LINE)
    for line in lines:
        for x, entry, text in line:
            x += MARGIN
            draw.rounded_rectangle((x, y + 2, x + CHIP, y + 2 + CHIP), 5, fill=entry.color, outline=LINE)
            draw.text((x + CHIP + 10, y), text, INK, _font(21))
        y += 42


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
