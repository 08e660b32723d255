# SPDX-License-Identifier: Apache-2.0
"""How far a decoder's block sees: read off its convolutions, so that tiles are as much larger as they have to be."""

from __future__ import annotations

from typing import Any

from torch import nn

from ...model.decoder import Decoder, ResBlock
from ...model.interface import ImageGenerator


def is_local(generator: ImageGenerator[Any]) -> bool:
    """Whether each pixel depends on what is near it alone: then a picture can be painted in tiles.

    Not where an instance norm looks at the whole map, nor where the picture has one size.
    """
    return goes_around(generator) and generator.config.norm != "instance"


def goes_around(generator: ImageGenerator[Any]) -> bool:
    """Whether it can paint a picture whose ends meet: a decoder that starts from a label map of any size."""
    return isinstance(generator, Decoder) and generator.fixed_size is None


def block_reach(block: ResBlock) -> int:
    """Pixels of its own scale that a block sees to each side, of features or labels, whichever is more."""
    shared = convolution_reach(getattr(block, "mlp_shared", None))
    first, second, skip = (shared + _norm_reach(norm) for norm in (block.norm_0, block.norm_1, block.norm_s))
    main = max(first + convolution_reach(block.conv_0), second) + convolution_reach(block.conv_1)
    return max(main, skip + convolution_reach(block.conv_s))


def _norm_reach(norm: nn.Module | None) -> int:
    """Of a norm's label path."""
    if norm is None:
        return 0
    heads = max(
        convolution_reach(getattr(norm, "mlp_gamma", None)),
        convolution_reach(getattr(norm, "mlp_beta", None)),
    )
    return convolution_reach(getattr(norm, "mlp_shared", None)) + heads


def convolution_reach(part: nn.Module | None) -> int:
    """Of convolutions one behind the other."""
    if part is None:
        return 0
    return sum(layer.kernel_size[0] // 2 for layer in part.modules() if isinstance(layer, nn.Conv2d))
