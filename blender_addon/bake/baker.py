# SPDX-License-Identifier: GPL-3.0-or-later
"""A bake in the background: baking blocks the Blender that does it.

Cancelled, it leaves the textures of before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy

from ..background.work import BackgroundWork
from .plan import BakePlan


@dataclass(frozen=True)
class BakedThing:
    """name: full, of the object. seen: the share of its texels that a projection reaches, 0..1. files: by kind."""

    name: str
    seen: float
    files: dict[str, Path]


class Baker(BackgroundWork):
    """One bake. baked: what is there so far, of which nothing is seen before it is kept."""

    def __init__(self, scene: bpy.types.Scene, plan: BakePlan) -> None:
        """Start it. Raises what BackgroundWork does."""
        self.plan = plan
        self.baked: list[BakedThing] = []
        words = {
            "things": plan.things,
            "size": plan.size,
            "surface": plan.surface,
        }
        fix = "Bake smaller, or fewer things at once."
        super().__init__(scene, "bake.work.bake_all", plan.folder, words, fix)

    @property
    def fraction(self) -> float:
        return len(self.baked) / len(self.plan.things)

    @property
    def doing(self) -> str:
        return f"Baking {len(self.baked)} of {len(self.plan.things)}"

    def heard(self, answer: dict[str, Any]) -> None:
        files = {kind: Path(file) for kind, file in answer["files"].items()}
        self.baked.append(BakedThing(answer["thing"], answer["seen"], files))

    def keep(self) -> list[BakedThing]:
        """Bring the textures of what is baked beside the .blend, in place of earlier ones. Raises CannotWriteError."""
        return [
            replace(each, files=dict(zip(each.files, self.parts.keep(each.files.values()), strict=True)))
            for each in self.baked
        ]
