# SPDX-License-Identifier: Apache-2.0
"""What a network is made of: frozen, JSON-able, saved beside the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Upsampling = Literal["normal", "more", "most"]

ParamFreeNorm = Literal["batch", "syncbatch", "instance", "pixel"]
"""The paper's three; and "pixel": each pixel's features brought to zero mean and unit variance over the channels. That
one knows neither the batch nor the rest of the picture: it paints the same when trained, served, and cut into tiles."""

DecoderStart = Literal["labels", "style", "labels+style"]

LabelSampling = Literal["nearest", "area"]

UPSAMPLING_STEPS: dict[str, int] = {"normal": 5, "more": 6, "most": 7}


@dataclass(frozen=True)
class ImageGeneratorConfig:
    """What every generator has; each kind of generator adds what it is made of.

    label_channels counts every class channel of the one-hot input, the don't-care channel included;
    instance_edges adds one channel behind them.
    """

    kind: ClassVar[str]
    """The name of this kind of generator in files."""

    label_channels: int
    instance_edges: bool = False
    spectral: bool = True
    """False where the spectral norm is folded into the weights, as in the averaged weights that are served."""
    style_size: int = 0
    """Numbers in the style code; 0 for a network without one."""

    @property
    def input_channels(self) -> int:
        return self.label_channels + int(self.instance_edges)


@dataclass(frozen=True)
class DecoderConfig(ImageGeneratorConfig):
    """A start grid, and residual blocks between doublings (paper, figure 4 right). Its kinds differ in how the blocks
    see the label map.

    start says what the coarsest feature map is made from: "labels" (a convolution of the down-sampled
    label map, the published network without style), "style" (a linear of the style code, tied to
    start_grid: the published VAE network, and the "random input" of the paper's table 4) or "labels+style" (both, at
    any size: our own models).
    """

    base_width: int = 64
    max_width: int = 1024
    upsampling: Upsampling = "normal"
    norm: ParamFreeNorm = "syncbatch"
    start: DecoderStart = "labels"
    start_grid: tuple[int, int] | None = None
    """(rows, columns) of the coarsest feature map; None: as many as the label map asks for."""
    # Our own models' additions; the published network has none of them.
    noise: bool = False
    """Seeded noise with learned strength enters every block: uniform regions do not come out flat."""
    smooth_upsampling: bool = False
    """Bilinear in place of nearest: no dots every few pixels."""
    replicate_padding: bool = False
    """Convolutions see the edge repeated and not zeros: nothing tells them how far the border is, so no frame, and no
    rings around it in regions larger than the training squares."""
    label_sampling: LabelSampling = "nearest"
    """How a coarser scale sees the label map: single pixels of it, as published, or "area": each class's share of what
    a coarse pixel covers, so that borders lie between pixels and thin things do not vanish."""

    @property
    def steps(self) -> int:
        """How often the coarsest feature map is doubled on the way to the image."""
        return UPSAMPLING_STEPS[self.upsampling]

    def width(self, multiple: float) -> int:
        """Channels of a stage that the paper gives `multiple` times the base width."""
        return min(int(self.base_width * multiple), self.max_width)
