# SPDX-License-Identifier: Apache-2.0
"""What an evaluation finds, and what each number rests on: as dataclasses, and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..files import write_text
from .fid import KernelDistance
from .segmentation_metrics import Scores
from .statistics import PictureStatistics

FORMAT = "spade-backdrops evaluation 1"


@dataclass(frozen=True)
class EvaluationProtocol:
    """Beside every number stands how it was got."""

    data: str
    layout: str
    """How the data are taken from disk: where one data set has several subsets, which of them."""
    split: str
    label_set: str
    pictures: int
    height: int
    width: int
    """Of the pictures, at which the plain statistics are measured."""
    judged_height: int
    judged_width: int
    """Of what distances, agreement and diversity are measured on: larger pictures are brought to it."""
    frame: str
    """How photos and label maps come to that size."""
    upscaler: str | None
    """What enlarges the pictures; None where models paint them at their full size."""
    label_maps: str
    """Which ones are painted."""
    blocked_out: bool
    """Label maps as grey-box scenes have them."""
    reference: str
    """The photos that sets of pictures are compared with."""
    reference_pictures: int
    features: str
    feature_count: int
    feature_resize: str
    frechet: str
    """The name under which the Frechet distance goes."""
    kernel: str
    segmenter: str | None
    seeds: str
    diversity: str
    statistics: str
    """What each of the plain statistics is."""
    program: str
    hardware: str
    published: str | None = None
    """The data set whose published protocol was asked for."""
    departures: tuple[str, ...] = ()
    """In what this is not that, in words."""


@dataclass(frozen=True)
class Distance:
    """Between the pictures and a set of photos."""

    frechet: float
    kernel: KernelDistance
    photos: int


@dataclass(frozen=True)
class EnlargedPhotos:
    """The photos of the painted label maps, enlarged from the size at which pictures are judged to the full one."""

    upscaler: str
    distance: Distance
    """From the reference photos, brought back to the size at which pictures are judged."""
    statistics: PictureStatistics
    """At the full size."""


@dataclass(frozen=True)
class RealBaseline:
    """What real photos get by the same measures: the floor of a distance, the ceiling of an agreement."""

    floor: Distance
    agreement: Scores | None
    difference: float
    """Mean perceptual distance of different photos: the scale for diversity."""
    statistics: PictureStatistics
    """At the size at which pictures are judged."""
    enlarged: EnlargedPhotos | None
    """Where pictures are larger than that."""


@dataclass(frozen=True)
class PictureMeasures:
    """One painted picture's own measures."""

    name: str
    seed: int
    nearest_photo: float
    """Distance of its feature vector to that of the nearest reference photo."""
    pixel_accuracy: float | None


@dataclass(frozen=True)
class ModelResult:
    """One model's numbers."""

    name: str
    file: str
    digest: str
    images_seen: int | None
    training: str | None
    """The folder of its training; models of one are points of one curve."""
    distance: Distance
    """From the reference photos: compare it with RealBaseline.floor."""
    distance_same: Distance
    """From the photos of the same label maps, the published protocol."""
    agreement: Scores | None
    objects: str | None
    """What told the network where one object ends and the next begins; None for one that does not ask."""
    diversity: float | None
    """Mean perceptual distance of one label map in different styles; None for a model without styles."""
    statistics: PictureStatistics
    """At the full size."""
    painted_height: int
    painted_width: int
    """What the model itself paints; what an upscaler adds is no part of it."""
    seconds_per_picture: float
    """Painting and upscaling."""
    pictures: list[PictureMeasures] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class Evaluation:
    protocol: EvaluationProtocol
    real: RealBaseline
    models: list[ModelResult]

    def write(self, path: Path) -> None:
        """JSON, in one piece. Raises CannotWriteError."""
        held: dict[str, Any] = {"format": FORMAT, **dataclasses.asdict(self)}
        write_text(path, json.dumps(_plain(held), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    """JSON has no nan: a picture without a labelled pixel has no accuracy."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value
