# SPDX-License-Identifier: Apache-2.0
"""How well pictures show their label maps, as a segmenter sees them: mIoU and pixel accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..contract.labels import LabelSet
from .scenes import Scenes
from .segmenter import Segmenter

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Scores:
    """Over all pixels of all pictures that have a class which the segmenter can tell."""

    miou: float
    """Mean over the classes that occur in the label maps."""
    pixel_accuracy: float
    iou: dict[str, float]
    """By class name, those that occur."""
    share: dict[str, float]
    """Of those pixels, by class name."""


class Agreement:
    """Counts pixels by class in the label map and class that the segmenter sees."""

    def __init__(self, label_set: LabelSet, judged: np.ndarray) -> None:
        """judged: (classes,) bool, the classes that the segmenter can tell; pixels of others are left out."""
        # A set without a don't-care channel marks unlabelled things by the id of one of its classes.
        named = np.array([entry.id != label_set.ignore_id for entry in label_set.classes])
        self.names = [entry.name for entry in label_set.classes]
        self._place = np.full(max(label_set.ignore_id, label_set.classes[-1].id) + 1, -1)
        for place, entry in enumerate(label_set.classes):
            if judged[place] and named[place]:
                self._place[entry.id] = place
        count = len(self.names)
        self.counts = np.zeros((count, count + 1), np.int64)
        """[class in the label map, class that is seen]; the last column: none of them."""

    def add(self, label_map: np.ndarray, seen: np.ndarray) -> float:
        """label_map: (H, W) ids; seen: (H, W) places of classes, -1 for none. Returns this picture's pixel accuracy,
        nan where no pixel of it counts."""
        wanted = self._place[label_map]
        counted = wanted >= 0
        columns = self.counts.shape[1]
        seen = np.where(seen < 0, columns - 1, seen)
        pairs = np.bincount(wanted[counted] * columns + seen[counted], minlength=self.counts.size)
        counts = pairs.reshape(self.counts.shape)
        self.counts += counts
        return float(np.trace(counts) / counts.sum()) if counts.sum() else float("nan")

    def scores(self) -> Scores:
        """Raises ValueError where nothing was counted."""
        right = np.diagonal(self.counts)
        wanted, total = self.counts.sum(1), self.counts.sum()
        if total == 0:
            raise ValueError("no labelled pixel")
        union = wanted + self.counts[:, : len(wanted)].sum(0) - right
        occurs = np.flatnonzero(wanted)
        iou = {self.names[place]: float(right[place] / union[place]) for place in occurs}
        return Scores(
            miou=float(np.mean(list(iou.values()))),
            pixel_accuracy=float(right.sum() / total),
            iou=iou,
            share={self.names[place]: float(wanted[place] / total) for place in occurs},
        )


def agreement_on_photos(segmenter: Segmenter, scenes: Scenes, report: Report) -> Scores:
    """How far the segmenter's own word and the label maps agree on real photos: the ceiling for painted ones."""
    agreement = Agreement(scenes.label_set, segmenter.judged)
    for done, scene in enumerate(scenes, 1):
        agreement.add(scene.photo_labels, segmenter.classes([scene.photo])[0])
        report("judging photos", done, len(scenes))
    return agreement.scores()
