# SPDX-License-Identifier: Apache-2.0
"""From the ids of a label map to the channels of the one-hot input."""

from __future__ import annotations

import numpy as np

from ..contract.labels import LabelSet


def channel_count(label_set: LabelSet) -> int:
    """One a class, and the don't-care channel where the ignore id is outside the classes."""
    return len(label_set.classes) + (label_set.ignore_id not in [entry.id for entry in label_set.classes])


def channel_indices(label_set: LabelSet, label_map: np.ndarray) -> np.ndarray:
    """label_map: ids of the set, any shape; returns int64 of the same shape: classes in id order, then don't-care."""
    table = np.full(int(np.iinfo(label_set.dtype).max) + 1, len(label_set.classes), np.int64)
    for channel, entry in enumerate(label_set.classes):
        table[entry.id] = channel
    return table[label_map]
