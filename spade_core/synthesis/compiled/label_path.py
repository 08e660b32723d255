# SPDX-License-Identifier: Apache-2.0
"""From labels to the scales and shifts of a norm, computed once for each neighbourhood of labels.

The first convolution sees one key a pixel (keys.py): it is a sum of rows of a table, one for each place of its kernel.
The second sees what the first makes of one neighbourhood a pixel. Where most pixels have a neighbourhood of their own,
as in noise, the second is a convolution as ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...model.spade import SpadeNorm
from .convolution import Convolution
from .features import Features
from .keys import KeyMap
from .matrices import Matrix
from .patches import Patches
from .table import Table

MOST_HIDDEN = 0.5
"""Share of pixels with a neighbourhood of their own above which the second convolution sees every pixel."""
MOST_TABLE = 0.7
"""The same of the second's neighbourhoods above which its sums are taken for every pixel."""


@dataclass(frozen=True, eq=False)
class Carried:
    """Neighbourhoods that were in the label map before, too: each one's number `new`, and what it was there, `old`,
    (K,) int64; and `fresh`, (N,), the others. rows: (B, h, w) int32, each pixel's, or None. hidden: (M,), of the first
    convolution's neighbourhoods those that the fresh ones are made of: members, (N, k k), has 1 + their places in it, 0
    for what lies past the border; None where each is one."""

    new: Tensor
    old: Tensor
    fresh: Tensor
    rows: Tensor | None
    hidden: Tensor
    members: Tensor | None


class SeenLabels:
    """A label map at one scale, and its neighbourhoods. before: that of another label map, of which much may be the
    same, as where an object was moved."""

    def __init__(self, keys: KeyMap, repeat_edge: bool, before: SeenLabels | None = None) -> None:
        self.keys, self.repeat_edge = keys, repeat_edge
        self.size = keys.ids.shape
        self.before = before if before is not None and before.size == self.size else None
        self._first: dict[int, Patches] = {}
        self._second: dict[tuple[int, int], Patches] = {}
        self._changed: Tensor | None = None

    def first(self, kernel: int) -> Patches:
        """The neighbourhoods of keys."""
        if kernel not in self._first:
            self._first[kernel] = Patches.of(self.keys.ids, kernel, self.repeat_edge, MOST_HIDDEN)
        return self._first[kernel]

    def second(self, first: int, kernel: int) -> Patches:
        """The neighbourhoods of those neighbourhoods, of which there are `first`; 0 is what lies past the border."""
        if (first, kernel) not in self._second:
            ids = self.first(first).ids
            assert ids is not None
            self._second[first, kernel] = Patches.of(ids + 1, kernel, self.repeat_edge, MOST_TABLE)
        return self._second[first, kernel]

    def carried(self, first: int, kernel: int) -> Carried | None:
        """Of those that tables have a row for, by the kernels of both convolutions; None where there is none to be
        had of the label map before."""
        if self.before is None:
            return None
        patches, old = (seen._of_tables(first, kernel) for seen in (self, self.before))
        if patches is None or patches.places is None or old is None:
            return None
        reach, places = first // 2 + kernel // 2, patches.places
        changed = F.max_pool2d(self._changes(), 2 * reach + 1, 1, reach).flatten()[places] > 0
        new, fresh = (~changed).nonzero()[:, 0], changed.nonzero()[:, 0]
        there = places[new] if old.ids is None else old.ids.flatten()[places[new]].long()
        if kernel == 1:
            return Carried(new, there, fresh, patches.ids, fresh, None)
        hidden, members = patches.members[fresh].unique(return_inverse=True)
        if len(hidden) and hidden[0] == 0:
            return Carried(new, there, fresh, patches.ids, hidden[1:] - 1, members)
        return Carried(new, there, fresh, patches.ids, hidden - 1, members + 1)

    def _of_tables(self, first: int, kernel: int) -> Patches | None:
        """None where the second convolution sees every pixel, or several pictures have rows of their own."""
        patches = self.first(first)
        if kernel > 1 and patches.ids is None:
            return None
        if kernel > 1:
            patches = self.second(first, kernel)
        if patches.ids is not None:
            return patches
        return None if self.size[0] > 1 else replace(patches, places=torch.arange(len(patches.members)))

    def _changes(self) -> Tensor:
        """(B, h, w), 1 where another key is seen than before, else 0."""
        if self._changed is None:
            assert self.before is not None
            mine, others = self.keys, self.before.keys
            changed = mine.ids != others.ids
            # A mixture has another number in each label map.
            mixed = ((mine.ids >= mine.pure) & (others.ids >= others.pure)).nonzero(as_tuple=True)
            own, other = (keys.mixtures[keys.ids[mixed].long() - keys.pure] for keys in (mine, others))
            changed[mixed] = (own != other).any(1)
            self._changed = changed.float()
        return self._changed


class HiddenLabels:
    """mlp_shared: keys to hidden label features."""

    def __init__(self, layers: nn.Sequential, classes: int) -> None:
        layer = layers[0]
        assert isinstance(layer, nn.Conv2d) and layer.bias is not None
        self.kernel = layer.kernel_size[0]
        weight = layer.weight.detach().permute(1, 2, 3, 0).flatten(1, 2)  # (channels, k k, hidden)
        self._bias, self.width = layer.bias.detach(), layer.out_channels
        self._of_mixtures = Matrix(weight.flatten(1))
        pure = [weight.new_zeros(1, *weight.shape[1:]), weight[:classes]]
        if len(weight) > classes:
            pure.append(weight[:classes] + weight[classes:])
        self._of_classes = torch.cat(pure).flatten(0, 1)

    @property
    def by_rows(self) -> bool:
        """As of Matrix."""
        return self._of_mixtures.by_rows

    def rows(self, seen: SeenLabels, wanted: Tensor | None = None) -> Tensor:
        """(U, hidden): one for each neighbourhood, or for those alone that are wanted, (U,) int64."""
        mixtures = self._of_mixtures.times(seen.keys.mixtures).view(-1, self.width)
        table = torch.cat([self._of_classes, mixtures]) if len(mixtures) else self._of_classes
        members = seen.first(self.kernel).members
        return _sums(members if wanted is None else members[wanted], table, self._bias).relu_()


class ScaleShift:
    """mlp_gamma and mlp_beta: hidden label features to 1 + gamma and beta. A batch norm before them is in them, too:
    with its mean m and standard deviation s, (x - m) / s * (1 + gamma) + beta is x * scale + shift again."""

    def __init__(self, norm: SpadeNorm) -> None:
        gamma, beta = norm.mlp_gamma, norm.mlp_beta
        assert gamma.bias is not None and beta.bias is not None
        self.kernel, self.width = gamma.kernel_size[0], 2 * gamma.out_channels
        each = [layer.weight.detach().double() for layer in (gamma, beta)]
        biases = [gamma.bias.detach().double() + 1, beta.bias.detach().double()]
        batch_norm = norm.param_free_norm
        if isinstance(batch_norm, nn.BatchNorm2d):
            assert batch_norm.running_mean is not None and batch_norm.running_var is not None
            scale = torch.rsqrt(batch_norm.running_var.double() + batch_norm.eps)
            shift = batch_norm.running_mean.double() * scale
            each[1] = each[1] - each[0] * shift[:, None, None, None]
            each[0] = each[0] * scale[:, None, None, None]
            biases = [biases[0] * scale, biases[1] - biases[0] * shift]
        weight, bias = torch.cat(each).float(), torch.cat(biases).float()
        self._weight, self._of_styles = weight, weight.sum((2, 3)).T.contiguous()
        self._matrix, self._bias = Matrix(weight.permute(1, 2, 3, 0).flatten(1)), bias  # (hidden, k k width)
        self._dense = Convolution(weight, bias)

    def of_style(self, style: Tensor) -> Tensor:
        """(B, width): what hidden features that are the same everywhere, (B, hidden), add."""
        return style @ self._of_styles

    def of_styles(self, shares: Tensor, styles: Tensor, repeat_edge: bool) -> Tensor:
        """(1, width, h, w): the same where each pixel has shares, (1, K, h, w), of what K styles are, (K, hidden)."""
        reach = self.kernel // 2
        weight = torch.einsum("whyx,kh->wkyx", self._weight, styles)
        padded = F.pad(shares, (reach,) * 4, mode="replicate") if repeat_edge and reach else shares
        return F.conv2d(padded, weight, padding=0 if repeat_edge else reach)

    @property
    def by_rows(self) -> bool:
        """As of Matrix."""
        return self._matrix.by_rows

    def rows(self, hidden: Tensor, members: Tensor | None) -> Tensor:
        """As `table`, to the bit where it is `by_rows`, for some neighbourhoods of one picture: (N, width). As in
        Carried, hidden: (M, hidden), rows of `Carried.hidden`."""
        if members is None:
            return self._matrix.times(hidden) + self._bias
        return self._projected(F.pad(hidden, (0, 0, 1, 0)), members)

    def table(self, hidden: Tensor, seen: SeenLabels, first: int) -> Table:
        """hidden: (B, U, hidden), a row for each neighbourhood of the first convolution, whose kernel is `first`.

        B is 1 where all pictures have the same.
        """
        patches = seen.first(first)
        if self.kernel == 1:
            values = self._matrix.times(hidden.flatten(0, 1)) + self._bias
            return self._table(values.unflatten(0, hidden.shape[:2]), patches.ids, seen)
        if patches.ids is None:
            return self._of_all(hidden, seen)
        second = seen.second(first, self.kernel)
        members = second.members[None].expand(len(hidden), -1, -1)
        if second.ids is None and len(hidden) > 1:  # those of each picture
            members = second.members.unflatten(0, (len(hidden), -1))
        hidden = F.pad(hidden, (0, 0, 1, 0))
        values = torch.stack([self._projected(*each) for each in zip(hidden, members, strict=True)])
        return self._table(values, second.ids, seen)

    def _projected(self, hidden: Tensor, members: Tensor) -> Tensor:
        """(U, width)"""
        return _sums(members, self._matrix.times(hidden).view(-1, self.width), self._bias)

    def _of_all(self, hidden: Tensor, seen: SeenLabels) -> Table:
        pictures, height, width = seen.size
        planes = hidden.view(pictures, height, width, -1).permute(0, 3, 1, 2)
        result, _ = self._dense(Features(planes, repeat_edge=seen.repeat_edge))
        return Table(result.permute(0, 2, 3, 1).flatten(1, 2), None)

    def _table(self, values: Tensor, rows: Tensor | None, seen: SeenLabels) -> Table:
        if rows is None:  # each pixel of each picture has its own
            pictures, height, width = seen.size
            return Table(values.view(pictures, height * width, -1), None)
        return Table(values, rows)


def _sums(members: Tensor, table: Tensor, bias: Tensor) -> Tensor:
    """Sums of rows of a table, (U, C) for members, (U, places): for member m at place p the row `places` m + p."""
    places = members.shape[1]
    indices = members * places + torch.arange(places)
    if places == 1:
        return table[indices[:, 0]] + bias
    return F.embedding_bag(indices, table, mode="sum") + bias
