# SPDX-License-Identifier: Apache-2.0
"""The label map as networks see it: one-hot planes, edges between instances, coarser scales."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import LabelSampling


def instance_edges(instance_map: Tensor) -> Tensor:
    """Where two neighbouring pixels belong to different instances.

    instance_map: (B, 1, H, W) integer ids; returns (B, 1, H, W) float, 1 on both sides of an edge.
    """
    edges = torch.zeros_like(instance_map, dtype=torch.bool)
    across = instance_map[..., :, 1:] != instance_map[..., :, :-1]
    down = instance_map[..., 1:, :] != instance_map[..., :-1, :]
    edges[..., :, 1:] |= across
    edges[..., :, :-1] |= across
    edges[..., 1:, :] |= down
    edges[..., :-1, :] |= down
    return edges.float()


def one_hot(label_map: Tensor, label_channels: int, instance_map: Tensor | None = None) -> Tensor:
    """Semantic input of the generator.

    label_map: (B, H, W) integer channel indices below label_channels. instance_map: (B, H, W) ids or None.
    Returns (B, label_channels [+ 1], H, W) float32: the one-hot planes, then the instance edges.
    """
    batch, height, width = label_map.shape
    planes = torch.zeros(batch, label_channels, height, width, device=label_map.device)
    planes.scatter_(1, label_map.long()[:, None], 1.0)
    if instance_map is None:
        return planes
    return torch.cat([planes, instance_edges(instance_map[:, None])], dim=1)


def resize_labels(labels: Tensor, height: int, width: int, *, sampling: LabelSampling = "nearest") -> Tensor:
    """One-hot planes at another size; (B, C, H, W) -> (B, C, height, width).

    "nearest" picks pixels by floor(i * scale), as the published network does; "area" averages what a pixel covers.
    """
    if labels.shape[-2:] == (height, width):
        return labels
    return F.interpolate(labels, size=(height, width), mode=sampling)
