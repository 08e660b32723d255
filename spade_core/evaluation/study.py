# SPDX-License-Identifier: Apache-2.0
"""A preference study (paper, table 2): two models' pictures of the same label maps, side by side, in one HTML file.

Which model is on which side is drawn from the seed, half of the time each; half of the people see all pairs the other
way round, and each person has an order of their own. Model names are in the file, but never on the screen.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from ..contract.labels import LabelSet
from ..files import write_text
from ..progress import Progress
from .candidates import Candidate, refuse_other_label_sets
from .grids import embedded, embedded_exactly
from .scenes import Scene, Scenes

ANSWERS_FORMAT = "spade-backdrops study answers 1"


@dataclass(frozen=True)
class PreferenceStudy:
    """Two models, and the label maps on which they are compared."""

    first: Candidate
    second: Candidate
    scenes: Scenes
    seed: int

    def __post_init__(self) -> None:
        """Raises LabelSetMismatchError where a model does not paint these label maps."""
        refuse_other_label_sets((self.first.model, self.second.model), self.scenes)

    @property
    def digest(self) -> str:
        """What tells this study's answers from another's: models, label maps, size and seed."""
        names = [pair.name for pair in self.scenes.pairs]
        size = dataclasses.astuple(self.scenes.size)
        identity = json.dumps([self.first.model.digest, self.second.model.digest, names, size, self.seed])
        return hashlib.sha256(identity.encode()).hexdigest()

    def write(self, path: Path, progress: Progress) -> None:
        """Paint everything and write the page. Raises CannotWriteError, and as Scenes does."""
        environment = Environment(
            loader=PackageLoader("spade_core.evaluation", "pages"), autoescape=True, undefined=StrictUndefined
        )
        write_text(path, environment.get_template("study.html").render(study=self._page_data(progress)))

    def _page_data(self, progress: Progress) -> dict[str, Any]:
        trials = []
        for place, (scene, left) in enumerate(zip(self.scenes, self.left_sides(), strict=True)):
            trials.append(self._trial(place, scene, left))
            progress("painting", place + 1, len(self.scenes))
        models = {
            side: {"name": candidate.name, "digest": candidate.model.digest}
            for side, candidate in (("a", self.first), ("b", self.second))
        }
        return {"answers_format": ANSWERS_FORMAT, "study": self.digest, "models": models, "trials": trials}

    def left_sides(self) -> list[str]:
        """Which model is on the left, pair by pair: "a" and "b" equally often."""
        sides = np.array(["a", "b"] * ((len(self.scenes) + 1) // 2))[: len(self.scenes)]
        return np.random.default_rng(self.seed).permutation(sides).tolist()

    def _trial(self, place: int, scene: Scene, left: str) -> dict[str, Any]:
        return {
            "name": scene.name,
            "left": left,
            "labels": embedded_exactly(self.scenes.label_set.colorize(scene.label_map)),
            "legend": legend(self.scenes.label_set, scene.label_map),
            "pictures": {
                side: embedded(
                    model.render(scene.label_map, seed=self.seed + place, instance_map=scene.instance_map)
                )
                for side, model in (("a", self.first.model), ("b", self.second.model))
            },
        }


def legend(label_set: LabelSet, label_map: np.ndarray) -> list[tuple[str, str]]:
    """(name, colour) of the classes that take a hundredth of the map or more, the largest first."""
    ids, counts = np.unique(label_map, return_counts=True)
    classes = {entry.id: entry for entry in label_set.classes}
    shown = sorted(zip(counts.tolist(), ids.tolist(), strict=True), reverse=True)
    return [
        (classes[id].name, classes[id].color)
        for count, id in shown
        if id in classes and count >= 0.01 * label_map.size
    ]
