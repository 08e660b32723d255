# SPDX-License-Identifier: Apache-2.0
"""How well pictures show their label maps, by what a segmenter predicts: mIoU and pixel accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..contract.labels import LabelSet
from ..progress import Progress
from .scenes import Scenes
from .segmenter import Segmenter


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


class ConfusionMatrix:
    """Pixels counted by their class in the label map and the class that a segmenter predicts."""

    def __init__(self, label_set: LabelSet, known_classes: np.ndarray) -> None:
        """known_classes: (classes,) bool, those that the segmenter can tell; pixels of others are left out."""
        # A set without a don't-care channel marks unlabelled things by the id of one of its classes.
        named = np.array([entry.id != label_set.ignore_id for entry in label_set.classes])
        self.names = [entry.name for entry in label_set.classes]
        self._class_index = np.full(max(label_set.ignore_id, label_set.classes[-1].id) + 1, -1)
        for index, entry in enumerate(label_set.classes):
            if known_classes[index] and named[index]:
                self._class_index[entry.id] = index
        count = len(self.names)
        self.counts = np.zeros((count, count + 1), np.int64)
        """(classes, classes + 1): [class in the label map, predicted class]; the last column: none of them."""

    def add(self, label_map: np.ndarray, predicted: np.ndarray) -> float:
        """label_map: (H, W) ids; predicted: (H, W) indices of classes, -1 for none.

        Returns this picture's pixel accuracy, nan where no pixel of it counts.
        """
        wanted = self._class_index[label_map]
        counted = wanted >= 0
        columns = self.counts.shape[1]
        predicted = np.where(predicted < 0, columns - 1, predicted)
        pairs = np.bincount(wanted[counted] * columns + predicted[counted], minlength=self.counts.size)
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
        iou = {self.names[index]: float(right[index] / union[index]) for index in occurs}
        return Scores(
            miou=float(np.mean(list(iou.values()))),
            pixel_accuracy=float(right.sum() / total),
            iou=iou,
            share={self.names[index]: float(wanted[index] / total) for index in occurs},
        )


def scores_on_photos(segmenter: Segmenter, scenes: Scenes, progress: Progress) -> Scores:
    """How far the segmenter and the label maps agree on real photos: the ceiling for painted ones."""
    matrix = ConfusionMatrix(scenes.label_set, segmenter.known_classes)
    for done, scene in enumerate(scenes, 1):
        matrix.add(scene.photo_labels, segmenter.predict([scene.photo])[0])
        progress("judging photos", done, len(scenes))
    return matrix.scores()
