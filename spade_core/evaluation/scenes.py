# SPDX-License-Identifier: Apache-2.0
"""Photos and label maps as they are evaluated: of one size, read when asked for."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from PIL import Image

from ..contract.errors import BadImageError, BadOptionError, LabelSetMismatchError, TooFewImagesError
from ..contract.labels import LabelSet
from ..contract.limits import MIN_SIDE
from ..data.grey_box.augment import blocky
from ..data.layouts.layouts import find_pairs, own_label_set
from ..data.pairs import Pair, read_instances, read_pair
from ..data.placement import Placement
from ..image_files import picture_size

Fit = Literal["cut", "squeeze"]
T = TypeVar("T")
FEWEST = 10
"""Pictures and photos, for any distance between the two."""


@dataclass(frozen=True)
class PictureSize:
    """The one size of all pictures, and how photos of any shape come to it: bicubic, label maps nearest.

    cut: the middle, as much of it as has this aspect. squeeze: the whole photo, as the published evaluation
    of COCO-Stuff and ADE20K has it.
    """

    height: int
    width: int
    fit: Fit = "cut"

    def __post_init__(self) -> None:
        """Raises BadOptionError."""
        if min(self.height, self.width) < MIN_SIDE:
            raise BadOptionError(
                f"Pictures of {self.width} x {self.height} pixels cannot be painted.",
                f"Choose a size and an aspect that give at least {MIN_SIDE} a side.",
            )

    @property
    def description(self) -> str:
        """How photos and label maps come to this size, for people."""
        taken = "the middle of the photo" if self.fit == "cut" else "the whole photo, squeezed"
        return f"{taken}, to {self.width} x {self.height}: photos bicubic (antialiased), label maps nearest"

    def placement(self, width: int, height: int) -> Placement:
        """Of a photo of this size."""
        size = (self.width, self.height)
        if self.fit == "squeeze":
            return Placement(size, 0, 0, size)
        scale = max(self.width / width, self.height / height)
        scaled = (max(self.width, round(width * scale)), max(self.height, round(height * scale)))
        return Placement(scaled, (scaled[0] - self.width) // 2, (scaled[1] - self.height) // 2, size)


@dataclass(frozen=True)
class Scene:
    """One photo and its label map at the size of the evaluation."""

    name: str
    photo: np.ndarray
    """(H, W, 3) uint8."""
    label_map: np.ndarray
    """(H, W) ids: what is painted, and what the picture is compared with."""
    photo_labels: np.ndarray
    """(H, W) ids of the photo; other ones than label_map where that is blocked out."""
    instance_map: np.ndarray | None
    """(H, W) int32, where the data have one."""


@dataclass(frozen=True)
class Scenes:
    """The pairs of a split, brought to one size. Indexing reads files, and raises BadImageError, BadLabelError or
    BadShapeError."""

    pairs: list[Pair]
    label_set: LabelSet
    size: PictureSize
    grey_box: bool = False
    """Label maps are blocked out as grey-box scenes have them, each always in the same way."""

    @classmethod
    def of(
        cls,
        root: Path,
        split: str,
        label_set: LabelSet,
        size: PictureSize,
        limit: int | None = None,
        grey_box: bool = False,
        layout: str = "auto",
    ) -> Scenes:
        """limit: take so many, evenly spaced by name. layout: one of `data.layouts`.

        Raises BadImageError where there are no pairs, LabelSetMismatchError where the data say that they are of
        another set.
        """
        stated = own_label_set(root, layout)
        if stated is not None and stated.digest != label_set.digest:
            raise LabelSetMismatchError(
                f"The label maps in {root} are of '{stated.name}' ({len(stated.classes)} classes), "
                f"the model is of '{label_set.name}' ({len(label_set.classes)}).",
                f"Use data of '{label_set.name}', or a model of '{stated.name}'.",
            )
        return cls(evenly(find_pairs(root, split, layout), limit), label_set, size, grey_box)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Scene:
        pair = self.pairs[index]
        photo, labels = read_pair(pair, self.label_set)
        placement = self.size.placement(*labels.size)
        ids = self.label_set.check(placement.labels(labels))
        objects = None if pair.instances is None else Image.fromarray(read_instances(pair.instances))
        if self.grey_box:
            painted, objects = blocky(ids, zlib.crc32(pair.name.encode()), self.label_set), None
        else:
            painted = ids
        instance_map = None if objects is None else placement.labels(objects)
        return Scene(pair.name, placement.photo(photo), painted, ids, instance_map)

    def unenlarged(self) -> Scenes:
        """The same ones, no larger than each label map fills: enlarged by nearest samples, borders would have steps.

        Raises BadImageError.
        """
        share = 1.0
        for pair in self.pairs:
            width, height = picture_size(pair.labels)
            across, down = self.size.placement(width, height).scaled
            share = min(share, width / across, height / down)
        if share == 1:
            return self
        smaller = replace(
            self.size, height=round(self.size.height * share), width=round(self.size.width * share)
        )
        return replace(self, size=smaller)

    @property
    def description(self) -> str:
        """What the painted label maps are, for people."""
        if not self.grey_box:
            return "those of the photos"
        return "those of the photos, blocked out: straight borders, no small regions, primitives for trees and houses"

    def __iter__(self) -> Iterator[Scene]:
        for index in range(len(self)):
            yield self[index]


def evenly(listed: list[T], limit: int | None) -> list[T]:
    """At most so many, from the whole list. Raises BadOptionError."""
    if limit is not None and limit < 1:
        raise BadOptionError(f"{limit} pairs are none.", "Choose a number from 1 up.")
    if limit is None or limit >= len(listed):
        return listed
    return [listed[place] for place in np.linspace(0, len(listed) - 1, limit).round().astype(int)]


@dataclass(frozen=True)
class Comparison:
    """The scenes to paint, and the photos that sets of pictures are compared with."""

    painted: Scenes
    reference: Scenes
    reference_description: str
    """Which photos those are, for people."""

    @classmethod
    def of(cls, scenes: Scenes, root: Path, split: str, count: int, layout: str = "auto") -> Comparison:
        """At most `count` photos of another split, where there is one. Else every second scene gives its photo away and
        is not painted: no picture may be compared with the photo of its own label map, no photo with itself.

        Raises TooFewImagesError where too few are left.
        """
        painted, other = {pair.name for pair in scenes.pairs}, "val" if split == "train" else "train"
        others: list[Pair] = []
        with contextlib.suppress(BadImageError):  # everything is in one split
            others = find_pairs(root, other, layout)
        pairs = [pair for pair in others if pair.name not in painted]
        description = f"photos of the split '{other}', evenly spaced by name"
        if len(pairs) < len(others):  # a folder without splits
            description = "photos whose label maps are not painted, evenly spaced by name"
        if len(pairs) < FEWEST:
            pairs = scenes.pairs[1::2]
            scenes = replace(scenes, pairs=scenes.pairs[::2])
            description = f"every second photo of the split '{split}', whose label maps are not painted"
        reference = replace(scenes, pairs=evenly(pairs, count))
        if min(len(scenes), len(reference)) < FEWEST:
            raise TooFewImagesError(
                f"{len(scenes)} pictures against {len(reference)} photos say nothing about a distribution.",
                f"Give at least {FEWEST} pairs in the split '{split}', or {2 * FEWEST} where it is the only one.",
            )
        return cls(scenes, reference, description)
