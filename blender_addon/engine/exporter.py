# SPDX-License-Identifier: GPL-3.0-or-later
"""One export in the background: its files come into the chosen folder together, when all of them are there."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import bpy

from ..background.work import BackgroundWork
from ..contract.errors import CannotWriteError
from .plan import ExportPlan


class Exporter(BackgroundWork):
    """One export. Until it is done its files lie in a folder of their own inside the chosen one."""

    def __init__(self, scene: bpy.types.Scene, plan: ExportPlan) -> None:
        """Start it. Raises CannotWriteError where the folder takes no files, and what BackgroundWork does."""
        self.plan = plan
        self._fraction = 0.0
        try:
            plan.folder.mkdir(parents=True, exist_ok=True)
            self._parts = Path(tempfile.mkdtemp(prefix=".spade-export-", dir=plan.folder))
        except OSError as problem:
            raise _cannot_write(plan.folder, problem) from None
        words = {"folder": str(self._parts), "name": plan.name, **plan.words}
        try:
            super().__init__(scene, plan.function, words, "Export fewer things at once.")
        except BaseException:
            self._sweep()
            raise

    @property
    def fraction(self) -> float:
        return self._fraction

    @property
    def doing(self) -> str:
        return f"Exporting {self._fraction:.0%}"

    def heard(self, answer: dict[str, Any]) -> None:
        self._fraction = float(answer["fraction"])

    def keep(self) -> list[Path]:
        """Bring the files of one that is done into the chosen folder, where they replace others of these names.

        Raises CannotWriteError.
        """
        folder = self.plan.folder
        kept = []
        try:
            # What others refer to comes first: a .gltf is there when its textures are.
            for part in sorted(self._parts.iterdir(), key=lambda file: (file.suffix == ".gltf", file.name)):
                os.replace(part, folder / part.name)
                kept.append(folder / part.name)
        except OSError as problem:
            raise _cannot_write(folder, problem) from None
        finally:
            self._sweep()
        return kept

    def close(self) -> None:
        super().close()
        self._sweep()

    def _sweep(self) -> None:
        shutil.rmtree(self._parts, ignore_errors=True)


def _cannot_write(folder: Path, problem: OSError) -> CannotWriteError:
    return CannotWriteError(
        f"Nothing can be written to '{folder}': {problem.strerror or problem}.",
        "Choose a folder that you may write to, with room.",
    )
