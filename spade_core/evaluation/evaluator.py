# SPDX-License-Identifier: Apache-2.0
"""Models measured on one set of scenes: everything that does not depend on the model is measured once."""

from __future__ import annotations

import itertools
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..checkpoint.file import file_digest, load_checkpoint
from ..checkpoint.sources import model_file
from ..contract.errors import BadImageError, LabelSetMismatchError
from ..contract.version import VERSION
from ..features.base import FeatureNetwork, in_batches, perceptual_distance
from ..progress import Progress
from ..runtime import chosen_device
from ..synthesis.synthesizer import Synthesizer
from .fid import frechet_distance, kernel_distance
from .results import Distance, EvaluationProtocol, ModelResult, PictureMeasures, RealBaseline
from .scenes import Comparison, Scene, Scenes
from .segmentation_metrics import ConfusionMatrix, Scores
from .segmenter import Segmenter

STYLED_MAPS, STYLES = 24, 4

DIVERSITY = (
    f"mean perceptual distance of pictures of one label map in {STYLES} styles, the noise held fixed; "
    f"up to {STYLED_MAPS} label maps"
)


@dataclass(frozen=True)
class Candidate:
    """A model to be measured."""

    name: str
    """What tells it from the others."""
    model: Synthesizer
    file: str
    images_seen: int | None
    """In its training, where its file says so."""


def load_candidates(names_or_files: Sequence[str], device: str) -> list[Candidate]:
    """Raises UnknownModelError, BadCheckpointError, UnavailableError."""
    paths = [model_file(each) for each in names_or_files]
    candidates = []
    for path, given in zip(paths, names_or_files, strict=True):
        checkpoint = load_checkpoint(path)
        seen = checkpoint.provenance.get("images_seen")
        model = Synthesizer(checkpoint, path.stem, file_digest(path), chosen_device(device))
        # Runs name their models alike: runs/first/model_00002000, runs/second/model_00002000.
        alone = [other.stem for other in paths].count(path.stem) == 1
        name = path.stem if alone else f"{path.resolve().parent.name}/{path.stem}"
        candidates.append(Candidate(name, model, given, seen if isinstance(seen, int) else None))
    return candidates


def refuse_other_label_sets(models: Iterable[Synthesizer], scenes: Scenes) -> None:
    """Raises LabelSetMismatchError for a model that does not paint these label maps."""
    for model in models:
        if model.label_set.digest != scenes.label_set.digest:
            raise LabelSetMismatchError(
                f"The model '{model.name}' paints '{model.label_set.name}', the label maps are of "
                f"'{scenes.label_set.name}'.",
                "Compare models of one label set, on data of that set.",
            )


class Evaluator:
    """Measures the photos once, and then the pictures of any number of models."""

    def __init__(
        self, comparison: Comparison, features: FeatureNetwork, segmenter: Segmenter | None, seed: int,
        progress: Progress,
    ) -> None:  # fmt: skip
        self.comparison, self.scenes = comparison, comparison.painted
        self.features, self.segmenter, self.seed = features, segmenter, seed
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
        matrix = self._confusion_matrix()
        for batch in in_batches(self.scenes):
            features = self.features.extract([scene.photo for scene in batch])
            rows.append(features.rows())
            if len(batch) > 1:
                ahead, behind = list(range(len(batch) - 1)), list(range(1, len(batch)))
                differences.extend(perceptual_distance(features[ahead], features[behind]))
            photo_labels = [scene.photo_labels for scene in batch]
            self._count(matrix, photo_labels, [scene.photo for scene in batch])
            self._progress("looking at photos", sum(map(len, rows)), len(self.scenes))
        photos = np.concatenate(rows)
        floor = distance(photos, self._reference, self.seed)
        return photos, RealBaseline(floor, _scores(matrix), float(np.mean(differences)))

    def evaluate(self, candidate: Candidate) -> ModelResult:
        """Paint and measure. The model is of the scenes' label set (refuse_other_label_sets)."""
        model, name = candidate.model, candidate.name
        rows, accuracies, seconds = [], [], 0.0
        matrix = self._confusion_matrix()
        stage = f"painting with {name}"
        for batch in in_batches(enumerate(self.scenes)):
            started = time.perf_counter()
            painted = [self.paint(model, index, scene) for index, scene in batch]
            seconds += time.perf_counter() - started
            rows.append(self.features.extract(painted).rows())
            accuracies += self._count(matrix, [scene.label_map for _, scene in batch], painted)
            self._progress(stage, sum(map(len, rows)), len(self.scenes))
        features = np.concatenate(rows)
        nearest = nearest_distance(features, self._reference)
        return ModelResult(
            name=name, file=candidate.file, digest=model.digest, images_seen=candidate.images_seen,
            distance=distance(features, self._reference, self.seed),
            distance_same=distance(features, self._photos, self.seed),
            agreement=_scores(matrix), diversity=self._diversity(model, name),
            seconds_per_picture=seconds / len(features),
            pictures=[
                PictureMeasures(pair.name, self.seed + index, float(near), accuracy)
                for index, (pair, near, accuracy) in enumerate(
                    zip(self.scenes.pairs, nearest, accuracies, strict=True)
                )
            ],
        )  # fmt: skip

    def protocol(self, data: str, layout: str, split: str) -> EvaluationProtocol:
        """What all these numbers rest on; data, layout and split by name."""
        scenes, features = self.scenes, self.features
        reference = self.comparison.reference
        return EvaluationProtocol(
            data=data, layout=layout, split=split, label_set=scenes.label_set.name,
            pictures=len(scenes), height=scenes.size.height, width=scenes.size.width,
            frame=scenes.size.description, label_maps=scenes.description,
            reference=self.comparison.reference_description, reference_pictures=len(reference),
            features=features.title, feature_count=self._reference.shape[1], feature_resize=features.resize,
            frechet=features.frechet_title, kernel=features.kernel_title,
            segmenter=None if self.segmenter is None else self.segmenter.title,
            seeds=f"picture i has the seed {self.seed} + i, which draws its style and noise", diversity=DIVERSITY,
            program=f"Spade Backdrops {VERSION}, torch {torch.__version__}",
            hardware=f"{platform.machine()} {next(features.buffers()).device.type}, {torch.get_num_threads()} threads",
        )  # fmt: skip

    def paint(self, model: Synthesizer, index: int, scene: Scene) -> np.ndarray:
        """The picture of a scene as it is measured: (H, W, 3) uint8."""
        return model.render(scene.label_map, seed=self.seed + index, instance_map=scene.instance_map)

    def _diversity(self, model: Synthesizer, name: str) -> float | None:
        if model.style_size == 0:
            return None
        places = np.linspace(0, len(self.scenes) - 1, min(STYLED_MAPS, len(self.scenes))).round().astype(int)
        pairs = list(itertools.combinations(range(STYLES), 2))
        first, second = [a for a, _ in pairs], [b for _, b in pairs]
        differences: list[float] = []
        for done, place in enumerate(places, 1):
            painted = self.styled(model, int(place), self.scenes[place])
            features = self.features.extract(painted)
            differences.extend(perceptual_distance(features[first], features[second]))
            self._progress(f"styles of {name}", done, len(places))
        return float(np.mean(differences))

    def styled(self, model: Synthesizer, place: int, scene: Scene) -> list[np.ndarray]:
        """The pictures of a scene in STYLES styles. The noise stays the same: what differs is the style alone."""
        codes = [model.style_from_seed(self.seed + STYLES * place + style) for style in range(STYLES)]
        return [
            model.render(scene.label_map, code, self.seed, instance_map=scene.instance_map) for code in codes
        ]

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


def distance(pictures: np.ndarray, photos: np.ndarray, seed: int) -> Distance:
    return Distance(
        frechet_distance(pictures, photos), kernel_distance(pictures, photos, seed), photos=len(photos)
    )


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
