# SPDX-License-Identifier: Apache-2.0
"""Label maps as one whole number a pixel: what a network sees there, all its label channels in one.

Most pixels see a class, and perhaps an instance edge. Where a coarse pixel covers several classes it sees shares of
them: such a mixture gets a key of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...model.config import LabelSampling
from ...model.semantic_input import resize_labels
from .patches import pairs

OUTSIDE = 0
"""The key of what lies past the border, where that is zeros."""


@dataclass(frozen=True, eq=False)
class KeyMap:
    """ids: (B, h, w) int32. Key 1 + c is class c, 1 + classes + c class c on an instance edge, where there are such;
    the keys behind those are mixtures: (M, channels) float32, what each of them sees."""

    ids: Tensor
    mixtures: Tensor
    classes: int
    edges: bool

    @property
    def pure(self) -> int:
        """Keys of classes, OUTSIDE counted."""
        return 1 + self.classes * (1 + self.edges)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(B, channels, h, w) of the planes in whose place it stands."""
        pictures, height, width = self.ids.shape
        return pictures, self.classes + self.edges, height, width

    @classmethod
    def of_classes(cls, ids: Tensor, classes: int, edges: Tensor | None) -> KeyMap:
        """ids: (B, h, w) channels; edges: as semantic_input.instance_edges gives them, (B, 1, h, w), or None."""
        keys = ids.int() + 1
        if edges is not None:
            keys = keys + classes * edges[:, 0].int()
        nothing = torch.zeros(0, classes + (edges is not None))
        return cls(keys.contiguous(), nothing, classes, edges is not None)

    @classmethod
    def of_planes(cls, planes: Tensor, classes: int) -> KeyMap:
        """planes: (B, channels, h, w) one-hot or shares, instance edges behind the classes; any numbers are kept."""
        edges = planes.shape[1] > classes
        most, best = planes[:, :classes].max(1)
        pure = (most == 1) & (planes[:, :classes].abs().sum(1) == 1)
        keys = best.int() + 1
        if edges:
            edge = planes[:, classes]
            keys, pure = keys + classes * (edge == 1).int(), pure & ((edge == 0) | (edge == 1))
        mixed = (~pure).nonzero(as_tuple=True)
        first = 1 + classes * (1 + edges)
        keys[mixed] = torch.arange(first, first + len(mixed[0]), dtype=torch.int32)
        mixtures = planes.permute(0, 2, 3, 1)[mixed].float()
        return cls(keys.int().contiguous(), mixtures, classes, edges)

    @classmethod
    def together(cls, parts: Sequence[KeyMap]) -> KeyMap:
        """One batch of several, all of one size."""
        first, ids, mixtures = parts[0], [], 0
        for part in parts:
            ids.append(part.ids + mixtures * (part.ids >= first.pure).int())
            mixtures += len(part.mixtures)
        return cls(torch.cat(ids), torch.cat([part.mixtures for part in parts]), first.classes, first.edges)

    def same_as(self, other: KeyMap) -> bool:
        """Whether a network sees the same."""
        return torch.equal(self.ids, other.ids) and torch.equal(self.mixtures, other.mixtures)

    def differs_from(self, other: KeyMap) -> Tensor:
        """(B, h, w) bool: where a network sees something else."""
        changed = self.ids != other.ids
        # A mixture has another number in each label map.
        mixed = ((self.ids >= self.pure) & (other.ids >= other.pure)).nonzero(as_tuple=True)
        own, others = (keys.mixtures[keys.ids[mixed].long() - keys.pure] for keys in (self, other))
        changed[mixed] = (own != others).any(1)
        return changed

    def vectors(self) -> Tensor:
        """(keys, channels): what each key sees."""
        classes = torch.eye(self.classes)
        if self.edges:
            none, one = classes.new_zeros(self.classes, 1), classes.new_ones(self.classes, 1)
            classes = torch.cat([torch.cat([classes, none], 1), torch.cat([classes, one], 1)])
        return torch.cat([classes.new_zeros(1, classes.shape[1]), classes, self.mixtures])

    def planes(self) -> Tensor:
        """(B, channels, h, w): what of_planes was given, or would have been."""
        return F.embedding(self.ids, self.vectors()).permute(0, 3, 1, 2)

    def resized(self, height: int, width: int, sampling: LabelSampling) -> KeyMap:
        """As semantic_input.resize_labels does it."""
        own = self.ids.shape[1:]
        if own == (height, width):
            return self
        if sampling == "nearest":
            rows, columns = (_nearest(old, new) for old, new in zip(own, (height, width), strict=True))
            return KeyMap(self.ids[:, rows[:, None], columns], self.mixtures, self.classes, self.edges)
        if own == (2 * height, 2 * width):
            return self._halved()
        return KeyMap.of_planes(resize_labels(self.planes(), height, width, sampling=sampling), self.classes)

    def _halved(self) -> KeyMap:
        """Each four pixels in one: their mean."""
        four = [self.ids[:, y::2, x::2] for y in (0, 1) for x in (0, 1)]
        keys = four[0].clone(memory_format=torch.contiguous_format)
        mixed = ((four[1] != keys) | (four[2] != keys) | (four[3] != keys)).nonzero(as_tuple=True)
        corners = [each[mixed].view(1, 1, -1) for each in four]
        count = len(mixed[0])
        if not count:
            return KeyMap(keys, self.mixtures, self.classes, self.edges)
        upper, lower = (pairs(*two, most=count) for two in (corners[:2], corners[2:]))
        assert upper is not None and lower is not None
        found = pairs(upper[0], lower[0], most=count)
        assert found is not None
        ids, places = found
        vectors = self.vectors()
        means = torch.stack([vectors[each.flatten()[places].long()] for each in corners]).mean(0)
        keys[mixed] = OUTSIDE
        own = (keys >= self.pure).nonzero(as_tuple=True)
        kept, numbers = keys[own].unique(return_inverse=True)
        keys[own] = numbers.int() + self.pure
        keys[mixed] = ids.flatten() + self.pure + len(kept)
        mixtures = torch.cat([self.mixtures[kept.long() - self.pure], means])
        return KeyMap(keys, mixtures, self.classes, self.edges)


def _nearest(old: int, new: int) -> Tensor:
    """Which of `old` places torch's nearest sampling takes for each of `new`."""
    places = torch.arange(old, dtype=torch.float32).view(1, 1, old)
    return F.interpolate(places, size=new, mode="nearest").flatten().long()
