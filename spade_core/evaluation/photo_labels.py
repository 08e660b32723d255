# SPDX-License-Identifier: Apache-2.0
"""A folder of photos made into a data set: photos, label maps, how sure each pixel is, and a sheet to look through."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ..contract.errors import BadImageError, CannotWriteError, SpadeError
from ..contract.labels import LabelSet
from ..data.checks.contact_sheet import COLUMNS, ROWS, Cell, page
from ..data.conversion import write_label_map
from ..data.exports.photos import PHOTO_ENDINGS, files_below
from ..data.exports.writing import file_names, kept_photo
from ..data.layouts.layouts import OWN_LABEL_SET
from ..data.pairs import Pair
from ..files import cannot_write, replacing, write_text
from ..progress import Progress
from .labelling import OPEN, Labelling, labelled
from .segmenter import Segmenter

RECIPE, TABLE, SHEET = "labelling.json", "confidence.csv", "contact_sheet.jpg"


@dataclass(frozen=True)
class Row:
    """One photo. confidence: mean over its pixels; open: the share of them without a class."""

    name: str
    confidence: float
    open: float


@dataclass
class LabelledPhotos:
    """What was made."""

    rows: list[Row] = field(default_factory=list)
    """Of all photos that are in the data set."""
    skipped: int = 0
    """Of them, those that were there already."""
    left_out: list[Row] = field(default_factory=list)
    """Photos of which too little got a class."""
    refused: dict[Path, SpadeError] = field(default_factory=dict)


class PhotoLabels:
    """Photos on their way into a data set; the same command goes on where it was stopped."""

    def __init__(
        self,
        photos: Path,
        output: Path,
        segmenter: Segmenter,
        made_by: str,
        label_set: LabelSet,
        how: Labelling,
        at_least: float,
    ) -> None:
        """made_by: equal for equal segmenters. at_least: the share of a photo that gets a class, or it is left out.

        Raises BadImageError where there are no photos, and CannotWriteError, also where the output holds other things.
        """
        own = output.resolve()
        self.files = [
            file for file in files_below(photos)
            if file.suffix.lower() in PHOTO_ENDINGS and own not in file.resolve().parents
        ]  # fmt: skip
        if not self.files:
            raise BadImageError(f"There are no photos in {photos}.", "Name a folder of JPEG or PNG files.")
        names = [file.relative_to(photos).with_suffix("").as_posix() for file in self.files]
        self.names = file_names(names)
        self.output, self.segmenter, self.label_set = output, segmenter, label_set
        self.how, self.at_least = how, at_least
        recipe = {"segmenter": made_by, "labels": label_set.digest, "at_least": at_least, **asdict(how)}
        self._claim(json.dumps(recipe))

    def write(self, progress: Progress) -> LabelledPhotos:
        """Label what is not labelled yet; the table and the sheet come at the end. Raises CannotWriteError."""
        done = LabelledPhotos()
        for number, (name, file) in enumerate(zip(self.names, self.files, strict=True), 1):
            try:
                row = self._row_of(name, file)
                done.skipped += row is not None
                row = row or self._label(name, file)
                (done.rows if 1 - row.open >= self.at_least else done.left_out).append(row)
            except CannotWriteError:
                raise
            except SpadeError as problem:
                done.refused[file] = problem
            progress("labelling", number, len(self.files))
        write_text(self.output / TABLE, _table(done.rows))
        if done.rows:
            self._write_sheet(done.rows)
        return done

    def _claim(self, recipe: str) -> None:
        """Raises CannotWriteError where the folder holds something else, or other labels."""
        file = self.output / RECIPE
        try:
            if file.exists() and file.read_text(encoding="utf-8") != recipe:
                raise CannotWriteError(
                    f"{self.output} holds labels by another segmenter or other settings.",
                    "Choose another folder.",
                )
            if not file.exists() and self.output.exists() and any(self.output.iterdir()):
                raise CannotWriteError(f"{self.output} is there already.", "Choose another folder after -o.")
            write_text(self.output / OWN_LABEL_SET, self.label_set.to_toml())
            write_text(file, recipe)
        except OSError as problem:
            raise cannot_write(self.output, problem) from None

    def _label(self, name: str, file: Path) -> Row:
        """The label map is written last: it says that all is there. Raises SpadeError for a photo of no use."""
        data, ending, photo = kept_photo(file)
        found = labelled(self.segmenter, photo, self.how)
        ids = np.array([*(each.id for each in self.label_set.classes), self.label_set.ignore_id])
        label_map = self.label_set.check(
            ids[found.places].astype(self.label_set.dtype)
        )  # OPEN is the last one
        row = Row(name, float(found.confidence.mean()), float((found.places == OPEN).mean()))
        if 1 - row.open < self.at_least:
            return row
        with replacing(self.output / "confidence" / f"{name}.png") as part:
            Image.fromarray(np.rint(255 * found.confidence.clip(0, 1)).astype(np.uint8)).save(part, "PNG")
        with replacing(self.output / "images" / f"{name}{ending}") as part:
            part.write_bytes(data)
        write_label_map(self.output / "labels" / f"{name}.png", label_map)
        return row

    def _row_of(self, name: str, file: Path) -> Row | None:
        """Of a photo that was labelled before, and has not changed since."""
        labels, sure = self.output / "labels" / f"{name}.png", self.output / "confidence" / f"{name}.png"
        if not labels.exists() or labels.stat().st_mtime_ns < file.stat().st_mtime_ns or not sure.exists():
            return None
        with Image.open(labels) as picture, Image.open(sure) as confidence:
            left = np.asarray(picture) == self.label_set.ignore_id
            return Row(name, float(np.asarray(confidence).mean()) / 255, float(left.mean()))

    def _write_sheet(self, rows: list[Row]) -> None:
        """Half of it the least sure ones, half others spread over the rest."""
        order = sorted(rows, key=lambda row: row.confidence)
        room = ROWS * COLUMNS
        first, rest = order[: room // 2], order[room // 2 :]
        places = np.linspace(0, len(rest) - 1, min(room - room // 2, len(rest))).round().astype(int)
        shown = first + [rest[place] for place in places]
        title = f"{self.output.resolve().name}, labelled by {self.segmenter.title}"
        subtitle = f"{len(rows)} photos, the least sure ones first. Black: no class is sure enough."
        sheet = page([self._cell(row) for row in shown], self.label_set, title, subtitle)
        with replacing(self.output / SHEET) as part:
            sheet.save(part, "JPEG", quality=92)

    def _cell(self, row: Row) -> Cell:
        photo = next((self.output / "images").glob(f"{_escaped(row.name)}.*"))
        remark = f"{100 * row.confidence:.0f} % sure, {100 * row.open:.0f} % left open"
        return Cell(Pair(row.name, photo, self.output / "labels" / f"{row.name}.png"), remark)


def _escaped(name: str) -> str:
    """For glob: a name may hold brackets."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _table(rows: list[Row]) -> str:
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(("name", "confidence", "open"))
    writer.writerows(
        (row.name, f"{row.confidence:.4f}", f"{row.open:.4f}")
        for row in sorted(rows, key=lambda row: row.confidence)
    )
    return held.getvalue()
