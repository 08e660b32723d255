# SPDX-License-Identifier: Apache-2.0
"""The compiled generator: the same weights, the same pictures to rounding, on a processor in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ...model.convolution.convolution import Convolution
from ...model.convolution.features import Doubling, Features
from ...model.convolution.library import library
from ...model.interface import AfterBlock, ImageGenerator
from ...model.layers import LEAK
from ...model.semantic_input import instance_edges
from ...model.spade import Generator, GeneratorConfig, SpadeResBlock
from ...model.style_map import Style
from .block import CompiledBlock
from .keys import KeyMap
from .label_path import SeenLabels

MOST_KEPT = 2**28
"""Bytes of tables that are kept for the next picture of the same label map."""


class CompiledGenerator:
    """A SPADE generator in eval mode, compiled. Weights are taken as they are now.

    after_band is called every so often while a large map is computed, and may raise to stop.
    """

    def __init__(self, network: Generator) -> None:
        config: GeneratorConfig = network.config
        self._network, self._config = network, config
        self._doubling: Doubling = "bilinear" if config.smooth_upsampling else "nearest"
        self._blocks = [(step, CompiledBlock(config, block)) for step, block in _spade_blocks(network)]
        self._image = Convolution.of(network.conv_img)
        self._seen: KeyMap | None = None
        self._kept_scales: dict[int, SeenLabels] = {}
        self.after_band: Callable[[], None] = _go_on
        self._bfloat16 = False

    @classmethod
    def inside(cls, network: ImageGenerator[Any], device: torch.device) -> CompiledGenerator | None:
        """Has a network computed by its compiled form from now on, where no gradients are wanted. Spectral norms are
        folded into its weights.

        None for other networks and devices, and where there is no compiler.
        """
        if not isinstance(network, Generator) or device.type != "cpu" or library() is None:
            return None
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d) and parametrize.is_parametrized(layer, "weight"):
                parametrize.remove_parametrizations(layer, "weight")
        compiled = cls(network)
        network.forward = partial(compiled._forward, network.forward)  # type: ignore[method-assign]
        return compiled

    @contextmanager
    def multiplying(self, numbers: str) -> Iterator[None]:
        """Has features and labels multiplied by weights in "bfloat16" meanwhile, or in float32 where it is "". What is
        kept of labels is used again for the same alone."""
        self._bfloat16 = numbers == "bfloat16"
        try:
            yield
        finally:
            self._bfloat16 = False

    def keys(self, planes: Tensor) -> KeyMap:
        """planes: (B, input_channels, H, W), as the network takes them."""
        return KeyMap.of_planes(planes, self._config.label_channels)

    def keys_of_classes(self, classes: Tensor, instances: Tensor | None) -> KeyMap:
        """classes: (B, H, W) label channels; instances: (B, H, W), a whole number an object, or None."""
        edges = None if instances is None else instance_edges(instances[:, None])
        return KeyMap.of_classes(classes, self._config.label_channels, edges)

    def _forward(
        self,
        plain: Callable[..., Tensor],
        labels: Tensor | KeyMap,
        style: Style | None = None,
        noise: Sequence[Tensor] | None = None,
        after_block: AfterBlock | None = None,
    ) -> Tensor:
        """As Generator.forward."""
        if torch.is_grad_enabled():
            return plain(labels, style, noise, after_block)
        pictures, _, height, width = labels.shape
        if style is None and self._config.style_size:
            style = torch.randn(pictures, self._config.style_size)
        if noise is None:
            noise = self._network.draw_noise(pictures, height, width)
        keys = labels if isinstance(labels, KeyMap) else self.keys(labels)
        return self(keys, style, noise, after_block)

    @torch.inference_mode()
    def run_block(
        self, index: int, x: Tensor, labels: Tensor, style: Style | None, noise: Tensor | None
    ) -> Tensor:
        """As the forward of the network's block of this index: of any part of a picture."""
        block = self._blocks[index][1]
        self._forget()
        seen = SeenLabels(self.keys(labels), self._config.replicate_padding)
        x = x.contiguous(memory_format=torch.channels_last)
        table = block.table(seen, style, 0, self._bfloat16)
        return block(x, "none", table, noise, self.after_band, self._bfloat16)

    def _forget(self) -> None:
        self._seen, self._kept_scales = None, {}
        for _, block in self._blocks:
            block.forget()

    @torch.inference_mode()
    def __call__(
        self,
        labels: KeyMap,
        style: Style | None,
        noise: Sequence[Tensor],
        after_block: AfterBlock | None = None,
    ) -> Tensor:
        """As Generator.forward: (B, 3, H', W') in [-1, 1]. noise: empty for a network without."""
        network, config = self._network, self._config
        rows, columns = network.grid(*labels.ids.shape[1:])
        if self._seen is None or not self._seen.same_as(labels):
            self._kept_scales = self._scales(labels, rows, columns)
        self._seen, scales = labels, self._kept_scales
        x = network.start(scales[0].keys.planes(), style, (rows, columns))
        x = x.contiguous(memory_format=torch.channels_last)
        done = taken = 0
        for index, (step, block) in enumerate(self._blocks):
            doubling: Doubling = self._doubling if step > done else "none"
            done = step
            plane = noise[index].to(x.dtype) if noise else None
            table = block.table(scales[step], style, MOST_KEPT - taken, self._bfloat16)
            taken += block.kept_bytes
            x = block(x, doubling, table, plane, self.after_band, self._bfloat16)
            if after_block is not None:
                after_block(index)
        for scale in scales.values():
            scale.before = None  # all there was in common is in the tables now
        seen = Features(x, slope=LEAK, repeat_edge=config.replicate_padding)
        return torch.tanh_(self._image(seen, self.after_band, bfloat16=self._bfloat16)[0])

    def _scales(self, labels: KeyMap, rows: int, columns: int) -> dict[int, SeenLabels]:
        """The label map as each step sees it, beside the one before."""
        for seen in self._kept_scales.values():
            seen.before = None  # of a picture that was stopped
        found, keys, steps = {}, labels, self._config.steps
        sampling = self._config.label_sampling
        # Means of means are means, where each is of four whole pixels.
        halves = sampling == "area" and labels.ids.shape[1:] == (rows << steps, columns << steps)
        before = self._kept_scales
        for step in range(steps, -1, -1):
            keys = (keys if halves else labels).resized(rows << step, columns << step, sampling)
            found[step] = SeenLabels(keys, self._config.replicate_padding, before.get(step))
            if not found[step].is_much_like_before:  # then coarser ones are not either
                before = {}
        return found


def _spade_blocks(network: Generator) -> Iterator[tuple[int, SpadeResBlock]]:
    for step, block in network.blocks():
        assert isinstance(block, SpadeResBlock)
        yield step, block


def _go_on() -> None:
    """Until somebody wants to be asked."""
