# SPDX-License-Identifier: Apache-2.0
"""What every format is read into: classes by name, and records of a photo with the class of each pixel."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ...contract.errors import BadImageError, SpadeError
from ...contract.matching import words_of

Size = tuple[int, int]
"""Width and height, as Pillow has them."""

QUICK = 32 * 2**20
"""Bytes of JSON that are read only to see what they are."""

MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, OSError, zlib.error)
"""What reading a file raises that is not as its format promises."""

NO_CLASS = -1
"""In a class map: a pixel that nobody gave a class."""

NOTHING = {"background", "unlabeled", "unlabelled", "void", "ignore", "void unlabeled"}
"""Names by which programs call what has no class."""


@dataclass(frozen=True)
class ExportClass:
    """A class as the export has it. nothing: it stands for pixels without a class."""

    name: str
    color: str = ""
    """ "#RRGGBB"; "" where the export has none."""
    id: int | None = None
    """Its number in the export's own masks; None where it has none worth keeping."""
    nothing: bool = False

    @classmethod
    def named(cls, name: str, color: str = "", id: int | None = None) -> ExportClass:
        """With `nothing` as the name says, and without a colour that is none."""
        known = isinstance(color, str) and re.fullmatch("#[0-9A-Fa-f]{6}", color)
        return cls(name.strip(), color.upper() if known else "", id, " ".join(words_of(name)) in NOTHING)


@dataclass(frozen=True)
class Record:
    """One photo and what it shows."""

    name: str
    """Its path in the export, without ending."""
    photo: Path | Callable[[], bytes] | None
    """A file, or what gives the bytes of one; None where it is not there."""
    class_map: Callable[[Size], np.ndarray]
    """Takes the photo's (width, height), gives (H, W) integers: places in `Export.classes`, or NO_CLASS.
    A format that knows the size itself may give another one. Raises SpadeError."""
    split: str = ""
    """As the export calls it: train, valid ...; "" where it has none."""
    source: Path | None = None
    """The file whose change makes the label map out of date."""
    size: Size | None = None
    """The photo's, as the export says it; None where it says none."""


@dataclass(frozen=True)
class Export:
    """All of an export."""

    classes: tuple[ExportClass, ...]
    records: list[Record]
    notes: list[str] = field(default_factory=list)
    """What was passed over, each a sentence."""


@dataclass(frozen=True)
class Format:
    """One way in which programs write photos and labels."""

    name: str
    """What --format takes."""
    title: str
    """For people."""
    recognises: Callable[[Path], bool]
    """Of a folder, or of a file where the format is one. Quick: a look at a few files, never at all of them."""
    read: Callable[[Path, Path | None], Export]
    """(folder or file, a folder of photos that lie elsewhere). Raises SpadeError."""
    general: bool = False
    """Whether other formats look like it too: it counts only where none of them is recognised."""


def read_json(path: Path) -> Any:
    """Raises BadImageError where it cannot be read or is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except OSError as problem:
        raise BadImageError(f"{path} cannot be read: {problem.strerror}.", "Check the path.") from None
    except (ValueError, RecursionError):
        raise BadImageError(f"{path} is no JSON, or cut short.", "Export or copy it again.") from None


@lru_cache(maxsize=16)
def peeked(path: Path) -> Any:
    """A JSON file's content to recognise a format by; None for other files, and for such as take long to read."""
    try:
        return json.loads(path.read_bytes()) if path.stat().st_size <= QUICK else None
    except (OSError, ValueError, RecursionError):
        return None


def not_as_expected(path: Path, kind: str) -> BadImageError:
    """The error for a file that is not what its format promises."""
    return BadImageError(f"{path} is not as {kind} writes it.", "Export it again.")


def refused_record(name: str, problem: SpadeError, split: str = "") -> Record:
    """A record whose annotations cannot be read: it is refused, the others are not."""

    def refuse(*_: Size) -> NoReturn:
        raise problem

    return Record(name, refuse, refuse, split)


class ClassList:
    """Classes in the order in which they are met, each name once whatever its case."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._classes: list[ExportClass] = []

    def place(self, name: str, color: str = "", id: int | None = None) -> int:
        """The place of a class in the list, at the end if it is new. Raises ValueError without a name."""
        if not isinstance(name, str) or not name.strip():
            raise ValueError("a class without a name")
        key = name.strip().casefold()
        if key not in self._places:
            self._places[key] = len(self._classes)
            self._classes.append(ExportClass.named(name, color, id))
        return self._places[key]

    @property
    def classes(self) -> tuple[ExportClass, ...]:
        return tuple(self._classes)
