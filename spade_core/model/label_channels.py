# SPDX-License-Identifier: Apache-2.0
"""From the ids of a label map to the channels of the one-hot input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..contract.labels import LabelSet


@dataclass(frozen=True)
class LabelChannels:
    """Which channel of the one-hot input each id of a label set lights.

    Our own models have one channel a class, in the order of their ids, and then one for "do not care". Published
    networks have an order of their own, and sometimes channels that no id lights.
    """

    count: int
    """Channels of the network, instance edges not counted."""
    of_ids: tuple[tuple[int, int], ...]
    """(id, channel) for every id that a label map may hold, the ignore id included."""

    @classmethod
    def of(cls, label_set: LabelSet) -> LabelChannels:
        """The order of our own models."""
        ids = [entry.id for entry in label_set.classes]
        if label_set.ignore_id not in ids:
            ids.append(label_set.ignore_id)
        return cls(len(ids), tuple((id, channel) for channel, id in enumerate(ids)))

    def indices(self, label_map: np.ndarray) -> np.ndarray:
        """label_map: ids that the label set knows, any shape; returns int64 channels of the same shape."""
        table = np.zeros(max(id for id, _ in self.of_ids) + 1, np.int64)
        for id, channel in self.of_ids:
            table[id] = channel
        return table[label_map]

    def serve(self, label_set: LabelSet) -> bool:
        """Whether every id of the set has a channel of the network."""
        ids = {label_set.ignore_id, *(entry.id for entry in label_set.classes)}
        return ids <= {id for id, channel in self.of_ids if 0 <= channel < self.count}
