# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last label pass of a scene saw without a label, and how much of the picture that is."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..contract.labels import LabelSet
from ..properties import settings
from .label_sets import background_of
from .object_numbers import LARGEST_NUMBER

WARN_FROM = 0.1
"""A picture is not painted without a word when this share of it, 0..1, or more has no label."""
_NAMED = 3


@dataclass(frozen=True)
class Coverage:
    """Shares of a picture, 0..1. unlabelled: of each object without a label, by its full name, the largest first.

    background: of what lies past everything, where the label set has no class for it, else 0. objects: how many are
    seen, where they were told apart.
    """

    unlabelled: dict[str, float]
    background: float
    objects: int = 0

    @property
    def warning(self) -> str | None:
        """A sentence where too much has no label, or there is too much of it."""
        share = sum(self.unlabelled.values()) + self.background
        if share < WARN_FROM:
            return self._too_many
        parts = {**self.unlabelled, **({"the background": self.background} if self.background else {})}
        largest = sorted(parts.items(), key=lambda part: -part[1])[:_NAMED]
        named = ", ".join(f"{name} {percent(part)}" for name, part in largest)
        more = ", ..." if len(parts) > _NAMED else ""
        return f"{percent(share)} of the picture has no label and is painted as anything: {named}{more}."

    @property
    def _too_many(self) -> str | None:
        """A sentence where there are more objects than an instance map has numbers."""
        if self.objects <= LARGEST_NUMBER:
            return None
        return (
            f"The camera sees {self.objects:,} objects, more than the {LARGEST_NUMBER:,} that can be told apart: "
            "far from each other, some count as one."
        )


_last: dict[int, Coverage] = {}


def remember(
    scene: bpy.types.Scene,
    label_set: LabelSet,
    unlabelled: dict[str, float],
    sky_share: float,
    objects: int = 0,
) -> None:
    """Keep what a label pass of the scene's camera saw, until the next one."""
    has_background = background_of(label_set, settings(scene).background_class) is not None
    _last[scene.session_uid] = Coverage(unlabelled, 0.0 if has_background else sky_share, objects)


def last_coverage(scene: bpy.types.Scene) -> Coverage | None:
    """What the last label pass saw; None before the first one."""
    return _last.get(scene.session_uid)


def percent(share: float) -> str:
    """A share as people read it."""
    return f"{share:.0%}" if share >= 0.01 else "under 1%"
