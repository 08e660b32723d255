# SPDX-License-Identifier: Apache-2.0
"""Painting on a graphics card without waiting for it: what goes there through pinned memory, and a network's kernels
launched as one CUDA graph where a picture of the same size was painted before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..model.interface import AfterBlock
from ..model.style_map import Style, StyleMap
from ..runtime import is_out_of_memory

MOST_GRAPHS = 6
"""Kept at once; each has memory of its own for what lies between its layers."""
MOST_PIXELS = 1024**2
"""Of a batch; for more, launching kernels one by one costs next to nothing."""

Inputs = tuple[Tensor, Tensor | None, Sequence[Tensor]]
Network = Callable[..., Tensor]
Capture = Callable[[Network, Inputs], "Callable[[Inputs], Tensor]"]


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """To a device; to a graphics card without waiting until it is there."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


class Graphs:
    """A network on a graphics card. The second picture of a size is captured, further ones replay that: with the same
    bytes as the network's own, which is looked at once for each size."""

    def __init__(self, network: Network, capture: Capture | None = None) -> None:
        self._network, self._capture = network, capture or captured
        self._known: dict[Any, Callable[[Inputs], Tensor] | None] = {}

    def __call__(
        self, labels: Any, style: Style | None, noise: Sequence[Tensor], after_block: AfterBlock | None = None
    ) -> Tensor:
        """As ImageGenerator.forward. A replayed picture is done at once: after_block is not called for it."""
        if not isinstance(labels, Tensor) or isinstance(style, StyleMap):
            return self._network(labels, style, noise, after_block)
        if len(labels) * labels.shape[2] * labels.shape[3] > MOST_PIXELS:
            return self._network(labels, style, noise, after_block)
        inputs: Inputs = labels, style, noise
        kind = _kind(inputs)
        if kind not in self._known:
            self._known[kind] = None
            return self._network(labels, style, noise, after_block)
        replay = self._known.pop(kind)
        if replay is None:
            replay = self._captured(inputs)
        self._known[kind] = replay  # the last that was used
        self._drop_the_oldest()
        return replay(inputs)

    def _captured(self, inputs: Inputs) -> Callable[[Inputs], Tensor]:
        """What replays it; the network itself where that gives other bytes, or cannot be captured."""

        def alone(inputs: Inputs) -> Tensor:
            return self._network(*inputs)

        expected = alone(inputs)
        try:
            replay = self._capture(self._network, inputs)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            return alone
        return replay if torch.equal(replay(inputs), expected) else alone

    def _drop_the_oldest(self) -> None:
        kept = [kind for kind, replay in self._known.items() if replay is not None]
        for kind in kept[:-MOST_GRAPHS]:
            del self._known[kind]


def _kind(inputs: Inputs) -> Any:
    """What a capture is for: shapes, and what the network computes in."""
    labels, style, noise = inputs
    numbers = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None
    shapes = labels.shape, None if style is None else style.shape, tuple(plane.shape for plane in noise)
    return *shapes, numbers, torch.backends.cudnn.allow_tf32


def captured(network: Network, inputs: Inputs) -> Callable[[Inputs], Tensor]:
    """One run of a network as a CUDA graph, which is given its inputs in place of those of the capture."""
    labels, style, noise = inputs
    own: Inputs = labels.clone(), None if style is None else style.clone(), [plane.clone() for plane in noise]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):  # what is chosen at a first run is chosen before the capture
            network(*own)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    # Weights in bfloat16 that autocast has kept from before would be of memory that is not the graph's.
    torch.clear_autocast_cache()
    with torch.cuda.graph(graph):
        image = network(*own)
    torch.clear_autocast_cache()

    def replay(inputs: Inputs) -> Tensor:
        for mine, given in zip(_tensors(own), _tensors(inputs), strict=True):
            mine.copy_(given, non_blocking=True)
        graph.replay()
        return image.clone()  # the next picture overwrites it

    return replay


def _tensors(inputs: Inputs) -> list[Tensor]:
    labels, style, noise = inputs
    return [labels, *([] if style is None else [style]), *noise]
