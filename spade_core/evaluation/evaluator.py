# SPDX-License-Identifier: Apache-2.0
"""Models measured on one set of scenes: everything that does not depend on the model is measured once."""

from __future__ import annotations

import itertools
import platform
import time

import numpy as np
import torch

from ..contract.errors import BadImageError
from ..contract.version import VERSION
from ..features.base import FeatureNetwork, in_batches, perceptual_distance
from ..progress import Progress
from ..synthesis.synthesizer import Synthesizer
from ..upscaling.upscaler import Upscaler
from .candidates import Candidate
from .fid import frechet_distance, kernel_distance
from .painting import (
    AUTOMATIC,
    DIVERSITY,
    STYLED_MAPS,
    STYLES,
    Painting,
    brought_to,
    enlarged,
    upscaler_title,
)
from .results import (
    Distance,
    EnlargedPhotos,
    EvaluationProtocol,
    ModelResult,
    PictureMeasures,
    RealBaseline,
)
from .scenes import Comparison, Scenes
from .segmentation_metrics import ConfusionMatrix, Scores
from .segmenter import Segmenter
from .statistics import DEFINITIONS, StatisticsCounter


class Evaluator:
    """Measures the photos once, and then the pictures of any number of models."""

    def __init__(
        self, comparison: Comparison, features: FeatureNetwork, segmenter: Segmenter | None, painting: Painting,
        progress: Progress,
    ) -> None:  # fmt: skip
        self.comparison, self.scenes = comparison, comparison.painted
        self.features, self.segmenter, self.painting = features, segmenter, painting
        self.judged_size = (self.scenes.size.height, self.scenes.size.width)
        self._progress = progress
        self._reference = self._reference_rows(comparison.reference)
        self._photos, self.real = self._measure_photos()

    def _reference_rows(self, reference: Scenes) -> np.ndarray:
        rows: list[np.ndarray] = []
        for batch in in_batches(reference):
            rows.append(self.features.extract([scene.photo for scene in batch]).rows())
            self._progress("looking at reference photos", sum(map(len, rows)), len(reference))
        return np.concatenate(rows)

    def _measure_photos(self) -> tuple[np.ndarray, RealBaseline]:
        rows, differences = [], []
        matrix, statistics = self._confusion_matrix(), StatisticsCounter(self.scenes.label_set)
        for batch in in_batches(self.scenes):
            features = self.features.extract([scene.photo for scene in batch])
            rows.append(features.rows())
            if len(batch) > 1:
                ahead, behind = list(range(len(batch) - 1)), list(range(1, len(batch)))
                differences.extend(perceptual_distance(features[ahead], features[behind]))
            photo_labels = [scene.photo_labels for scene in batch]
            self._count(matrix, photo_labels, [scene.photo for scene in batch])
            for scene in batch:
                statistics.add(scene.photo, scene.photo_labels)
            self._progress("looking at photos", sum(map(len, rows)), len(self.scenes))
        photos = np.concatenate(rows)
        floor = self._distance(photos, self._reference)
        real = RealBaseline(
            floor,
            _scores(matrix),
            float(np.mean(differences)),
            statistics.statistics(),
            self._enlarged_photos(),
        )
        return photos, real

    def _enlarged_photos(self) -> EnlargedPhotos | None:
        """What the upscaler makes of photos: what is painted and enlarged by it can hardly come nearer."""
        if self.painting.size == self.judged_size:
            return None
        rows: list[np.ndarray] = []
        upscaler = self.painting.upscaler or Upscaler.load(AUTOMATIC, str(self._device))
        statistics = StatisticsCounter(self.scenes.label_set)
        for batch in in_batches(self.scenes):
            photos = [upscaler.upscale(scene.photo, to=self.painting.size) for scene in batch]
            judged = [brought_to(photo, self.judged_size) for photo in photos]
            rows.append(self.features.extract(judged).rows())
            for scene, photo in zip(batch, photos, strict=True):
                statistics.add(photo, enlarged(scene.photo_labels, self.painting.size))
            self._progress("enlarging photos", sum(map(len, rows)), len(self.scenes))
        found = self._distance(np.concatenate(rows), self._reference)
        return EnlargedPhotos(upscaler_title(upscaler), found, statistics.statistics())

    def evaluate(self, candidate: Candidate) -> ModelResult:
        """Paint and measure. The model is of the scenes' label set (candidates.refuse_other_label_sets)."""
        model, name = candidate.model, candidate.name
        rows, accuracies, seconds = [], [], 0.0
        matrix, statistics = self._confusion_matrix(), StatisticsCounter(self.scenes.label_set)
        stage = f"painting with {name}"
        for batch in in_batches(enumerate(self.scenes)):
            started = time.perf_counter()
            painted = [self.painting.paint(model, index, scene) for index, scene in batch]
            seconds += time.perf_counter() - started
            judged = [brought_to(picture, self.judged_size) for picture in painted]
            rows.append(self.features.extract(judged).rows())
            accuracies += self._count(matrix, [scene.label_map for _, scene in batch], judged)
            for (_, scene), picture in zip(batch, painted, strict=True):
                statistics.add(picture, enlarged(scene.label_map, self.painting.size))
            self._progress(stage, sum(map(len, rows)), len(self.scenes))
        features = np.concatenate(rows)
        nearest = nearest_distance(features, self._reference)
        height, width = self.painting.painted_size(model)
        return ModelResult(
            name=name, file=candidate.file, digest=model.digest, images_seen=candidate.images_seen,
            training=candidate.training, objects=self._objects(model),
            distance=self._distance(features, self._reference),
            distance_same=self._distance(features, self._photos),
            agreement=_scores(matrix), diversity=self._diversity(model, name),
            statistics=statistics.statistics(), painted_height=height, painted_width=width,
            seconds_per_picture=seconds / len(features),
            pictures=[
                PictureMeasures(pair.name, self.painting.seed + index, float(near), accuracy)
                for index, (pair, near, accuracy) in enumerate(
                    zip(self.scenes.pairs, nearest, accuracies, strict=True)
                )
            ],
        )  # fmt: skip

    def protocol(self, data: str, layout: str, split: str) -> EvaluationProtocol:
        """What all these numbers rest on; data, layout and split by name."""
        scenes, features, painting = self.scenes, self.features, self.painting
        reference = self.comparison.reference
        return EvaluationProtocol(
            data=data, layout=layout, split=split, label_set=scenes.label_set.name,
            pictures=len(scenes), height=painting.size[0], width=painting.size[1],
            judged_height=scenes.size.height, judged_width=scenes.size.width, frame=scenes.size.description,
            upscaler=None if painting.upscaler is None else upscaler_title(painting.upscaler),
            label_maps=scenes.description, blocked_out=scenes.grey_box,
            reference=self.comparison.reference_description, reference_pictures=len(reference),
            features=features.title, feature_count=self._reference.shape[1], feature_resize=features.resize,
            frechet=features.frechet_title, kernel=features.kernel_title,
            segmenter=None if self.segmenter is None else self.segmenter.title,
            seeds=f"picture i has the seed {painting.seed} + i, which draws {painting.styles.description}",
            diversity=DIVERSITY, statistics=DEFINITIONS,
            program=f"Spade Backdrops {VERSION}, torch {torch.__version__}",
            hardware=f"{platform.machine()} {self._device.type}, {torch.get_num_threads()} threads",
        )  # fmt: skip

    def _objects(self, model: Synthesizer) -> str | None:
        if not model.looks_at_instances:
            return None
        with_maps = (
            0 if self.scenes.grey_box else sum(pair.instances is not None for pair in self.scenes.pairs)
        )
        if with_maps == len(self.scenes):
            return "instance maps"
        return (
            "borders of labels" if not with_maps else f"instance maps ({with_maps}), else borders of labels"
        )

    def _diversity(self, model: Synthesizer, name: str) -> float | None:
        if model.style_size == 0:
            return None
        places = np.linspace(0, len(self.scenes) - 1, min(STYLED_MAPS, len(self.scenes))).round().astype(int)
        pairs = list(itertools.combinations(range(STYLES), 2))
        first, second = [a for a, _ in pairs], [b for _, b in pairs]
        differences: list[float] = []
        for done, place in enumerate(places, 1):
            painted = self.painting.styled(model, int(place), self.scenes[place])
            features = self.features.extract(painted)
            differences.extend(perceptual_distance(features[first], features[second]))
            self._progress(f"styles of {name}", done, len(places))
        return float(np.mean(differences))

    @property
    def _device(self) -> torch.device:
        return next(self.features.buffers()).device

    def _distance(self, pictures: np.ndarray, photos: np.ndarray) -> Distance:
        """Between sets of pictures, from the features of each."""
        return Distance(
            frechet_distance(pictures, photos),
            kernel_distance(pictures, photos, self.painting.seed),
            photos=len(photos),
        )

    def _confusion_matrix(self) -> ConfusionMatrix | None:
        return (
            None
            if self.segmenter is None
            else ConfusionMatrix(self.scenes.label_set, self.segmenter.known_classes)
        )

    def _count(
        self, matrix: ConfusionMatrix | None, label_maps: list[np.ndarray], pictures: list[np.ndarray]
    ) -> list[float | None]:
        """Count them in; returns the pixel accuracy of each."""
        if matrix is None or self.segmenter is None:
            return [None] * len(pictures)
        predictions = self.segmenter.predict(pictures)
        return [
            matrix.add(wanted, predicted) for wanted, predicted in zip(label_maps, predictions, strict=True)
        ]


def nearest_distance(pictures: np.ndarray, photos: np.ndarray) -> np.ndarray:
    """From each picture's features to those of the nearest photo: (n,)."""
    squared = np.square(pictures).sum(1)[:, None] + np.square(photos).sum(1) - 2 * pictures @ photos.T
    return np.sqrt(np.maximum(squared, 0).min(1))


def _scores(matrix: ConfusionMatrix | None) -> Scores | None:
    if matrix is None:
        return None
    if matrix.counts.sum() == 0:
        raise BadImageError(
            "No pixel of these label maps has a class that the segmenter can tell.",
            "Use another segmenter, or leave it out.",
        )
    return matrix.scores()
