# SPDX-License-Identifier: GPL-3.0-or-later
"""One export in the background: its files come into the chosen folder together, when all of them are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..background.work import BackgroundWork
from .plan import ExportPlan


class Exporter(BackgroundWork):
    """One export."""

    def __init__(self, scene: bpy.types.Scene, plan: ExportPlan) -> None:
        """Start it. Raises what BackgroundWork does."""
        self._fraction = 0.0
        words = {"name": plan.name, **plan.words}
        fix = "Try again; fewer things at once need less memory."
        super().__init__(scene, plan.function, plan.folder, words, fix)

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
        # What others refer to comes first: a .gltf is there when its textures are.
        files = sorted(self.parts.path.iterdir(), key=lambda file: (file.suffix == ".gltf", file.name))
        return self.parts.keep(files)
