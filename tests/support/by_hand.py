# SPDX-License-Identifier: Apache-2.0
"""The published generator, style encoder and discriminator written down once more from their description.

Plain functions of tensors under the published names and of the published options: what they share with the product is
torch alone. In double precision, they say what any variant computes, recorded or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Options = Mapping[str, Any]
STEPS = {"normal": 5, "more": 6, "most": 7}


class Weights:
    """A published state dict that remembers which of its tensors were read."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self.state, self.read = state, set[str]()

    def __call__(self, key: str) -> Tensor:
        self.read.add(key)
        return self.state[key]

    def has(self, key: str) -> bool:
        return key in self.state

    @property
    def unread(self) -> set[str]:
        return {key for key in self.state if not key.endswith("num_batches_tracked")} - self.read

    def conv(self, x: Tensor, name: str, **how: int) -> Tensor:
        if self.has(f"{name}.weight_orig"):
            kernel = self(f"{name}.weight_orig")
            sigma = self(f"{name}.weight_u") @ kernel.flatten(1) @ self(f"{name}.weight_v")
            kernel = kernel / sigma
        else:
            kernel = self(f"{name}.weight")
        return F.conv2d(x, kernel, self(f"{name}.bias") if self.has(f"{name}.bias") else None, **how)

    def norm(self, x: Tensor, name: str) -> Tensor:
        """Batch norm where statistics are stored, with scale and shift where there are some; else instance norm."""
        if not self.has(f"{name}.running_mean"):
            spread, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
            return (x - mean) / (spread + 1e-5).sqrt()
        mean, spread = (self(f"{name}.{part}")[:, None, None] for part in ("running_mean", "running_var"))
        x = (x - mean) / (spread + 1e-5).sqrt()
        if not self.has(f"{name}.weight"):
            return x
        return x * self(f"{name}.weight")[:, None, None] + self(f"{name}.bias")[:, None, None]


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def picked(x: Tensor, height: int, width: int) -> Tensor:
    """Nearest in the old way: the pixel at floor(i * old / new)."""
    rows = torch.arange(height) * x.shape[2] // height
    columns = torch.arange(width) * x.shape[3] // width
    return x[:, :, rows][..., columns]


def semantics(options: Options, label_map: Tensor, instances: Tensor) -> Tensor:
    """label_map, instances: (B, H, W). One-hot classes, "don't care", then edges: (B, channels, H, W) double."""
    classes = options["label_nc"] + options["contain_dontcare_label"]
    planes = [label_map == channel for channel in range(classes)]
    if not options["no_instance"]:
        around = F.pad(instances[:, None].double(), (1, 1, 1, 1), "replicate")[:, 0].long()
        neighbours = (around[:, 1:-1, 2:], around[:, 1:-1, :-2], around[:, 2:, 1:-1], around[:, :-2, 1:-1])
        planes.append(torch.stack([instances != other for other in neighbours]).any(0))
    return torch.stack(planes, dim=1).double()


def start_grid(options: Options) -> tuple[int, int]:
    columns = options["crop_size"] // 2 ** STEPS[options["num_upsampling_layers"]]
    return round(columns / options["aspect_ratio"]), columns


def generator(weights: Weights, options: Options, labels: Tensor, code: Tensor | None = None) -> Tensor:
    """labels as semantics gives them; code: (B, z_dim) with use_vae. (B, 3, rows * 2**steps, columns * 2**steps)."""
    padding = int(options["norm_G"][-1]) // 2
    rows, columns = start_grid(options)

    def spade(x: Tensor, name: str) -> Tensor:
        here = picked(labels, *x.shape[-2:])
        hidden = weights.conv(here, f"{name}.mlp_shared.0", padding=padding).relu()
        gamma, beta = (
            weights.conv(hidden, f"{name}.mlp_{what}", padding=padding) for what in ("gamma", "beta")
        )
        return weights.norm(x, f"{name}.param_free_norm") * (1 + gamma) + beta

    def block(x: Tensor, name: str) -> Tensor:
        shortcut = x
        if weights.has(f"{name}.norm_s.mlp_gamma.weight"):
            shortcut = weights.conv(spade(x, f"{name}.norm_s"), f"{name}.conv_s")
        for index in range(2):
            x = weights.conv(leaky(spade(x, f"{name}.norm_{index}")), f"{name}.conv_{index}", padding=1)
        return shortcut + x

    if options["use_vae"]:
        assert code is not None
        x = (code @ weights("fc.weight").T + weights("fc.bias")).view(len(code), -1, rows, columns)
    else:
        x = weights.conv(picked(labels, rows, columns), "fc", padding=1)
    more, most = options["num_upsampling_layers"] != "normal", options["num_upsampling_layers"] == "most"
    names = [
        "head_0",
        "UP",
        "G_middle_0",
        *["UP"] * more,
        "G_middle_1",
        "UP",
        "up_0",
        "UP",
        "up_1",
        "UP",
        "up_2",
    ]
    for name in [*names, "UP", "up_3", *["UP", "up_4"] * most]:
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3) if name == "UP" else block(x, name)
    return weights.conv(leaky(x), "conv_img", padding=1).tanh()


def encoder(weights: Weights, photos: Tensor) -> tuple[Tensor, Tensor]:
    """photos: (B, 3, H, W) in [-1, 1], any size. Mean and log-variance."""
    x = stretched(stretched(photos, 2, 256), 3, 256)
    for index in range(1, 7):
        x = weights.conv(leaky(x) if index > 1 else x, f"layer{index}.0", stride=2, padding=1)
        x = weights.norm(x, f"layer{index}.1")
    x = leaky(x).flatten(1)
    mean, log_variance = (
        x @ weights(f"{name}.weight").T + weights(f"{name}.bias") for name in ("fc_mu", "fc_var")
    )
    return mean, log_variance


def stretched(x: Tensor, dim: int, size: int) -> Tensor:
    """Linear between the middles of pixels, along one dimension; no pixel beyond the two neighbours counts."""
    old = x.shape[dim]
    at = ((torch.arange(size, dtype=x.dtype) + 0.5) * old / size - 0.5).clamp(0, old - 1)
    first = at.floor().long()
    shape = [1] * x.dim()
    shape[dim] = size
    share = (at - first).view(shape)
    second = (first + 1).clamp(max=old - 1)
    return x.index_select(dim, first) * (1 - share) + x.index_select(dim, second) * share


def discriminator(weights: Weights, options: Options, labels: Tensor, image: Tensor) -> list[list[Tensor]]:
    """For each scale the outputs of its layers, the logits last."""
    x, found, last = torch.cat([labels, image], dim=1), [], options["n_layers_D"]
    for scale in range(options["num_D"]):
        if scale:
            ones = torch.ones_like(x[:1, :1])
            x, count = (F.avg_pool2d(each, 3, 2, 1, count_include_pad=True) for each in (x, ones))
            x = x / count
        y, outputs, root = x, [], f"discriminator_{scale}"
        for index in range(last + 1):
            name = f"{root}.model{index}.0"
            stride = 2 if index < max(last - 1, 1) else 1
            if 0 < index < last and options["norm_D"] != "spectral":
                y = weights.conv(y, f"{name}.0", stride=stride, padding=2)
                y = weights.norm(y, f"{name}.1")
            else:
                y = weights.conv(y, name, stride=stride, padding=2)
            y = leaky(y) if index < last else y
            outputs.append(y)
        found.append(outputs)
    return found
