# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as files in a folder, with what each was made of: what is there need not be painted again.

A picture has a key, a digest of all that it follows from. Where the key is as it was, the file is what would be
painted.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .contract.errors import BadImageError, CannotWriteError
from .scene.png import png, rgb_in

_LIST = "pictures.json"
_QUICK = 1
"""zlib's level: pictures hardly get smaller with more."""


@dataclass(frozen=True)
class Entry:
    """A picture that is there: its key, and what else is known of it, as JSON takes it."""

    key: str
    facts: dict[str, Any] = field(default_factory=dict)


class PictureFolder:
    """Its calls may come from any thread, one at a time."""

    def __init__(self, folder: Path) -> None:
        """Make it, if it is not there. Raises CannotWriteError."""
        self.folder = folder
        self._entries: dict[str, Entry] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            listed = json.loads((folder / _LIST).read_text(encoding="utf-8"))
            self._entries = {name: Entry(each["key"], each["facts"]) for name, each in listed.items()}
        except FileNotFoundError:
            pass
        except OSError as problem:
            raise _cannot_write(folder, problem) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # a list that somebody has spoilt: all is painted again

    def path(self, name: str) -> Path:
        """Where a picture is, or will be."""
        return self.folder / f"{name}.png"

    def entry(self, name: str) -> Entry | None:
        """What is known of a picture that is there."""
        return self._entries.get(name)

    def kept(self, name: str, key: str) -> np.ndarray | None:
        """A picture, (H, W, 3) uint8, where it is there by this key."""
        entry = self._entries.get(name)
        if entry is None or entry.key != key:
            return None
        try:
            return rgb_in(self.path(name).read_bytes())
        except (OSError, BadImageError):
            return None

    def keep(self, name: str, rgb: np.ndarray, entry: Entry) -> None:
        """Write a picture, (H, W, 3) uint8, and then that it is there. Raises CannotWriteError."""
        try:
            # Whatever ends this in between: a file that the list knows is the one that it tells of.
            if self._entries.pop(name, None) is not None:
                self._write_list()
            _write(self.path(name), png(rgb, level=_QUICK))
            self._entries[name] = entry
            self._write_list()
        except OSError as problem:
            raise _cannot_write(self.folder, problem) from None

    def _write_list(self) -> None:
        listed = {name: asdict(each) for name, each in sorted(self._entries.items())}
        _write(self.folder / _LIST, json.dumps(listed, indent=1).encode())


def digest_of(*values: Any) -> str:
    """SHA-256 of what values are made of: arrays, dataclasses and tuples of such."""
    found = hashlib.sha256()
    _add(found, values)
    return found.hexdigest()


def _add(found: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        found.update(f"{value.dtype} {value.shape} ".encode() + np.ascontiguousarray(value).tobytes())
    elif is_dataclass(value) and not isinstance(value, type):
        found.update(type(value).__name__.encode())
        for each in fields(value):
            _add(found, getattr(value, each.name))
    elif isinstance(value, tuple | list):
        found.update(f"{len(value)} ".encode())
        for each in value:
            _add(found, each)
    else:
        found.update(f"{value!r} ".encode())


def _write(path: Path, content: bytes) -> None:
    """So that nobody ever reads half of it."""
    part = path.with_suffix(".part")
    part.write_bytes(content)
    os.replace(part, path)


def _cannot_write(folder: Path, problem: OSError) -> CannotWriteError:
    return CannotWriteError(
        f"The pictures cannot be written to '{folder}': {problem.strerror or problem}.",
        "Choose another folder in the panel, or make room.",
    )
