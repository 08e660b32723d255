# SPDX-License-Identifier: Apache-2.0
"""A picture, painted part by part as it was planned, with the result that it has as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...contract.messages import NOWHERE, Wrap
from ...model.decoder import Decoder
from ...model.layers import LEAK
from ...model.style_map import Style, StyleMap
from ..wrapping import Wrapping, around
from .labels import Labels
from .plan import Part, Planner, Run
from .reach import convolution_reach
from .region import Region

RunBlock = Callable[[int, Tensor, Tensor, Style | None, Tensor | None], Tensor]
"""(index, x, labels, style, noise): as the forward of the network's block of this index."""


class Painter:
    """Paints one picture with a decoder."""

    def __init__(
        self,
        decoder: Decoder[Any],
        wrapping: Wrapping,
        labels: Labels,
        style: Style | None,
        noise: Sequence[Tensor],
        wrap: Wrap,
        after_run: Callable[[float], None],
        run_block: RunBlock | None = None,
    ) -> None:
        """style: (1, Z), or a map of the whole picture. noise: as Decoder.draw_noise gives it for the whole picture, on
        the CPU. after_run is told which share of all the work a block's run was, and may raise to stop. run_block:
        takes the place of a block's own forward where it need not see around."""
        self._decoder, self._wrapping, self._wrap = decoder, wrapping, wrap
        self._labels, self._style, self._noise = labels, style, noise
        self._planner, self._after_run = Planner(decoder), after_run
        self._blocks, self._run_block = decoder.blocks(), run_block
        self._total = 1.0

    def paint(self, plan: Part) -> Iterator[tuple[Region, Tensor]]:
        """Regions of the picture and their images, (1, 3, h, w) in [-1, 1]; together they are all of it."""
        self._total = self._planner.work(plan)
        size = self._size(0)
        start = Region.of_all(*size)
        with self._around(start.circles(*size, self._wrap)):
            x = self._decoder.start(self._planes(start, 0), self._style_at(start, 0), size)
        yield from self._part(plan, x, start, 0)

    def _part(self, part: Part, x: Tensor, region: Region, step: int) -> Iterator[tuple[Region, Tensor]]:
        """x: the map before the part's first run, of this region at the scale `step`."""
        for run in part.runs:
            finer, _ = self._blocks[run.block]
            x = self._brought(x, region, step, run.region, finer)
            region, step = run.region, finer
            x = self._ran(run, x, step)
            self._after_run(self._planner.work_of(run) / self._total)
        for each in part.parts:
            yield from self._part(each, x, region, step)
        if not part.parts:
            yield part.region, self._image(x, region, part.region)

    def _ran(self, run: Run, x: Tensor, step: int) -> Tensor:
        circles = run.region.circles(*self._size(step), self._wrap)
        planes, noise = self._planes(run.region, step), self._noise_at(run.block, run.region)
        style = self._style_at(run.region, step)
        if self._run_block is not None and circles == NOWHERE:
            return self._run_block(run.block, x, planes, style, noise)
        with self._around(circles):
            return self._blocks[run.block][1](x, planes, style, noise)

    def _brought(self, x: Tensor, region: Region, step: int, wanted: Region, to: int) -> Tensor:
        """x, a region's map, at a finer scale, and there what is wanted of it."""
        if step < to:
            size = self._size(self._decoder.config.steps)
            coarser = wanted
            for finer in range(to, step + 1, -1):
                coarser = self._planner.coarser(coarser, finer, size, self._wrap)
            coarse = self._planner.coarser(coarser, step + 1, size, self._wrap)
            x = self._cut(coarse, x, region, step)
            circles = coarse.circles(*self._size(step), self._wrap)
            x = around(self._decoder.upsample, x, 1, circles, scale=2)
            return self._brought(x, coarse.scaled(2), step + 1, wanted, to)
        return self._cut(wanted, x, region, step).contiguous(memory_format=torch.channels_last)

    def _image(self, x: Tensor, region: Region, wanted: Region) -> Tensor:
        steps = self._decoder.config.steps
        size, layer = self._size(steps), self._decoder.conv_img
        seen = wanted.grown(convolution_reach(layer)).within(*size, self._wrap)
        x = self._cut(seen, x, region, steps)
        with self._around(seen.circles(*size, self._wrap)):
            image = torch.tanh(layer(F.leaky_relu(x, LEAK)))
        return self._cut(wanted, image, seen, steps)

    def _cut(self, wanted: Region, x: Tensor, region: Region, step: int) -> Tensor:
        return wanted.cut(x, region, region.circles(*self._size(step), self._wrap))

    def _planes(self, region: Region, step: int) -> Tensor:
        return self._labels.planes(region, 2 ** (self._decoder.config.steps - step))

    def _noise_at(self, block: int, region: Region) -> Tensor | None:
        if not self._noise:
            return None
        plane = self._noise[block]
        part = region.cut(plane, Region.of_all(*plane.shape[2:]), self._wrap)
        return part.to(self._decoder.conv_img.weight.device)

    def _style_at(self, region: Region, step: int) -> Style | None:
        style = self._style
        if not isinstance(style, StyleMap):
            return style
        times, whole = 2 ** (self._decoder.config.steps - step), Region.of_all(*style.shares.shape[2:])
        part = region.scaled(times).cut(style.shares, whole, self._wrap)
        return StyleMap(style.codes, StyleMap(style.codes, part).at(region.height, region.width))

    def _size(self, step: int) -> tuple[int, int]:
        """Of the whole picture's map."""
        times = 2 ** (self._decoder.config.steps - step)
        return self._labels.height // times, self._labels.width // times

    def _around(self, axes: Wrap) -> _Around:
        return _Around(self._wrapping, axes)


class _Around:
    """While it lasts, convolutions see around these axes."""

    def __init__(self, wrapping: Wrapping, axes: Wrap) -> None:
        self._wrapping, self._axes = wrapping, axes

    def __enter__(self) -> None:
        self._wrapping.axes = self._axes

    def __exit__(self, *_: object) -> None:
        self._wrapping.axes = NOWHERE
