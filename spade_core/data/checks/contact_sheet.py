# SPDX-License-Identifier: Apache-2.0
"""A data set on one page: photo beside coloured label map, the worst findings first."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...contract.errors import SpadeError
from ...contract.labels import LabelSet
from ...image_files import ID_MODES, open_picture, rgb_in
from ..pairs import LARGEST_PHOTO, Pair
from .checks import DatasetReport
from .inspection import ERROR, WARNING, Inspected

COLUMNS, ROWS = 3, 8

CELL, GAP, MARGIN, CAPTION = 200, 8, 32, 46

PAPER, INK, QUIET, RED, AMBER = "#FBFAF7", "#1B1E21", "#6A7076", "#B3261E", "#9A6700"

STRANGE = (255, 0, 255)
"""What is painted where a label map holds an id that the set does not know."""


def sheet(report: DatasetReport, label_set: LabelSet, title: str, rows: int = ROWS) -> Image.Image:
    """Up to `rows` times three pairs: those with errors, those with warnings, and others spread over the set."""
    shown = _chosen(report, rows * COLUMNS)
    width = 2 * MARGIN + COLUMNS * (2 * CELL + GAP) + (COLUMNS - 1) * 3 * GAP
    lines = -(-len(shown) // COLUMNS)
    legend = [share for share in report.classes if share.pixels > 0]
    legend_rows = -(-len(legend) // 5)
    height = 112 + lines * (CELL + CAPTION + 2 * GAP) + 26 * legend_rows + MARGIN
    page = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, 26), title, INK, ImageFont.load_default(30))
    draw.text((MARGIN, 70), _subtitle(report), QUIET, ImageFont.load_default(17))
    for index, each in enumerate(shown):
        x = MARGIN + (index % COLUMNS) * (2 * CELL + 4 * GAP)
        y = 112 + index // COLUMNS * (CELL + CAPTION + 2 * GAP)
        page.paste(_fitted(_photo(each.pair)), (x, y))
        page.paste(_fitted(_labels(each.pair, label_set), Image.Resampling.NEAREST), (x + CELL + GAP, y))
        _caption(draw, each, x, y + CELL + 4)
    top = height - MARGIN - 26 * legend_rows
    for index, share in enumerate(legend):
        x, y = MARGIN + index % 5 * ((width - 2 * MARGIN) // 5), top + 26 * (index // 5)
        draw.rectangle((x, y + 2, x + 16, y + 18), share.color, QUIET)
        text = f"{share.name}  {100 * share.pixels:.1f}%"
        draw.text((x + 24, y), text[:30], INK, ImageFont.load_default(15))
    return page


def _chosen(report: DatasetReport, count: int) -> list[Inspected]:
    wrong, doubtful, sound = (
        [each for each in report.inspected if each.severity == severity] for severity in (ERROR, WARNING, "")
    )
    # Some sound pairs are always among them: whether photo and labels match, only an eye can say.
    room = max(count - len(wrong) - len(doubtful), COLUMNS)
    step = max(1, len(sound) // room)
    return [*(wrong + doubtful)[: count - min(room, len(sound))], *sound[::step][:room]][:count]


def _subtitle(report: DatasetReport) -> str:
    pairs = ", ".join(f"{count} {split}" for split, count in report.pairs.items())
    errors = sum(finding.count for finding in report.findings if finding.severity == ERROR)
    warnings = sum(finding.count for finding in report.findings if finding.severity != ERROR)
    return f"Pairs: {pairs}.  Errors: {errors}.  Warnings: {warnings}."


def _caption(draw: ImageDraw.ImageDraw, each: Inspected, x: int, y: int) -> None:
    small = ImageFont.load_default(13)
    draw.text((x, y), _cut(each.pair.name, small), INK, small)
    if each.findings:
        text = (
            each.findings[0].message.replace(f"{each.pair.labels}: ", "").replace(f"{each.pair.image}: ", "")
        )
        text = text.replace(str(each.pair.labels), "labels").replace(str(each.pair.image), "photo")
        draw.text((x, y + 18), _cut(text, small), RED if each.severity == ERROR else AMBER, small)


def _cut(text: str, font) -> str:
    room = 2 * CELL + GAP
    while font.getlength(text) > room:
        text = text[:-4].rstrip(".") + "..."
    return text


def _photo(pair: Pair) -> Image.Image | None:
    try:
        return Image.fromarray(rgb_in(open_picture(pair.image, LARGEST_PHOTO, at_least=CELL)))
    except SpadeError:
        return None


def _labels(pair: Pair, label_set: LabelSet) -> Image.Image | None:
    """The label map in its set's colours; a wrong one as far as it can be shown."""
    try:
        picture = open_picture(pair.labels, LARGEST_PHOTO)
    except SpadeError:
        return None
    if picture.mode not in ID_MODES:
        return picture.convert("RGB")
    colors = np.tile(np.array(STRANGE, np.uint8), (65536, 1))
    colors[label_set.ignore_id] = 0
    for entry in label_set.classes:
        colors[entry.id] = entry.rgb
    return Image.fromarray(colors[np.clip(np.asarray(picture).astype(np.int64), 0, 65535)])


def _fitted(picture: Image.Image | None, how: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    """Into a square, whole; a crossed one where there is no picture."""
    square = Image.new("RGB", (CELL, CELL), "#E9E7E0")
    if picture is None:
        draw = ImageDraw.Draw(square)
        draw.line((0, 0, CELL, CELL), RED, 2)
        draw.line((0, CELL, CELL, 0), RED, 2)
        return square
    scale = CELL / max(picture.size)
    small = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), how)
    square.paste(small, ((CELL - small.width) // 2, (CELL - small.height) // 2))
    return square
