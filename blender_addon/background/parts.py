# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that appear whole: until all are there they lie in a folder of their own, inside the one that they are for."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..contract.errors import CannotWriteError


class Parts:
    """path: where they are written."""

    def __init__(self, folder: Path) -> None:
        """For files of this folder, which is made where it is not there. Raises CannotWriteError."""
        self._folder = folder
        self._is_new = not folder.exists()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.path = Path(tempfile.mkdtemp(prefix=".spade-", dir=folder))
        except OSError as problem:
            raise _cannot_write(folder, problem) from None

    def keep(self, files: Iterable[Path]) -> list[Path]:
        """Let these of them take their names, in place of what has these; where they are then.

        Raises CannotWriteError.
        """
        kept = []
        try:
            for part in files:
                os.replace(part, self._folder / part.name)
                kept.append(self._folder / part.name)
        except OSError as problem:
            raise _cannot_write(self._folder, problem) from None
        return kept

    def sweep(self) -> None:
        """Take away what was not kept; the folder as well, where it was made for this and nothing lies in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._is_new and self._folder.exists() and not any(self._folder.iterdir()):
            self._folder.rmdir()


def _cannot_write(folder: Path, problem: OSError) -> CannotWriteError:
    return CannotWriteError(
        f"Nothing can be written to '{folder}': {problem.strerror or problem}.",
        "Choose a folder that you may write to, with room.",
    )
