# SPDX-License-Identifier: Apache-2.0
"""Where networks start from."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..model.decoder import Decoder
from ..model.spade import SpadeResBlock
from ..model.style_encoder import StyleEncoder

STYLE_SPREAD = 0.02
START_LOG_VARIANCE = -3.0
"""Of style codes: a draw stays near its mean."""
PUBLISHED_GAIN = 0.02


@torch.no_grad()
def start_from_labels(network: nn.Module) -> None:
    """Make the label map, not the style code, decide what is painted first.

    A one-hot pixel excites one input in eighteen, so torch's default makes the first label features ten times weaker
    than what a style code adds to them: such a network paints by style and position for thousands of images before it
    looks at its labels. Here label features start with unit variance, and styles with a sixth of it.
    """
    for module in network.modules():
        if isinstance(module, SpadeResBlock):
            if module.mlp_shared is not None:
                _unit_variance(module.mlp_shared[0])  # type: ignore[arg-type]
            if module.style is not None:
                nn.init.normal_(module.style.weight, std=STYLE_SPREAD)
    if isinstance(network, Decoder):
        if isinstance(network.fc, nn.Conv2d):
            _unit_variance(network.fc)
        if network.style_start is not None:
            nn.init.normal_(network.style_start.weight, std=STYLE_SPREAD)


@torch.no_grad()
def start_from_photos(encoder: StyleEncoder, photos: Tensor) -> None:
    """Make style codes differ from photo to photo as much as drawn ones do, from the first step on.

    photos: (B, 3, H, W) in [-1, 1]. torch's default gives every photo nearly the same code, drowned in the noise of its
    draw: a generator learns to ignore it, and then nothing teaches the encoder to say more.
    """
    means, _ = encoder(photos)
    centre, spread = means.mean(0), means.std(0) + 1e-6
    encoder.fc_mu.weight.div_(spread[:, None])
    encoder.fc_mu.bias.sub_(centre).div_(spread)
    nn.init.zeros_(encoder.fc_var.weight)
    nn.init.constant_(encoder.fc_var.bias, START_LOG_VARIANCE)


def _unit_variance(conv: nn.Conv2d) -> None:
    """Inside a region every tap of the kernel sees the same single one: k*k weights add up."""
    nn.init.normal_(conv.weight, std=1 / conv.kernel_size[0])


@torch.no_grad()
def start_as_published(network: nn.Module) -> None:
    """Xavier's normal, small, without biases; layers under spectral norm keep torch's weights.

    That is how the published networks start on a GPU. Spectral norm takes the scale of a weight away but not Adam's
    step: smaller weights there would be changed thirty times as fast.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            if not parametrize.is_parametrized(module, "weight"):
                nn.init.xavier_normal_(module.weight, PUBLISHED_GAIN)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
