# SPDX-License-Identifier: Apache-2.0
"""Batches of training crops, addressed by one number."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..contract.errors import BadImageError, BadShapeError, SpadeError
from ..contract.labels import LabelSet
from ..model.label_channels import LabelChannels
from .grey_box.augment import GreyBox
from .pairs import Pair, instances_differ, read_instances, read_pair
from .placement import CropRule, PlacementRule, stacked

_ORDER, _GREY_BOX = 1 << 20, 2 << 20
"""Streams of random numbers apart from the batches' own."""

CACHE_BYTES = 4 << 30

_told: set[str] = set()  # names of pairs that were skipped, in this process

_BYTES = {"L": 1, "I;16": 2}
"""A pixel in memory; 4 in the other modes."""


@dataclass(frozen=True)
class CropBatch:
    """Crops on the CPU, in pinned memory where a `Loader` made them for a CUDA device."""

    index: int
    """The batch's number."""
    rgb: Tensor
    """(B, height, width, 3) uint8."""
    channels: Tensor
    """(B, height, width) int64, the one-hot channel of each pixel; some label maps are blocked out."""
    shown: Tensor
    """The same of what the photos show: of the label maps as they are."""
    instances: Tensor | None = None
    """(B, height, width) int32, one number an object."""

    def pin_memory(self) -> CropBatch:
        """DataLoader's hook."""
        instances = None if self.instances is None else self.instances.pin_memory()
        channels, shown = self.channels.pin_memory(), self.shown.pin_memory()
        return CropBatch(self.index, self.rgb.pin_memory(), channels, shown, instances)


class CropSampler:
    """An endless, shuffled stream of batches whose position is one number: the batch index.

    Batch i depends on the seed and i alone, so a resumed run sees the crops it would have seen, and so do worker
    processes that make them in any order. An epoch shows every pair once; with fewer pairs than a batch has places,
    a batch shows some of them again, cut elsewhere.

    Of several processes that share a batch, number `rank` of `ranks` makes its part: rows [rank * B / ranks, ...).
    reduce: large JPEGs are decoded at a fraction of their size (see `read_pair`): quicker, and not the same pixels.
    with_instances: instance maps come along; every pair must have one.
    channels: which channel an id lights, where that is not as in our own models.
    skip_damaged: in place of a pair that cannot be read the next one is taken; each is told of once.
    cache_bytes: decoded pairs are kept up to so many bytes, and none is thrown out for another: in an epoch each
    comes once, so the newest are of no more use than the first.
    """

    def __init__(
        self,
        pairs: list[Pair],
        label_set: LabelSet,
        rule: PlacementRule,
        batch: int,
        seed: int,
        *,
        grey_box: GreyBox | None = None,
        rank: int = 0,
        ranks: int = 1,
        reduce: bool = False,
        with_instances: bool = False,
        channels: LabelChannels | None = None,
        skip_damaged: bool = False,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.pairs, self.label_set, self.rule, self.batch, self.seed = pairs, label_set, rule, batch, seed
        self.grey_box = grey_box.for_labels(label_set) if grey_box else None
        self.rank, self.ranks, self.with_instances = rank, ranks, with_instances
        self.channels = channels or LabelChannels.of(label_set)
        self.short_side = rule.short_side if reduce else 0
        self.cache_bytes, self.skip_damaged = cache_bytes, skip_damaged
        self._damaged: set[str] = set()
        self._decoded: dict[str, tuple[Image.Image, ...]] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._orders: dict[int, np.ndarray] = {}
        if not pairs:
            raise BadImageError("There are no pairs to train on.", "Put some into the split 'train'.")
        if batch < 1 or batch % ranks:
            raise BadShapeError(
                f"A batch of {batch} cannot be shared by {ranks} processes.", "Choose a multiple of them."
            )
        if grey_box and with_instances:
            raise BadShapeError(
                "Blocked-out label maps have no instance map that fits.", "Leave out one of the two options."
            )
        lacking = [pair.name for pair in pairs if pair.instances is None] if with_instances else []
        if lacking:
            raise BadImageError(
                f"{len(lacking)} pairs have no instance map, the first is {lacking[0]}.",
                "Make them (COCO: `spade dataset instances`), or train without: --no-instances.",
            )

    def __getitem__(self, index: int) -> CropBatch:
        """Batch `index`, this process's part of it. Raises as `read_pair`, and BadShapeError where sizes differ."""
        random = np.random.default_rng((self.seed, index))
        part = self.batch // self.ranks
        rgb, ids, asked, instances = [], [], [], []
        for place in range(self.batch):
            position = index * self.batch + place
            pair = self._pair_at(position)
            if not self.rank * part <= place < (self.rank + 1) * part:
                # Another process's row: only its random numbers are drawn.
                self.rule.place(self._size(pair), random)
                continue
            photo, labels, *objects = self._readable(position)
            placement = self.rule.place(labels.size, random)
            rgb.append(placement.photo(photo))
            ids.append(placement.labels(labels))
            asked.append(self._blocked_out(ids[-1], position))
            instances += [placement.labels(each) for each in objects]
        channels = self.channels
        shown = torch.from_numpy(channels.indices(stacked(ids)))
        return CropBatch(
            index,
            torch.from_numpy(stacked(rgb)),
            torch.from_numpy(channels.indices(stacked(asked))) if self.grey_box else shown,
            shown,
            torch.from_numpy(np.stack(instances)) if instances else None,
        )

    @property
    def cached(self) -> int:
        """How many decoded pairs are kept."""
        return len(self._decoded)

    def _pair_at(self, position: int) -> Pair:
        epoch, place = divmod(position, len(self.pairs))
        if epoch not in self._orders:  # a batch may span two epochs
            order = np.random.default_rng((self.seed, _ORDER, epoch)).permutation(len(self.pairs))
            self._orders = {kept: self._orders[kept] for kept in self._orders if kept == epoch - 1}
            self._orders[epoch] = order
        return self.pairs[self._orders[epoch][place]]

    def _blocked_out(self, label_map: np.ndarray, position: int) -> np.ndarray:
        if self.grey_box is None:
            return label_map
        return self.grey_box.apply(label_map, np.random.default_rng((self.seed, _GREY_BOX, position)))

    def _size(self, pair: Pair) -> tuple[int, int]:
        if pair.name not in self._sizes:
            with Image.open(pair.labels) as labels:  # only the header is read
                self._sizes[pair.name] = labels.size
        return self._sizes[pair.name]

    def _readable(self, position: int) -> tuple[Image.Image, ...]:
        """What stands there, or, where damaged pairs are skipped, the first one behind it that can be read."""
        for further in range(len(self.pairs)):
            pair = self._pair_at(position + further)
            if pair.name in self._damaged:
                continue
            try:
                return self._read(pair)
            except SpadeError as error:
                if not self.skip_damaged:
                    raise
                self._damaged.add(pair.name)
                tell_skipped(pair, error)
        raise BadImageError("None of the pairs can be read.", "Look at the data with `spade dataset check`.")

    def _read(self, pair: Pair) -> tuple[Image.Image, ...]:
        """Photo, label map and, where wanted, instance map."""
        if pair.name in self._decoded:
            return self._decoded[pair.name]
        images: tuple[Image.Image, ...] = read_pair(pair, self.label_set, self.short_side)
        if self.with_instances and pair.instances is not None:
            objects = Image.fromarray(read_instances(pair.instances))
            if objects.size != images[1].size:
                raise instances_differ(pair, objects.size, images[1].size)
            images += (objects,)
        needed = sum(image.width * image.height * _BYTES.get(image.mode, 4) for image in images)
        if needed <= self.cache_bytes:
            self.cache_bytes -= needed
            self._decoded[pair.name] = images
        return images


def training_crop(
    photo: Image.Image, labels: Image.Image, rule: CropRule, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns rgb (size, size, 3) uint8 and ids (size, size), cut from the same place."""
    placement = rule.place(labels.size, random)
    return placement.photo(photo), placement.labels(labels)


def sound(pairs: list[Pair], label_set: LabelSet) -> list[Pair]:
    """Those that can be read; the others are told of."""
    found = []
    for pair in pairs:
        try:
            read_pair(pair, label_set)
            found.append(pair)
        except SpadeError as error:
            tell_skipped(pair, error)
    return found


def tell_skipped(pair: Pair, error: SpadeError) -> None:
    """Once a process."""
    if pair.name not in _told:
        _told.add(pair.name)
        print(f"skipped: {error.message}", file=sys.stderr, flush=True)
