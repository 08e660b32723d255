# SPDX-License-Identifier: Apache-2.0
"""Photos and label maps as they are evaluated: of one size, read when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..contract.errors import BadImage
from ..contract.labels import LabelSet
from ..data.folder import Pair, find_pairs, read_pair

PHOTO_FILTER = "centre cut to the aspect, then Lanczos"
LABEL_FILTER = "the same cut, then nearest"


@dataclass(frozen=True)
class Scene:
    """One photo and its label map at the size of the evaluation."""

    name: str
    photo: np.ndarray
    """(H, W, 3) uint8."""
    label_map: np.ndarray
    """(H, W) ids."""


@dataclass(frozen=True)
class Scenes:
    """The pairs of a split at one size. Indexing reads the files; raises BadImage, BadLabel or BadShape then."""

    pairs: list[Pair]
    label_set: LabelSet
    height: int
    width: int

    @classmethod
    def of(
        cls, root: Path, split: str, label_set: LabelSet, height: int, width: int, limit: int | None = None
    ) -> Scenes:
        """limit: take so many, evenly spaced by name. Raises BadImage where the folder or the split is empty."""
        return cls(evenly(find_pairs(root, split), limit), label_set, height, width)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Scene:
        pair = self.pairs[index]
        photo, labels = read_pair(pair, self.label_set)
        box = _centre(*photo.size, self.width / self.height)
        size = (self.width, self.height)
        rgb = np.asarray(photo.resize(size, Image.Resampling.LANCZOS, box=box))
        ids = np.asarray(labels.resize(size, Image.Resampling.NEAREST, box=box))
        return Scene(pair.name, rgb, self.label_set.check(ids))

    def __iter__(self) -> Iterator[Scene]:
        for index in range(len(self)):
            yield self[index]


def evenly(pairs: list[Pair], limit: int | None) -> list[Pair]:
    if limit is None or limit >= len(pairs):
        return pairs
    return [pairs[place] for place in np.linspace(0, len(pairs) - 1, limit).round().astype(int)]


def _centre(width: int, height: int, aspect: float) -> tuple[float, float, float, float]:
    """The largest box of this aspect in the middle of a photo."""
    wide = min(width, height * aspect)
    tall = wide / aspect
    left, top = (width - wide) / 2, (height - tall) / 2
    return left, top, left + wide, top + tall


FEWEST = 10
"""Pictures and photos, for any distance between the two."""


@dataclass(frozen=True)
class Comparison:
    """The scenes to paint, and the photos that sets of pictures are compared with."""

    painted: Scenes
    reference: Scenes
    said: str
    """Which photos those are, for people."""

    @classmethod
    def of(cls, scenes: Scenes, root: Path, split: str, count: int) -> Comparison:
        """At most `count` photos of another split, where there is one. Else every second scene gives its photo away and
        is not painted: no picture may be compared with the photo of its own label map, no photo with itself.

        Raises BadImage where too few are left.
        """
        names = {pair.name for pair in scenes.pairs}
        other = "val" if split == "train" else "train"
        pairs = [pair for pair in find_pairs(root, other) if pair.name not in names]
        said = f"photos of the split '{other}', evenly spaced by name"
        if len(pairs) < FEWEST:
            pairs = scenes.pairs[1::2]
            scenes = replace(scenes, pairs=scenes.pairs[::2])
            said = f"every second photo of the split '{split}', whose label maps are not painted"
        reference = replace(scenes, pairs=evenly(pairs, count))
        if min(len(scenes), len(reference)) < FEWEST:
            raise BadImage(
                f"{len(scenes)} pictures against {len(reference)} photos say nothing about a distribution.",
                f"Give at least {FEWEST} pairs in the split '{split}', or {2 * FEWEST} where it is the only one.",
            )
        return cls(scenes, reference, said)
