# SPDX-License-Identifier: Apache-2.0
"""Finding the photos that annotations name: by the end of their path, below the folders that were given."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ...contract.errors import BadImageError

PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
"""What an export's photos may be; those that training does not read are written anew as PNG."""


class Photos:
    """The pictures below some folders. A name never leads out of them, whatever an export says."""

    def __init__(self, *folders: Path | None) -> None:
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for folder in dict.fromkeys(each.resolve() for each in folders if each is not None):
            for file in files_below(folder):
                if file.suffix.lower() in PHOTO_ENDINGS:
                    self._by_name[_key(file.name)].append(file)
                    self._by_stem[_key(file.stem)].append(file)

    def find(self, named: str) -> Path | None:
        """The photo of this name, with or without folders and ending; None where there is none.

        Raises BadImageError where two are equally likely.
        """
        path = PurePosixPath(named.replace("\\", "/"))
        found = self._by_name.get(_key(path.name)) or self._by_stem.get(_key(path.name), [])
        if not found:
            found = self._by_stem.get(_key(path.stem), [])
        if len(found) < 2:
            return found[0] if found else None
        parts = [_key(part) for part in reversed(path.parts)]
        shared = [_in_common(parts, [_key(part) for part in reversed(file.parts)]) for file in found]
        best = [file for file, count in zip(found, shared, strict=True) if count == max(shared)]
        if len(best) > 1:
            raise BadImageError(
                f"{named} may be {best[0]} or {best[1]}.",
                "Keep one of them, or name the folder with --photos.",
            )
        return best[0]


def files_below(folder: Path) -> Iterator[Path]:
    """All files, but hidden ones and what systems leave behind, in the order of their names."""
    seen: set[tuple[int, int]] = set()  # a link to a folder above would be followed for ever
    for place, folders, names in os.walk(folder, followlinks=True):
        about = os.stat(place)
        if (about.st_dev, about.st_ino) in seen:
            folders.clear()
            continue
        seen.add((about.st_dev, about.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))


def some_below(folder: Path, ending: str, count: int = 3, looked_at: int = 2000) -> list[Path]:
    """A few files of an ending, found quickly: only so many files are looked at."""
    found = []
    for number, file in enumerate(files_below(folder)):
        if file.name.lower().endswith(ending):
            found.append(file)
        if len(found) == count or number > looked_at:
            break
    return found


def _in_common(some: list[str], others: list[str]) -> int:
    count = 0
    for one, other in zip(some[1:], others[1:], strict=False):
        if one != other:
            break
        count += 1
    return count


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
