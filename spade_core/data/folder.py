# SPDX-License-Identifier: Apache-2.0
"""A folder of photos and label maps: images/NAME.(jpg|png), labels/NAME.png, optionally index.csv with the split."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from ..contract.errors import BadImage
from ..contract.labels import LabelSet
from .channels import channel_indices

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class Pair:
    """One photo and its label map, by file."""

    name: str
    image: Path
    labels: Path


@dataclass(frozen=True)
class CropRule:
    """How a pair becomes a training square.

    The pair is resized so that its short side lies between size and max_scale * size (uniformly), then cropped to
    size at random and flipped half of the time: texture is learned at its true scale, not only as a thumbnail.
    simplify: the share of label maps that are smoothed and lose their small regions, as blocked-out scenes have them.
    """

    size: int
    max_scale: float = 2.0
    simplify: float = 0.25


def find_pairs(root: Path, split: str | None) -> list[Pair]:
    """The pairs of a folder, sorted by name; split picks rows of index.csv where there is one.

    Raises BadImage where no photo has a label map of the same name.
    """
    wanted = None
    index = root / "index.csv"
    if split is not None and index.exists():
        with index.open(newline="", encoding="utf-8") as rows:
            wanted = {row["name"] for row in csv.DictReader(rows) if row["split"] == split}
    pairs = []
    for image in sorted((root / "images").glob("*")):
        labels = root / "labels" / f"{image.stem}.png"
        if (
            image.suffix.lower() in IMAGE_ENDINGS
            and labels.exists()
            and (wanted is None or image.stem in wanted)
        ):
            pairs.append(Pair(image.stem, image, labels))
    if not pairs:
        raise BadImage(
            f"No photo with a label map of the same name was found in {root}.",
            fix="Put photos in images/ and label maps (PNG, ids) of the same names in labels/.",
        )
    return pairs


def read_pair(pair: Pair, label_set: LabelSet) -> tuple[Image.Image, Image.Image]:
    """The photo (RGB) and its label map (mode L, ids checked against the set), of equal size.

    Raises BadImage, BadLabel or BadShape, naming the file.
    """
    try:
        with Image.open(pair.image) as image, Image.open(pair.labels) as labels:
            photo = image.convert("RGB")
            labels.load()
    except (OSError, SyntaxError) as error:
        raise BadImage(
            f"The pair {pair.name} cannot be read: {error}.", fix="Replace or remove that file."
        ) from None
    if labels.size != photo.size or labels.mode not in ("L", "P"):
        raise BadImage(
            f"The label map {pair.labels} does not fit its photo.",
            fix="Give it the photo's size and 8-bit ids.",
        )
    label_set.check(np.asarray(labels))
    return photo, Image.fromarray(np.array(labels), mode="L")


def training_square(
    photo: Image.Image, labels: Image.Image, rule: CropRule, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns rgb (size, size, 3) uint8 and ids (size, size) uint8, cut from the same place."""
    short = int(round(rule.size * random.uniform(1.0, rule.max_scale)))
    scale = short / min(photo.size)
    width, height = (max(rule.size, round(side * scale)) for side in photo.size)
    left = int(random.integers(0, width - rule.size + 1))
    top = int(random.integers(0, height - rule.size + 1))
    # Resize only the window: box is in source pixels.
    box = (left / width * photo.width, top / height * photo.height)
    box = (*box, box[0] + rule.size / width * photo.width, box[1] + rule.size / height * photo.height)
    rgb = np.asarray(photo.resize((rule.size, rule.size), Image.Resampling.BICUBIC, box=box))
    square = labels.resize((rule.size, rule.size), Image.Resampling.NEAREST, box=box)
    if random.random() < rule.simplify:
        square = square.filter(ImageFilter.ModeFilter(int(random.choice((7, 11, 15)))))
    ids = np.asarray(square)
    if random.random() < 0.5:
        rgb, ids = rgb[:, ::-1], ids[:, ::-1]
    return np.ascontiguousarray(rgb), np.ascontiguousarray(ids)


class TrainingSquares:
    """An endless, shuffled stream of batches whose position is one number: the batch index.

    Batch i depends on the seed and i alone, so a resumed run sees the squares it would have seen.
    """

    def __init__(self, pairs: list[Pair], label_set: LabelSet, rule: CropRule, batch: int, seed: int) -> None:
        self.pairs, self.label_set, self.rule, self.batch, self.seed = pairs, label_set, rule, batch, seed
        self._decoded: dict[str, tuple[Image.Image, Image.Image]] = {}

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """rgb (B, size, size, 3) uint8 and channel indices (B, size, size) int64."""
        random = np.random.default_rng((self.seed, index))
        images, maps = [], []
        for position in range(index * self.batch, (index + 1) * self.batch):
            epoch, place = divmod(position, len(self.pairs))
            order = np.random.default_rng((self.seed, 1 << 20, epoch)).permutation(len(self.pairs))
            rgb, ids = training_square(*self._pair(self.pairs[order[place]]), self.rule, random)
            images.append(rgb)
            maps.append(ids)
        return np.stack(images), channel_indices(self.label_set, np.stack(maps))

    def _pair(self, pair: Pair) -> tuple[Image.Image, Image.Image]:
        if pair.name not in self._decoded:
            self._decoded[pair.name] = read_pair(pair, self.label_set)
        return self._decoded[pair.name]
