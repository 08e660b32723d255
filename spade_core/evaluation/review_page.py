# SPDX-License-Identifier: Apache-2.0
"""A training's review measured, and shown as one HTML page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from ..checkpoint.names import models_of
from ..contract.errors import BadImageError, UnknownModelError
from ..contract.labels import LabelSet
from ..data.layouts.layouts import find_pairs
from ..data.pairs import Pair, read_labels
from ..features.base import FeatureNetwork
from ..files import write_text
from ..progress import Progress
from .candidates import Candidate
from .charts import line_chart
from .evaluator import Evaluator
from .painting import Painting
from .review import ClassShare, Point, Review, verdict
from .scenes import Comparison, PictureSize, Scenes, evenly

MODELS = 4
"""Of a run are measured, spread over its length, the newest among them."""
LOOKED_AT = 400
"""Label maps that are read for the classes."""


def models_to_review(run: Path) -> list[Path]:
    """Raises UnknownModelError where the run has none."""
    models = models_of(run)
    if not models:
        raise UnknownModelError(
            f"{run} is no training's folder with models.", "Name what spade train was given as --output."
        )
    places = np.linspace(0, len(models) - 1, MODELS).round().astype(int)
    return [models[place] for place in sorted(set(places.tolist()))]


def reviewed(
    candidates: list[Candidate],
    data: Path,
    layout: str,
    features: FeatureNetwork,
    size: PictureSize,
    limit: int,
    painting: Painting,
    progress: Progress,
) -> Review:
    """Measure the models of a run, the newest last, on held-out label maps, and the newest on those of the training.

    limit: of label maps and of reference photos, at most. Raises what Scenes.of and Comparison.of raise.
    """
    label_set = candidates[-1].model.label_set
    training = find_pairs(data, "train", layout)

    def evaluator(split: str) -> Evaluator:
        scenes = Scenes.of(data, split, label_set, size, limit, layout=layout)
        comparison = Comparison.of(scenes, data, split, 5 * limit, layout)
        return Evaluator(comparison, features, None, painting, progress)

    held_out = evaluator("val" if _is_held_out(data, layout, training) else "train")
    points = [_point(held_out, candidate) for candidate in candidates]
    known = None
    if held_out.scenes.pairs[0].name not in {pair.name for pair in training}:
        known = _point(evaluator("train"), candidates[-1])
    looked_at = evenly(training, LOOKED_AT)
    return Review(points, known, len(training), _classes(looked_at, label_set), len(looked_at))


def write_review(path: Path, review: Review, run: str, data: str) -> None:
    """Raises CannotWriteError."""
    environment = Environment(
        loader=PackageLoader("spade_core.evaluation", "pages"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    points = review.held_out
    chart = None
    if len(points) > 1:
        xs, ys = [float(point.images_seen) for point in points], [point.above for point in points]
        ticks = [f"{point.images_seen:,}" for point in points]
        chart = line_chart(
            "kernel distance above the floor, by photos seen", xs, ys, ticks, 0.0, [range(len(points))]
        )
    page = environment.get_template("review.html").render(
        run=run, data=data, review=review, verdict=verdict(review), chart=chart
    )
    write_text(path, page)


def _is_held_out(data: Path, layout: str, training: list[Pair]) -> bool:
    try:
        names = {pair.name for pair in find_pairs(data, "val", layout)}
    except BadImageError:
        return False
    return not names <= {pair.name for pair in training}


def _point(evaluator: Evaluator, candidate: Candidate) -> Point:
    found, floor = evaluator.evaluate(candidate).distance.kernel, evaluator.real.floor.kernel
    spread = (found.std**2 + floor.std**2) ** 0.5
    return Point(candidate.name, candidate.images_seen or 0, found.mean - floor.mean, spread)


def _classes(pairs: list[Pair], label_set: LabelSet) -> list[ClassShare]:
    """The most frequent first; those that do not occur, too."""
    pixels = dict.fromkeys((entry.id for entry in label_set.classes), 0)
    photos = dict(pixels)
    for pair in pairs:
        ids, counts = np.unique(read_labels(pair.labels, label_set), return_counts=True)
        for id, count in zip(ids.tolist(), counts.tolist(), strict=True):
            if id in pixels:
                pixels[id] += count
                photos[id] += 1
    total = max(1, sum(pixels.values()))
    shares = [ClassShare(each.name, pixels[each.id] / total, photos[each.id]) for each in label_set.classes]
    return sorted(shares, key=lambda each: -each.share)
