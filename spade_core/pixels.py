# SPDX-License-Identifier: Apache-2.0
"""Between bytes and what networks see: (H, W, 3) uint8 on one side, (3, H, W) float in [-1, 1] on the other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def to_network(rgb: Tensor, device: torch.device) -> Tensor:
    """rgb: (B, H, W, 3) uint8; returns (B, 3, H, W) float32 in [-1, 1] on the device, channels last in memory."""
    photos = rgb.to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 127.5 - 1
    return photos.to(memory_format=torch.channels_last)


def to_rgb(image: Tensor) -> np.ndarray:
    """image: (3, H, W) in [-1, 1] on any device; returns (H, W, 3) uint8.

    Truncated, not rounded, as the published network's pictures are.
    """
    return as_array(((image + 1) * 127.5).clamp(0, 255).to(torch.uint8))


def as_array(image: Tensor) -> np.ndarray:
    """(3, H, W) on any device -> (H, W, 3), contiguous, on the CPU."""
    return image.permute(1, 2, 0).contiguous().cpu().numpy()
