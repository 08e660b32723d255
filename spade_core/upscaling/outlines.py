# SPDX-License-Identifier: Apache-2.0
"""Which borders of a label map are outlines: a cloud in the sky has none, and fog has none before anything."""

from __future__ import annotations

import numpy as np

from ..contract.labels import LabelClass, LabelSet

SKY = frozenset({"sky", "cloud", "clouds"})
"""Names of classes that have no outline between them."""
HAZE = frozenset({"fog", "mist", "haze", "smoke", "steam", "spray"})
"""Names of classes that have no outline at all."""


def outlined(label_map: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """(H, W) int32, whose borders are the outlines of a label map: -1 has none, and is what may be any class too."""
    outlines = np.full(1 + max(label_set.ignore_id, *(entry.id for entry in label_set.classes)), -1, np.int32)
    skies = [entry.id for entry in label_set.classes if _names(entry) & SKY]
    for entry in label_set.classes:
        if entry.id != label_set.ignore_id and not _names(entry) & HAZE:
            outlines[entry.id] = skies[0] if entry.id in skies else entry.id
    return outlines[label_map]


def _names(entry: LabelClass) -> set[str]:
    return {name.casefold() for name in (entry.name, *entry.aliases)}
