# SPDX-License-Identifier: Apache-2.0
"""A preference study in one HTML file: which of two pictures of a label map looks more real (paper, table 2), or which
of the pictures, shown one by one, are taken for photos.

Sides are drawn from the seed, half of the time each; half of the people see all of them the other way round, and each
person has an order of their own. The names of what is compared are in the file, but never on the screen.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_lowercase
from typing import Any, Literal

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from ..contract.errors import BadOptionError
from ..contract.labels import LabelSet
from ..files import write_text
from ..progress import Progress
from .grids import embedded, embedded_exactly
from .painting import enlarged
from .pictures import Photos, PictureSource, names_of
from .scenes import Scenes, evenly

Question = Literal["prefer", "photo"]
"""prefer: which of two pictures looks more real? photo: is this picture a photo?"""
ANSWERS_FORMAT = "spade-backdrops study answers 2"
LARGEST = 2048
"""Longest side of a picture in the page."""


@dataclass(frozen=True)
class PreferenceStudy:
    """What is compared, and on what."""

    sources: Sequence[PictureSource]
    names: Sequence[str]
    """Of what is shown, a picture of each source for each: label maps of `scenes`, or else pictures of the folders."""
    scenes: Scenes | None
    """Has the label maps of `names`, in that order; None for folders without label maps."""
    question: Question
    seed: int
    crop: int | None = None
    """Show a square of so many pixels, at a place that the seed draws, of each; None: all of it."""

    @classmethod
    def of(
        cls, sources: Sequence[PictureSource], scenes: Scenes | None, limit: int, question: Question, seed: int,
        crop: int | None = None,
    ) -> PreferenceStudy:  # fmt: skip
        """On at most `limit` of the label maps, or of the folders' pictures, evenly spaced by name; raises as the rest.

        Label maps smaller than what is painted from them are enlarged as for an evaluation; photos are not.
        """
        names = evenly(names_of(sources, scenes), limit)
        if scenes is None:
            return cls(sources, names, None, question, seed, crop)
        shown, wanted = set(names), scenes.size
        scenes = replace(scenes, pairs=[pair for pair in scenes.pairs if pair.name in shown]).unenlarged()
        if scenes.size != wanted and any(isinstance(source, Photos) for source in sources):
            raise BadOptionError(
                f"The photos fill {scenes.size.width} x {scenes.size.height} pixels; enlarged, they are told by it.",
                f"Choose --size {scenes.size.height}, or larger photos.",
            )
        return cls(sources, names, scenes, question, seed, crop)

    def __post_init__(self) -> None:
        """Raises BadOptionError."""
        photos = any(isinstance(source, Photos) for source in self.sources)
        if self.question == "photo" and not (photos or len(self.sources) > 1):
            raise BadOptionError(
                "Among painted pictures alone nothing is a photo.",
                "Name `photos`, or a folder of photos, too.",
            )
        if self.question == "prefer" and len(self.sources) < 2:
            raise BadOptionError("One of them cannot be preferred.", "Name two models or folders, or more.")
        if len(self.sources) > len(ascii_lowercase):
            raise BadOptionError(
                f"{len(self.sources)} are too many.", f"Compare at most {len(ascii_lowercase)}."
            )
        if len({source.name for source in self.sources}) < len(self.sources):
            raise BadOptionError("One of them is named twice.", "Name different models or folders.")

    @property
    def keys(self) -> list[str]:
        """A letter for each source."""
        return list(ascii_lowercase[: len(self.sources)])

    def trials(self) -> list[dict[str, Any]]:
        """What a person is asked: places in `names`, and whose pictures are shown there, left and right or alone.

        Each source is on the left in half of its comparisons with another.
        """
        places = range(len(self.names))
        if self.question == "photo":
            return [{"map": place, "shown": key} for place in places for key in self.keys]
        asked = []
        random = np.random.default_rng(self.seed)
        for pair in itertools.combinations(self.keys, 2):
            lefts = random.permutation([pair[place % 2] for place in places])
            asked += [
                {"map": place, "left": str(left), "right": pair[1] if left == pair[0] else pair[0]}
                for place, left in zip(places, lefts, strict=True)
            ]
        return asked

    def write(self, path: Path, progress: Progress) -> str:
        """Paint everything and write the page; returns what tells this study's answers from another's.

        Raises CannotWriteError, and as sources and Scenes do.
        """
        environment = Environment(
            loader=PackageLoader("spade_core.evaluation", "pages"), autoescape=True, undefined=StrictUndefined
        )
        page = self._page_data(progress)
        page["study"] = hashlib.sha256(json.dumps(page).encode()).hexdigest()
        write_text(path, environment.get_template("study.html").render(study=page))
        return page["study"]

    def _page_data(self, progress: Progress) -> dict[str, Any]:
        maps = []
        for place in range(len(self.names)):
            maps.append(self._map(place))
            progress("painting", place + 1, len(self.names))
        return {
            "answers_format": ANSWERS_FORMAT,
            "question": self.question,
            "with_photos": any(isinstance(source, Photos) for source in self.sources),
            "names": {key: source.name for key, source in zip(self.keys, self.sources, strict=True)},
            "maps": maps,
            "trials": self.trials(),
        }

    def _map(self, place: int) -> dict[str, Any]:
        name = self.names[place]
        scene = None if self.scenes is None else self.scenes[place]
        pictures = [source.picture(place, name, scene) for source in self.sources]
        size = (pictures[0].shape[0], pictures[0].shape[1])
        window = self._window(place, size)
        shown = {
            "name": name,
            "labels": None,
            "legend": [],
            "pictures": {
                key: embedded(rgb[window], LARGEST) for key, rgb in zip(self.keys, pictures, strict=True)
            },
        }
        if self.scenes is not None and scene is not None and self.question == "prefer":
            ids = enlarged(scene.label_map, size)[window]
            shown["labels"] = embedded_exactly(self.scenes.label_set.colorize(ids))
            shown["legend"] = legend(self.scenes.label_set, ids)
        return shown

    def _window(self, place: int, shape: tuple[int, int]) -> tuple[slice, slice]:
        """The part of picture `place` that is shown, the same of every source."""
        if self.crop is None:
            return slice(None), slice(None)
        if not 1 <= self.crop <= min(shape):
            raise BadOptionError(
                f"Pictures of {shape[1]} x {shape[0]} pixels have no crop of {self.crop}.",
                "Choose a --crop from 1 to their shorter side.",
            )
        random = np.random.default_rng((self.seed % 2**63, place))
        top, left = (int(random.integers(0, side - self.crop + 1)) for side in shape)
        return slice(top, top + self.crop), slice(left, left + self.crop)


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
