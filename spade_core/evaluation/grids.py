# SPDX-License-Identifier: Apache-2.0
"""The pictures of a report: painted again from the seeds that they were measured with, never stored in between."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from .candidates import Candidate
from .evaluator import Evaluator
from .results import ModelResult, PictureMeasures

SIDE_BY_SIDE, STYLED, EXTREMES = 6, 3, 3
"""Rows of the comparison, of the styles, and pictures at each of best, median and worst."""
LARGEST = 384
"""Longest side of an embedded picture."""


def embedded(rgb: np.ndarray, largest: int = LARGEST) -> str:
    """(H, W, 3) uint8 as a data: address; scaled down to so many pixels a side."""
    image, buffer = Image.fromarray(rgb), io.BytesIO()
    image.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    image.save(buffer, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def embedded_exactly(rgb: np.ndarray) -> str:
    """As embedded, without loss: for the few flat colours of a label map."""
    image, buffer = Image.fromarray(rgb), io.BytesIO()
    image.thumbnail((LARGEST, LARGEST), Image.Resampling.NEAREST)
    image.quantize(256).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def side_by_side(evaluator: Evaluator, candidates: list[Candidate]) -> list[list[str]]:
    """Rows of label map, one picture a model, photo."""
    rows = []
    for place in np.linspace(0, len(evaluator.scenes) - 1, SIDE_BY_SIDE).round().astype(int):
        scene = evaluator.scenes[int(place)]
        painted = [evaluator.painting.paint(candidate.model, int(place), scene) for candidate in candidates]
        labels = evaluator.scenes.label_set.colorize(scene.label_map)
        rows.append([embedded_exactly(labels), *map(embedded, (*painted, scene.photo))])
    return rows


def style_rows(evaluator: Evaluator, candidate: Candidate) -> list[list[str]]:
    """Rows of label map and STYLES pictures; none for a model without styles."""
    if candidate.model.style_size == 0:
        return []
    rows = []
    for place in np.linspace(0, len(evaluator.scenes) - 1, STYLED + 2).round().astype(int)[1:-1]:
        scene = evaluator.scenes[int(place)]
        painted = evaluator.painting.styled(candidate.model, int(place), scene)
        labels = evaluator.scenes.label_set.colorize(scene.label_map)
        rows.append([embedded_exactly(labels), *map(embedded, painted)])
    return rows


@dataclass(frozen=True)
class Measure:
    """Something that a single picture has a number for."""

    title: str
    of: Callable[[PictureMeasures], float | None]
    best_is_highest: bool


NEAREST = Measure(
    "distance to the nearest reference photo, in feature space", lambda picture: picture.nearest_photo, False
)
ACCURACY = Measure("pixel accuracy under the segmenter", lambda picture: picture.pixel_accuracy, True)


def extremes(evaluator: Evaluator, candidate: Candidate, result: ModelResult) -> list[dict[str, Any]]:
    """Best, median and worst pictures by each measure that a picture has of its own."""
    blocks = []
    for measure in (NEAREST,) if evaluator.segmenter is None else (NEAREST, ACCURACY):
        parts = [
            {
                "title": title,
                "examples": [_example(evaluator, candidate, index, value) for value, index in chosen],
            }
            for title, chosen in best_median_worst(result.pictures, measure).items()
        ]
        blocks.append({"model": result.name, "measure": measure.title, "parts": parts})
    return blocks


def best_median_worst(
    pictures: list[PictureMeasures], measure: Measure
) -> dict[str, list[tuple[float, int]]]:
    """(value, place) of EXTREMES pictures each, the better ones first; pictures without a value are left out."""
    scored = [
        (value, place)
        for place, picture in enumerate(pictures)
        if (value := measure.of(picture)) is not None and not math.isnan(value)
    ]
    scored.sort(reverse=measure.best_is_highest)
    count = min(EXTREMES, len(scored))
    middle = (len(scored) - count) // 2
    return {
        "Best": scored[:count],
        "Median": scored[middle : middle + count],
        "Worst": scored[len(scored) - count :],
    }


def _example(evaluator: Evaluator, candidate: Candidate, index: int, value: float) -> dict[str, str]:
    scene = evaluator.scenes[index]
    return {
        "name": scene.name,
        "value": f"{value:.2f}",
        "labels": embedded_exactly(evaluator.scenes.label_set.colorize(scene.label_map)),
        "painted": embedded(evaluator.painting.paint(candidate.model, index, scene)),
        "photo": embedded(scene.photo),
    }
