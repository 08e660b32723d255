# SPDX-License-Identifier: Apache-2.0
"""A data set on one page: photo beside coloured label map, the worst findings first."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...contract.errors import SpadeError
from ...contract.labels import LabelSet
from ...files import replacing
from ...image_files import ID_MODES, open_picture, rgb_in
from ..layouts.layouts import list_files
from ..pairs import LARGEST_PHOTO, Pair, read_labels
from .checks import DatasetReport
from .inspection import ERROR, WARNING, Inspected

COLUMNS, ROWS = 3, 8

CELL, GAP, MARGIN, CAPTION = 200, 8, 32, 46

PAPER, INK, QUIET, RED, AMBER = "#FBFAF7", "#1B1E21", "#6A7076", "#B3261E", "#9A6700"

STRANGE = (255, 0, 255)
"""What is painted where a label map holds an id that the set does not know."""


@dataclass(frozen=True)
class Cell:
    """One pair on a page. remark: a line under its name; color: that line's."""

    pair: Pair
    remark: str = ""
    color: str = QUIET


def sheet(report: DatasetReport, label_set: LabelSet, title: str, rows: int = ROWS) -> Image.Image:
    """Up to `rows` times three pairs: those with errors, those with warnings, and others spread over the set."""
    cells = [_cell(each) for each in _chosen(report, rows * COLUMNS)]
    legend = [(share.name, share.color, share.pixels) for share in report.classes if share.pixels > 0]
    return page(cells, label_set, title, _subtitle(report), legend)


def sheet_of_folder(root: Path, label_set: LabelSet, output: Path, title: str) -> None:
    """A page of pairs spread over a plain folder, written as JPEG. Raises CannotWriteError."""
    found = list_files(root, None, "folder")
    pairs = sorted(found.pairs, key=lambda pair: pair.name)
    places = np.linspace(0, len(pairs) - 1, min(ROWS * COLUMNS, len(pairs))).round().astype(int)
    some = [pairs[place] for place in places]
    shown = page([Cell(pair) for pair in some], label_set, title, f"{len(some)} of {len(pairs)} pairs")
    with replacing(output) as part:
        shown.save(part, "JPEG", quality=92)


def page(
    cells: Sequence[Cell],
    label_set: LabelSet,
    title: str,
    subtitle: str,
    legend: Sequence[tuple[str, str, float]] = (),
) -> Image.Image:
    """Photo beside coloured label map, three pairs a line. legend: name, colour and share of each class; else those of
    the label maps on the page."""
    maps = [_labels(cell.pair, label_set) for cell in cells]
    legend = legend or _shown_classes([cell.pair for cell in cells], label_set)
    width = 2 * MARGIN + COLUMNS * (2 * CELL + GAP) + (COLUMNS - 1) * 3 * GAP
    lines = -(-len(cells) // COLUMNS)
    legend_rows = -(-len(legend) // 5)
    height = 112 + lines * (CELL + CAPTION + 2 * GAP) + 26 * legend_rows + MARGIN
    paper = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(paper)
    draw.text((MARGIN, 26), title, INK, ImageFont.load_default(30))
    draw.text((MARGIN, 70), subtitle, QUIET, ImageFont.load_default(17))
    for index, (cell, labels) in enumerate(zip(cells, maps, strict=True)):
        x = MARGIN + (index % COLUMNS) * (2 * CELL + 4 * GAP)
        y = 112 + index // COLUMNS * (CELL + CAPTION + 2 * GAP)
        paper.paste(_fitted(_photo(cell.pair)), (x, y))
        paper.paste(_fitted(labels, Image.Resampling.NEAREST), (x + CELL + GAP, y))
        _caption(draw, cell, x, y + CELL + 4)
    top = height - MARGIN - 26 * legend_rows
    for index, (name, color, share) in enumerate(legend):
        x, y = MARGIN + index % 5 * ((width - 2 * MARGIN) // 5), top + 26 * (index // 5)
        draw.rectangle((x, y + 2, x + 16, y + 18), color, QUIET)
        text = f"{name}  {100 * share:.1f}%"
        draw.text((x + 24, y), text[:30], INK, ImageFont.load_default(15))
    return paper


def _shown_classes(pairs: list[Pair], label_set: LabelSet) -> list[tuple[str, str, float]]:
    """Name, colour and share of each class in some label maps, the largest first."""
    pixels: Counter[int] = Counter()
    for pair in pairs:
        with contextlib.suppress(SpadeError):
            ids, counts = np.unique(read_labels(pair.labels, label_set), return_counts=True)
            pixels.update(dict(zip(ids.tolist(), counts.tolist(), strict=True)))
    named = {each.id: (each.name, each.color) for each in label_set.classes}
    total = max(1, sum(pixels.values()))
    return [
        (*named.get(id, ("(any)", "#000000")), count / total) for id, count in pixels.most_common() if count
    ]


def _cell(each: Inspected) -> Cell:
    if not each.findings:
        return Cell(each.pair)
    text = each.findings[0].message.replace(f"{each.pair.labels}: ", "").replace(f"{each.pair.image}: ", "")
    text = text.replace(str(each.pair.labels), "labels").replace(str(each.pair.image), "photo")
    return Cell(each.pair, text, RED if each.severity == ERROR else AMBER)


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


def _caption(draw: ImageDraw.ImageDraw, cell: Cell, x: int, y: int) -> None:
    small = ImageFont.load_default(13)
    draw.text((x, y), _cut(cell.pair.name, small), INK, small)
    if cell.remark:
        draw.text((x, y + 18), _cut(cell.remark, small), cell.color, small)


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
