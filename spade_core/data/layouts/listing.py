# SPDX-License-Identifier: Apache-2.0
"""Which files of a data set belong together."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...contract.errors import BadImageError
from ..exports.splits import NAMES as SPLITS
from ..pairs import Pair

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")

LABEL_ENDINGS = (".png", ".tif", ".tiff", ".webp", ".bmp")


@dataclass(frozen=True)
class Listing:
    """What a split of a data set holds: pairs by name, and the files that have no partner."""

    pairs: list[Pair]
    unlabelled: list[Path] = field(default_factory=list)
    """Photos without a label map."""
    unpictured: list[Path] = field(default_factory=list)
    """Label maps without a photo."""
    unlisted: list[Path] = field(default_factory=list)
    """Photos that an index says nothing of."""
    left_out: list[Path] = field(default_factory=list)
    """Other files that an index keeps out of every split."""

    def __add__(self, other: Listing) -> Listing:
        """Both; a file that is in both lists counts once."""
        lists = zip(vars(self).values(), vars(other).values(), strict=True)
        return Listing(*(list(dict.fromkeys([*ours, *theirs])) for ours, theirs in lists))

    def only(self, wanted: Callable[[str], bool]) -> Listing:
        """The pairs whose names are wanted; files without a partner belong to no split and stay."""
        return replace(self, pairs=[pair for pair in self.pairs if wanted(pair.name)])

    def indexed(self, index: Path, split: str) -> Listing:
        """The pairs that index.csv puts into this split. Raises BadImageError."""
        splits = read_index(index)
        unlisted = [pair.image for pair in self.pairs if pair.name not in splits]
        out = [pair for pair in self.pairs if splits.get(pair.name) not in ("train", "val")]
        files = [file for pair in out for file in (pair.image, pair.labels, pair.instances) if file]
        left_out = [file for file in files if file not in set(unlisted)]
        return replace(
            self.only(lambda name: splits.get(name) == split), unlisted=unlisted, left_out=left_out
        )


def paired(
    images: dict[str, Path], labels: dict[str, Path], instances: dict[str, Path] | None = None
) -> Listing:
    """Files of equal names."""
    both = images.keys() & labels.keys()
    pairs = [Pair(name, images[name], labels[name], (instances or {}).get(name)) for name in both]
    # By file, always: training squares are drawn by a pair's place in the list.
    pairs.sort(key=lambda pair: pair.image)
    unlabelled, unpictured = (
        sorted(some[name] for name in some if name not in both) for some in (images, labels)
    )
    return Listing(pairs, unlabelled, unpictured)


def pictures(
    folder: Path, endings: tuple[str, ...], named: Callable[[Path], str | None] = lambda file: file.stem
) -> dict[str, Path]:
    """The picture files of a folder by name, none where it is missing; `named` may leave out a file with None.

    Raises BadImageError where two files have one name: which of them a label map belongs to could only be guessed.
    """
    return _by_name(folder, _files(folder), endings, named)


def pictures_below(
    folder: Path, endings: tuple[str, ...], named: Callable[[Path], str | None]
) -> dict[str, Path]:
    """As `pictures`, with all folders inside."""
    return _by_name(folder, _files_below(folder), endings, named)


def read_index(file: Path) -> dict[str, str]:
    """The split of each name in an index.csv with the columns name and split. Raises BadImageError."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as rows:
            found: dict[str, str] = {}
            table = csv.DictReader(rows, skipinitialspace=True)
            if not {"name", "split"} <= set(table.fieldnames or ()):
                raise csv.Error
            for row in table:
                name, split = _index_name(row["name"]), (row["split"] or "").strip().lower()
                split = SPLITS.get(split, split)
                if name in found and found[name] != split:
                    raise BadImageError(
                        f"{file} puts {name} into '{found[name]}' and into '{split}'.",
                        "Leave one row a name.",
                    )
                found[name] = split
            return found
    except (UnicodeDecodeError, csv.Error):
        raise BadImageError(
            f"{file} is no table with the columns 'name' and 'split'.",
            "Give it a first line 'name,split', and rows like 'photo_01,train'.",
        ) from None


def _index_name(text: str | None) -> str:
    """As pairs are called: without a photo's ending, which people leave on."""
    name = unicodedata.normalize("NFC", (text or "").strip())
    return name[: -len(ending)] if (ending := Path(name).suffix).lower() in IMAGE_ENDINGS else name


def _files(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            yield from (Path(entry.path) for entry in entries if entry.is_file())
    except FileNotFoundError:
        return


def _files_below(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder, followlinks=True):
        yield from (Path(place, name) for name in names)


def _by_name(
    folder: Path, files: Iterable[Path], endings: tuple[str, ...], named: Callable[[Path], str | None]
) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in files:
        # "._photo.jpg" is what macOS leaves beside files on foreign disks
        if file.suffix.lower() not in endings or file.name.startswith("."):
            continue
        name = named(file)
        if name is None:
            continue
        # macOS writes an umlaut as two characters (NFD), others as one (NFC): the names look the same, and are.
        name = unicodedata.normalize("NFC", name)
        if name in found:
            raise BadImageError(
                f"{found[name]} and {file} have the same name.",
                "Keep one of the two.",
            )
        found[name] = file
    return found
