# SPDX-License-Identifier: Apache-2.0
"""What the whole table is made of."""

from __future__ import annotations

from dataclasses import dataclass

from .systems import OURS, SYSTEMS


@dataclass(frozen=True)
class Case:
    """What systems paint in turns."""

    model: str
    map: str
    side: int
    rounds: int
    systems: tuple[str, ...] = SYSTEMS
    threads: int = 1

    @property
    def name(self) -> str:
        return f"{self.model} {self.map} {self.side}" + (" 2" if self.threads > 1 else "")


OF_LABELS = ("plain", "channels_last", *OURS)
"""The time of all others depends on no label map."""
UNCOMPILED = tuple(name for name in SYSTEMS if name != "torch.compile")
PLAN = (
    Case("embedded", "median", 256, 7),
    Case("embedded", "hard", 256, 5, OF_LABELS),
    Case("embedded", "median", 256, 5, UNCOMPILED, 2),
    Case("embedded", "median", 512, 5),
    Case("embedded", "hard", 512, 3, OF_LABELS),
    Case("embedded", "median", 512, 3, UNCOMPILED, 2),
    Case("embedded", "median", 1024, 3, UNCOMPILED),
    Case("coco", "median", 256, 5),
    Case("coco", "hard", 256, 3, OF_LABELS),
    Case("coco", "noise", 256, 3, OF_LABELS),
    Case("coco", "median", 256, 3, UNCOMPILED, 2),
    Case("coco", "median", 512, 3, UNCOMPILED),
)
"""Those with two threads are timed by the clock, and want a quiet machine."""
