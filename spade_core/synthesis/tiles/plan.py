# SPDX-License-Identifier: Apache-2.0
"""Which part of a picture each block of a decoder is run on, so that no run takes more than so much memory.

Coarse feature maps are small: the first blocks run on all of the picture, and where a block would take too much the
picture is halved, and each half goes on by itself. So every block runs on the largest part that it can, and little is
computed twice: only what a part sees beyond its ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from ...contract.messages import NOWHERE, Wrap
from ...model.decoder import Decoder, ResBlock
from .reach import block_reach, convolution_reach
from .region import Region

SMALLEST = 64
"""Pixels of a side of the picture that is not halved any more, whatever memory it takes."""
_FLOAT = 4


@dataclass(frozen=True)
class Run:
    """A block, by its index, and the region of its own scale that it runs on."""

    block: int
    region: Region


@dataclass(frozen=True)
class Part:
    """What is done for one part of the picture: `runs` one after the other, then either it is painted, or each of
    `parts` goes on from what the last run gave.

    region: the part, in pixels of the picture.
    """

    region: Region
    runs: tuple[Run, ...]
    parts: tuple[Part, ...] = ()

    def painted(self) -> Iterator[Part]:
        """Those that are painted: together all of this one."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.painted()

    def all_runs(self) -> Iterator[Run]:
        yield from self.runs
        for part in self.parts:
            yield from part.all_runs()


class Planner:
    """Plans pictures of one decoder."""

    def __init__(self, decoder: Decoder[Any]) -> None:
        self._decoder = decoder
        self._blocks = decoder.blocks()
        self._steps = [step for step, _ in self._blocks]
        self._reach = [block_reach(block) for _, block in self._blocks]
        self._bytes = [_bytes_a_pixel(decoder, block) for _, block in self._blocks]
        self._work = [_work_a_pixel(block) for _, block in self._blocks]
        self._blur = 1 if decoder.config.smooth_upsampling else 0

    def plan(self, height: int, width: int, wrap: Wrap, most_bytes: float) -> Part:
        """For a picture of multiples of the decoder's step; the root runs on all of it, and paints it where that takes
        no more than `most_bytes`."""
        return self._part(Region.of_all(height, width), 0, (height, width), wrap, most_bytes)

    def sight(self) -> int:
        """How many pixels of the picture away a label or a style can change a pixel at most: what all convolutions see
        one behind the other, on whole pixels of the start grid."""
        cell = 2**self._decoder.config.steps
        far = 2**14 * cell
        pixel = Region(far, far + 1, far, far + 1)
        seen = self._runs(pixel, 0, (2 * far, 2 * far), NOWHERE)[0].region
        seen = seen.grown(convolution_reach(self._decoder.fc)).scaled(cell)
        return max(far - seen.top, seen.bottom - far - 1)

    def whole_pixels(self, most_bytes: float) -> int:
        """Of a picture that is painted in one part."""
        final = self._decoder.config.steps
        each = max(size / 4 ** (final - step) for size, step in zip(self._bytes, self._steps, strict=True))
        return int(most_bytes / each)

    def work(self, part: Part) -> float:
        """Multiplications, to say how much is done."""
        return sum(self.work_of(run) for run in part.all_runs())

    def work_of(self, run: Run) -> float:
        return self._work[run.block] * run.region.size

    def coarser(self, region: Region, step: int, size: tuple[int, int], wrap: Wrap) -> Region:
        """What has to be known at the scale before `step` of what is looked at in `region`; size: the picture's."""
        return region.halved().grown(self._blur).within(*self._scale(size, step - 1), wrap)

    def _part(self, region: Region, first: int, size: tuple[int, int], wrap: Wrap, most_bytes: float) -> Part:
        runs = self._runs(region, first, size, wrap)
        stopped = SMALLEST >= max(region.height, region.width)
        fitting = 0
        while fitting < len(runs) and (stopped or self._bytes_of(runs[fitting]) <= most_bytes):
            fitting += 1
        if fitting == len(runs):
            return Part(region, tuple(runs))
        parts = tuple(self._part(half, first + fitting, size, wrap, most_bytes) for half in region.parts())
        return Part(region, tuple(runs[:fitting]), parts)

    def _runs(self, region: Region, first: int, size: tuple[int, int], wrap: Wrap) -> list[Run]:
        """All blocks from the first on, each where it has to run for the region of the picture to come out right."""
        needed = region.grown(convolution_reach(self._decoder.conv_img)).within(*size, wrap)
        runs: list[Run] = []
        for index in reversed(range(first, len(self._blocks))):
            step = self._steps[index]
            needed = needed.grown(self._reach[index]).within(*self._scale(size, step), wrap)
            runs.insert(0, Run(index, needed))
            for finer in range(step, self._steps[index - 1] if index else 0, -1):
                needed = self.coarser(needed, finer, size, wrap)
        return runs

    def _bytes_of(self, run: Run) -> float:
        return self._bytes[run.block] * run.region.size

    def _scale(self, size: tuple[int, int], step: int) -> tuple[int, int]:
        times = 2 ** (self._decoder.config.steps - step)
        return size[0] // times, size[1] // times


def _bytes_a_pixel(decoder: Decoder[Any], block: ResBlock) -> float:
    """Of its scale, while it runs: labels, hidden label features before and after their activation, and about seven
    maps of features (its input, the shortcut, a norm's scale, shift and sums)."""
    hidden = getattr(decoder.config, "spade_hidden", 0)
    widest = max(block.conv_0.in_channels, block.conv_1.in_channels, block.conv_1.out_channels)
    return _FLOAT * (decoder.config.input_channels + 2 * hidden + 7 * widest)


def _work_a_pixel(block: ResBlock) -> float:
    layers = [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)]
    return sum(layer.weight.numel() for layer in layers)
