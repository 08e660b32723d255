# SPDX-License-Identifier: Apache-2.0
"""A compiled residual block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...model.convolution.convolution import Convolution, Shortcut
from ...model.convolution.features import EPS, Doubling, Features
from ...model.layers import LEAK
from ...model.norms import PixelNorm
from ...model.spade import GeneratorConfig, SpadeNorm, SpadeResBlock
from ...model.style_map import Style, StyleMap
from .changes import Changes, box_of
from .label_path import HiddenLabels, ScaleShift, SeenLabels
from .patches import neighbourhoods
from .table import Table, side_by_side


class CompiledBlock:
    """A residual block. What the last label map gave is kept until `forget`: for the same again, and for what the next
    has in common with it."""

    def __init__(self, config: GeneratorConfig, block: SpadeResBlock) -> None:
        norms = [block.norm_0, *([] if block.norm_s is None else [block.norm_s]), block.norm_1]
        each = [norm for norm in norms if isinstance(norm, SpadeNorm)]
        if block.mlp_shared is not None:
            sides = [_NormSide(HiddenLabels(block.mlp_shared, config.label_channels), each)]
        else:
            sides = [_NormSide.alone(norm, config.label_channels) for norm in each]
        self._sides, self._width_of_first = sides, 2 * (len(each) - 1) * block.conv_0.in_channels
        self._style = block.style
        self._uniform = all(side.scale_shift.kernel == 1 for side in sides) or config.replicate_padding
        self._norm, self._repeat_edge = block.norm_0.param_free_norm, config.replicate_padding
        # An instance norm brings what differs in a flat map to a spread of one, were it rounding errors: it needs a
        # convolution that gives the same everywhere if it sees the same.
        by_tiles = config.norm != "instance"
        self._conv_0, self._conv_1 = (
            Convolution.of(layer, by_tiles) for layer in (block.conv_0, block.conv_1)
        )
        self._shortcut = None if block.conv_s is None else Shortcut(block.conv_s)
        strength = block.noise_strength
        self._strength = None if strength is None else strength.detach().flatten().contiguous()
        self._kept: Table | None = None
        self._kept_of: tuple[SeenLabels, bool] | None = None
        """Its label map, and whether it is in bfloat16."""
        self._kernels = sides[0].kernels
        self._by_rows = all(side.by_rows for side in sides)

    @property
    def kept_bytes(self) -> int:
        return 0 if self._kept is None else self._kept.bytes

    def forget(self) -> None:
        self._kept = self._kept_of = None

    def table(self, seen: SeenLabels, style: Style | None, room: int, bfloat16: bool) -> Table:
        """For the label map at this block's scale: of the first layer, that of the shortcut included, and behind it of
        the second. style: (B, Z), or a map. room: bytes that may be kept. bfloat16: as a convolution takes it."""
        if self._style is not None and isinstance(style, StyleMap):
            return self._styled(self._of_labels(seen, room, bfloat16), seen, self._style, style)
        of_style = None if self._style is None or not isinstance(style, Tensor) else self._style(style)
        if of_style is not None and not self._uniform:  # the style's share is another at the border
            return self._afresh(seen, of_style, bfloat16)
        found = self._of_labels(seen, room, bfloat16)
        return found if of_style is None else replace(found, added=self._of_style(of_style))

    def _of_style(self, of_style: Tensor) -> Tensor:
        """(B, S), from (B, hidden): what a style adds to every row."""
        return torch.cat([side.scale_shift.of_style(of_style) for side in self._sides], 1)

    def _of_labels(self, seen: SeenLabels, room: int, bfloat16: bool) -> Table:
        """Without a style."""
        found = self._kept
        if found is None or self._kept_of != (seen, bfloat16):
            found = self._changed(seen, bfloat16) or self._afresh(seen, None, bfloat16)
            self._kept, self._kept_of = (found, (seen, bfloat16)) if found.bytes <= room else (None, None)
        return found

    def _styled(self, table: Table, seen: SeenLabels, layer: nn.Linear, style: StyleMap) -> Table:
        """With what each pixel's style adds."""
        height, width = seen.size[1:]
        shares, codes = style.at(height, width), style.of_layer(layer)
        if all(side.scale_shift.kernel == 1 for side in self._sides):
            found = table.mixed(shares, self._of_style(codes))
            if found is not None:
                return found
        each = [side.scale_shift.of_styles(shares, codes, seen.repeat_edge) for side in self._sides]
        return table.shifted(torch.cat(each, 1))

    def _afresh(self, seen: SeenLabels, of_style: Tensor | None, bfloat16: bool) -> Table:
        return side_by_side([side.table(seen, of_style, bfloat16) for side in self._sides])

    def _changed(self, seen: SeenLabels, bfloat16: bool) -> Table | None:
        """As _afresh, to the bit, made of the table of the label map before, where that is kept."""
        table, kept_of = self._kept, self._kept_of
        self.forget()  # it is written into
        if table is None or not self._by_rows or seen.before is None or kept_of != (seen.before, bfloat16):
            return None
        if not seen.is_like_before(*self._kernels):
            return None
        if self._kernels[1] > 1 and not seen.by_rows(*self._kernels)[0]:
            return self._with_part(table, seen, bfloat16)
        changes = seen.changes(*self._kernels)
        return table.changed(
            changes, torch.cat([side.rows(seen, changes, bfloat16) for side in self._sides], 1)
        )

    def _with_part(self, table: Table, seen: SeenLabels, bfloat16: bool) -> Table:
        """A table of every pixel's own, of which a part is convolved anew."""
        reach = sum(kernel // 2 for kernel in self._kernels)
        height, width = seen.size[1:]
        tile = max(side.scale_shift.tile_of(height, width) for side in self._sides)
        inner, outer = (box_of(seen.changed, margin, tile) for margin in (reach, reach + tile))
        rows, columns = (torch.arange(*outer[side : side + 2]) for side in (0, 2))
        places = (rows[:, None] * width + columns).flatten()
        each = [side.part(seen, places, (len(rows), len(columns)), bfloat16) for side in self._sides]
        top, left = inner[0] - outer[0], inner[2] - outer[2]
        part = torch.cat(each, 2)[top : top + inner[1] - inner[0], left : left + inner[3] - inner[2]]
        table.values.view(height, width, -1)[inner[0] : inner[1], inner[2] : inner[3]] = part
        return table

    def __call__(
        self,
        x: Tensor,
        doubling: Doubling,
        table: Table,
        noise: Tensor | None,
        after_band: Callable[[], None],
        bfloat16: bool,
    ) -> Tensor:
        """x: (B, fan_in, h, w), channels_last; noise: (B, 1, H, W). bfloat16: as a convolution takes it. Returns
        (B, fan_out, H, W)."""
        features = self._features(x, table.columns(0, self._width_of_first), doubling, noise)
        dx, skip = self._conv_0(features, after_band, shortcut=self._shortcut, skip=True, bfloat16=bfloat16)
        features = self._features(dx, table.columns(self._width_of_first, None))
        return self._conv_1(features, after_band, added=skip, bfloat16=bfloat16)[0]

    def _features(
        self, x: Tensor, table: Table, doubling: Doubling = "none", noise: Tensor | None = None
    ) -> Features:
        of = Features(
            x, doubling, noise, self._strength, table=table, slope=LEAK, repeat_edge=self._repeat_edge
        )
        if isinstance(self._norm, PixelNorm):
            return of.with_norm("pixel")
        if isinstance(self._norm, nn.BatchNorm2d):  # it is in the table
            return of
        # Every pixel four times has the same spread; what is smoothed, or has noise, has another.
        if doubling == "bilinear" or noise is not None:
            whole = of.with_noise().contiguous(memory_format=torch.channels_last)
            of = Features(whole, table=table, slope=LEAK, repeat_edge=self._repeat_edge)
        # From one pixel on: what is left of a flat map would be the rounding error of its mean, times 300.
        one = of.x[:, :, :1, :1]
        variance, mean = torch.var_mean(of.x - one, (2, 3), correction=0)
        return of.with_norm("channel", (mean + one[:, :, 0, 0], torch.rsqrt(variance + EPS)))


class _NormSide:
    """The label side of a norm, or of several that see the same hidden features."""

    def __init__(self, hidden: HiddenLabels, norms: Sequence[SpadeNorm]) -> None:
        self._hidden, self.scale_shift = hidden, ScaleShift(norms)

    @classmethod
    def alone(cls, norm: SpadeNorm, classes: int) -> _NormSide:
        assert norm.mlp_shared is not None
        return cls(HiddenLabels(norm.mlp_shared, classes), [norm])

    @property
    def kernels(self) -> tuple[int, int]:
        """Of both convolutions."""
        return self._hidden.kernel, self.scale_shift.kernel

    @property
    def by_rows(self) -> bool:
        """Whether `rows` gives what `table` does to the bit."""
        return self._hidden.by_rows and self.scale_shift.by_rows

    def rows(self, seen: SeenLabels, changes: Changes, bfloat16: bool) -> Tensor:
        """(U, width): rows of the table, of what was not there before."""
        hidden = self._hidden.some_rows(changes.hidden, seen.keys)
        return self.scale_shift.rows(hidden, changes.members, bfloat16)

    def part(self, seen: SeenLabels, places: Tensor, size: tuple[int, int], bfloat16: bool) -> Tensor:
        """(h, w, width): the scales and shifts of a part of this size, of which `places` are the pixels, (h w,) of all
        of the map. What lies beyond the part counts as the map's border does."""
        members = neighbourhoods(seen.keys.ids, places, self._hidden.kernel, seen.repeat_edge)
        hidden = self._hidden.some_rows(members, seen.keys).unflatten(0, size)
        return self.scale_shift.part(hidden, seen.repeat_edge, (seen.size[1], seen.size[2]), bfloat16)

    def table(self, seen: SeenLabels, of_style: Tensor | None, bfloat16: bool) -> Table:
        """of_style: (B, hidden), added to the hidden features."""
        hidden = self._hidden
        rows = hidden.rows(seen)[None]
        if of_style is not None:
            if seen.first(hidden.kernel).ids is None:
                rows = rows.unflatten(1, (len(of_style), -1))[0]
            rows = rows + of_style[:, None]
        return self.scale_shift.table(rows, seen, hidden.kernel, bfloat16)
