# SPDX-License-Identifier: Apache-2.0
"""From labels to the scales and shifts of a norm, computed once for each neighbourhood of labels.

The first convolution sees one key a pixel (keys.py): it is a sum of rows of a table, one for each place of its kernel.
The second sees what the first makes of one neighbourhood a pixel. Where most pixels have a neighbourhood of their own,
as in noise, the second is a convolution as ever.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...model.convolution.convolution import Convolution
from ...model.convolution.features import Features
from ...model.convolution.matrices import Matrices, sums_of_rows
from ...model.spade import SpadeNorm
from .changes import MOST_CHANGED, Changes, within
from .keys import KeyMap
from .patches import Patches
from .table import Table

MOST_HIDDEN = 0.5
"""Share of pixels with a neighbourhood of their own above which the second convolution sees every pixel."""
MOST_TABLE = 0.7
"""The same of the second's neighbourhoods above which its sums are taken for every pixel."""
FEW_PIXELS = 256
"""So few are computed one by one whatever they see: a convolution's larger weights take longer to read."""


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
        self._at_most: dict[tuple[int, int], int | None] = {}
        self._changes: dict[tuple[int, int], Changes] = {}

    def first(self, kernel: int) -> Patches:
        """The neighbourhoods of keys."""
        if kernel not in self._first:
            self._first[kernel] = Patches.of(
                self.keys.ids, kernel, self.repeat_edge, self._share(MOST_HIDDEN)
            )
        return self._first[kernel]

    def second(self, first: int, kernel: int) -> Patches:
        """The neighbourhoods of those neighbourhoods, of which there are `first`; 0 is what lies past the border."""
        if (first, kernel) not in self._second:
            ids = self.first(first).ids
            assert ids is not None
            self._second[first, kernel] = Patches.of(
                ids + 1, kernel, self.repeat_edge, self._share(MOST_TABLE)
            )
        return self._second[first, kernel]

    def _share(self, most: float) -> float:
        return 1.0 if self.keys.ids.numel() <= FEW_PIXELS else most

    def by_rows(self, first: int, kernel: int) -> tuple[bool, bool]:
        """Whether different neighbourhoods are so few that pixels share rows: of the first convolution's results, and
        of the second's. What first and second say, but found out sooner where little has changed."""
        if not self._are_few(first, 1, MOST_HIDDEN):
            return False, False
        return True, kernel == 1 or self._are_few(first, kernel, MOST_TABLE)

    def _are_few(self, first: int, kernel: int, share: float) -> bool:
        kind = first, kernel
        if kind not in self._at_most:
            self._at_most[kind] = self._count(first, kernel, int(self._share(share) * self.keys.ids.numel()))
        return self._at_most[kind] is not None

    def _count(self, first: int, kernel: int, most: int) -> int | None:
        """Of different neighbourhoods, or more; None where there are more than `most`."""
        known = None if self.before is None or self.size[0] > 1 else self.before._at_most.get((first, kernel))
        if known is not None:
            at_most = known + len(within(self.changed, first // 2 + kernel // 2))
            if at_most <= most:
                return at_most
        patches = self.first(first) if kernel == 1 else self.second(first, kernel)
        return None if patches.ids is None else patches.count

    @property
    def is_much_like_before(self) -> bool:
        """Whether it has much in common with the one before."""
        if self.before is None or self.size[0] > 1:
            return False
        return bool(self.changed.sum() <= MOST_CHANGED * self.changed.numel())

    def is_like_before(self, first: int, kernel: int) -> bool:
        """Whether it is that, and is computed in the same way, by the kernels of both convolutions."""
        if self.before is None or not self.is_much_like_before:
            return False
        return self.by_rows(first, kernel) == self.before.by_rows(first, kernel)

    def changes(self, first: int, kernel: int) -> Changes:
        """What it has that the one before had not, where it is like that."""
        kind = first, kernel
        if kind not in self._changes:
            self._changes[kind] = Changes.of(self.keys.ids, self.changed, *kind, self.repeat_edge)
        return self._changes[kind]

    @property
    def changed(self) -> Tensor:
        """(B, h, w) bool: where another key is seen than before."""
        if self._changed is None:
            assert self.before is not None
            self._changed = self.keys.differs_from(self.before.keys)
        return self._changed


class HiddenLabels:
    """mlp_shared: keys to hidden label features."""

    def __init__(self, layers: nn.Sequential, classes: int) -> None:
        layer = layers[0]
        assert isinstance(layer, nn.Conv2d) and layer.bias is not None
        self.kernel = layer.kernel_size[0]
        weight = layer.weight.detach().permute(1, 2, 3, 0).flatten(1, 2)  # (channels, k k, hidden)
        self._bias, self.width = layer.bias.detach(), layer.out_channels
        of_mixtures = weight.flatten(1)[:, None]
        self._of_mixtures = Matrices(of_mixtures, of_mixtures.new_zeros(of_mixtures.shape[2]))
        pure = [weight.new_zeros(1, *weight.shape[1:]), weight[:classes]]
        if len(weight) > classes:
            pure.append(weight[:classes] + weight[classes:])
        self._of_classes = torch.cat(pure).flatten(0, 1)

    @property
    def by_rows(self) -> bool:
        """As of Matrices."""
        return self._of_mixtures.by_rows

    def rows(self, seen: SeenLabels) -> Tensor:
        """(U, hidden): one for each neighbourhood."""
        return self._rows(seen.first(self.kernel).members, seen.keys.mixtures)

    def some_rows(self, members: Tensor, keys: KeyMap) -> Tensor:
        """As rows, to the bit where it is `by_rows`, of neighbourhoods of keys, (U, k k) int64: (U, hidden)."""
        mixed = members >= keys.pure
        used, places = members[mixed].unique(return_inverse=True)
        members = members.masked_scatter(mixed, places + keys.pure)
        return self._rows(members, keys.mixtures[used - keys.pure])

    def _rows(self, members: Tensor, mixtures: Tensor) -> Tensor:
        table = self._of_classes
        if len(mixtures):
            table = torch.cat([table, self._of_mixtures.sums(mixtures).view(-1, self.width)])
        return sums_of_rows(members, table, self._bias).relu_()


class ScaleShift:
    """mlp_gamma and mlp_beta: hidden label features to 1 + gamma and beta. A batch norm before them is in them, too:
    with its mean m and standard deviation s, (x - m) / s * (1 + gamma) + beta is x * scale + shift again."""

    def __init__(self, norms: Sequence[SpadeNorm]) -> None:
        """Of several norms that see the same hidden features one behind the other."""
        each = [_folded(norm) for norm in norms]
        weight, bias = (torch.cat([both[index] for both in each]).float() for index in (0, 1))
        self.kernel, self.width = norms[0].mlp_gamma.kernel_size[0], len(weight)
        self._weight, self._of_styles = weight, weight.sum((2, 3)).T.contiguous()
        self._matrices = Matrices(weight.permute(1, 2, 3, 0).flatten(1, 2), bias)
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
        """As of Matrices."""
        return self._matrices.by_rows

    def rows(self, hidden: Tensor, members: Tensor | None, bfloat16: bool) -> Tensor:
        """As `table`, to the bit where it is `by_rows`, for some neighbourhoods of one picture: (N, width). hidden:
        (M, hidden), rows of the first convolution; members: as of Changes."""
        hidden = hidden if members is None else F.pad(hidden, (0, 0, 1, 0))
        return self._matrices.sums(hidden, members, bfloat16=bfloat16)

    def table(self, hidden: Tensor, seen: SeenLabels, first: int, bfloat16: bool) -> Table:
        """hidden: (B, U, hidden), a row for each neighbourhood of the first convolution, whose kernel is `first`.
        bfloat16: whether factors may be rounded to that.

        B is 1 where all pictures have the same.
        """
        patches = seen.first(first)
        if self.kernel == 1:
            values = self._matrices.sums(hidden.flatten(0, 1), bfloat16=bfloat16)
            return self._table(values.unflatten(0, hidden.shape[:2]), patches.ids, seen)
        if patches.ids is None:
            return self._of_all(hidden, seen, bfloat16)
        second = seen.second(first, self.kernel)
        members = second.members[None].expand(len(hidden), -1, -1)
        if second.ids is None and len(hidden) > 1:  # those of each picture
            members = second.members.unflatten(0, (len(hidden), -1))
        pairs = zip(hidden, members, strict=True)
        values = [self.rows(rows, each, bfloat16) for rows, each in pairs]
        return self._table(values[0][None] if len(values) == 1 else torch.stack(values), second.ids, seen)

    def _of_all(self, hidden: Tensor, seen: SeenLabels, bfloat16: bool) -> Table:
        pictures, height, width = seen.size
        planes = hidden.view(pictures, height, width, -1).permute(0, 3, 1, 2)
        result, _ = self._dense(Features(planes, repeat_edge=seen.repeat_edge), bfloat16=bfloat16)
        return Table(result.permute(0, 2, 3, 1).flatten(1, 2), None)

    def tile_of(self, height: int, width: int) -> int:
        """The side of the tiles that a map of this size is convolved in."""
        return self._dense.tile_of(height, width)

    def part(self, hidden: Tensor, repeat_edge: bool, of_size: tuple[int, int], bfloat16: bool) -> Tensor:
        """(h, w, width), from every pixel's hidden features, (h, w, hidden): of a part of a map of this size that
        begins at the corner of a tile."""
        features = Features(hidden.permute(2, 0, 1)[None], repeat_edge=repeat_edge)
        tile = self._dense.tile_of(*of_size)
        return self._dense(features, tile=tile, bfloat16=bfloat16)[0][0].permute(1, 2, 0)

    def _table(self, values: Tensor, rows: Tensor | None, seen: SeenLabels) -> Table:
        if rows is None:  # each pixel of each picture has its own
            pictures, height, width = seen.size
            return Table(values.view(pictures, height * width, -1), None)
        return Table(values, rows)


def _folded(norm: SpadeNorm) -> tuple[Tensor, Tensor]:
    """Weights and biases of 1 + gamma and of beta, float64."""
    gamma, beta = norm.mlp_gamma, norm.mlp_beta
    assert gamma.bias is not None and beta.bias is not None
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
    return torch.cat(each), torch.cat(biases)
