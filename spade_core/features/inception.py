# SPDX-License-Identifier: Apache-2.0
"""Inception v3 as the FID weights of 2015-12-05 have it, up to the 2048 numbers that FID is computed on.

Written from the published architecture (Szegedy et al., CVPR 2016). What differs in the network of that date: average
pooling does not count the padding, the branch pooled in the last block takes the maximum, and there are 1008 classes.
Modules are named as in the published state dict, which is loaded into them.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..contract.errors import BadCheckpointError
from .base import FeatureNetwork, Features

FILE = "pt_inception-2015-12-05-6726825d.pth"

SIDE = 299


class Conv(nn.Module):
    """Convolution, batch norm, ReLU; `kernel` is (rows, columns)."""

    def __init__(
        self, fan_in: int, width: int, kernel: tuple[int, int] = (1, 1), stride: int = 1, padded: bool = True
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if padded else (0, 0)
        self.conv = nn.Conv2d(fan_in, width, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


def average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def maximum(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 1, 1)


def halved(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 2)


class BlockA(nn.Module):
    """At 35 x 35: three sizes of receptive field beside a pooled branch."""

    def __init__(self, fan_in: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(fan_in, 64)
        self.branch5x5_1, self.branch5x5_2 = Conv(fan_in, 48), Conv(48, 64, (5, 5))
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(fan_in, 64), Conv(64, 96, (3, 3))
        self.branch3x3dbl_3 = Conv(96, 96, (3, 3))
        self.branch_pool = Conv(fan_in, pooled)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        middle = self.branch5x5_2(self.branch5x5_1(x))
        return torch.cat([self.branch1x1(x), middle, wide, self.branch_pool(average(x))], 1)


class BlockB(nn.Module):
    """From 35 x 35 to 17 x 17."""

    def __init__(self, fan_in: int) -> None:
        super().__init__()
        self.branch3x3 = Conv(fan_in, 384, (3, 3), 2, padded=False)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(fan_in, 64), Conv(64, 96, (3, 3))
        self.branch3x3dbl_3 = Conv(96, 96, (3, 3), 2, padded=False)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), wide, halved(x)], 1)


class BlockC(nn.Module):
    """At 17 x 17: rows and columns of seven in turn."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        row, column = (1, 7), (7, 1)
        self.branch1x1 = Conv(768, 192)
        self.branch7x7_1, self.branch7x7_2 = Conv(768, inner), Conv(inner, inner, row)
        self.branch7x7_3 = Conv(inner, 192, column)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = Conv(768, inner), Conv(inner, inner, column)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = Conv(inner, inner, row), Conv(inner, inner, column)
        self.branch7x7dbl_5 = Conv(inner, 192, row)
        self.branch_pool = Conv(768, 192)

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), once, twice, self.branch_pool(average(x))], 1)


class BlockD(nn.Module):
    """From 17 x 17 to 8 x 8."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Conv(768, 192), Conv(192, 320, (3, 3), 2, padded=False)
        self.branch7x7x3_1, self.branch7x7x3_2 = Conv(768, 192), Conv(192, 192, (1, 7))
        self.branch7x7x3_3, self.branch7x7x3_4 = (
            Conv(192, 192, (7, 1)),
            Conv(192, 192, (3, 3), 2, padded=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        wide = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), wide, halved(x)], 1)


class BlockE(nn.Module):
    """At 8 x 8: branches that fork into a row and a column of three."""

    def __init__(self, fan_in: int, pool: str) -> None:
        super().__init__()
        row, column = (1, 3), (3, 1)
        self.branch1x1 = Conv(fan_in, 320)
        self.branch3x3_1 = Conv(fan_in, 384)
        self.branch3x3_2a, self.branch3x3_2b = Conv(384, 384, row), Conv(384, 384, column)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(fan_in, 448), Conv(448, 384, (3, 3))
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = Conv(384, 384, row), Conv(384, 384, column)
        self.branch_pool = Conv(fan_in, 192)
        self.pool = {"average": average, "maximum": maximum}[pool]

    def forward(self, x: Tensor) -> Tensor:
        middle = self.branch3x3_1(x)
        wide = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        return torch.cat(
            [
                self.branch1x1(x), self.branch3x3_2a(middle), self.branch3x3_2b(middle),
                self.branch3x3dbl_3a(wide), self.branch3x3dbl_3b(wide), self.branch_pool(self.pool(x)),
            ], 1,
        )  # fmt: skip


class InceptionV3(nn.Module):
    """The trunk, with torch's random weights until a state dict is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, (3, 3), 2, padded=False)
        self.Conv2d_2a_3x3 = Conv(32, 32, (3, 3), padded=False)
        self.Conv2d_2b_3x3 = Conv(32, 64, (3, 3))
        self.Conv2d_3b_1x1 = Conv(64, 80)
        self.Conv2d_4a_3x3 = Conv(80, 192, (3, 3), padded=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = BlockA(192, 32), BlockA(256, 64), BlockA(288, 64)
        self.Mixed_6a, self.Mixed_6b, self.Mixed_6c = BlockB(288), BlockC(128), BlockC(160)
        self.Mixed_6d, self.Mixed_6e, self.Mixed_7a = BlockC(160), BlockC(192), BlockD()
        self.Mixed_7b, self.Mixed_7c = BlockE(1280, "average"), BlockE(2048, "maximum")

    def forward(self, image: Tensor) -> list[Tensor]:
        """image: (B, 3, 299, 299) in [-1, 1]; returns maps of 64, 192, 768 and 2048 channels, finest first."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(image)))
        first = halved(x)
        second = halved(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(first)))
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(second))))
        third = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        return [first, second, third, self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(third)))]


class InceptionFeatures(FeatureNetwork):
    """What FID and KID are defined on."""

    title = "Inception v3 (FID weights of 2015-12-05)"
    frechet_title = "FID"
    kernel_title = "KID"
    resize = "bilinear to 299 x 299, corners not aligned, not antialiased (as pytorch-fid)"

    def __init__(self, weights: Path) -> None:
        """Raises BadCheckpointError where the file is not the published state dict."""
        super().__init__()
        with torch.device("meta"):  # random weights are not worth their time
            self.network = InceptionV3()
        state = {name: value for name, value in _read(weights).items() if not name.startswith("fc.")}
        wanted = self.network.state_dict()
        wrong = [
            name
            for name, value in wanted.items()
            if not name.endswith("num_batches_tracked")
            and getattr(state.get(name), "shape", None) != value.shape
        ]
        if wrong or not state.keys() <= wanted.keys():
            what = (
                f"{len(wrong)} tensors are missing or of another shape, first {wrong[0]}"
                if wrong
                else "it has others"
            )
            raise BadCheckpointError(f"{weights.name} is not Inception's file for FID: {what}.", _FIX)
        for name in wanted.keys() - state.keys():  # counters, which the file has no need of
            state[name] = torch.zeros((), dtype=torch.long)
        self.network.load_state_dict(state, assign=True)
        self.requires_grad_(False)

    def forward(self, rgb: Tensor) -> Features:
        # Scaled to [-1, 1] only after the resize, as pytorch-fid does.
        pictures = rgb.permute(0, 3, 1, 2).float() / 255
        resized = F.interpolate(pictures, (SIDE, SIDE), mode="bilinear", align_corners=False)
        taps = self.network(2 * resized - 1)
        return Features(taps[-1].mean((2, 3)), taps)


_FIX = f"Download {FILE} (docs/evaluation.md says where), or leave --inception out."


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadCheckpointError(f"There is no file {path}.", _FIX) from None
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError):
        raise BadCheckpointError(f"{path.name} cannot be read as PyTorch weights.", _FIX) from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise BadCheckpointError(f"{path.name} is not a state dict.", _FIX)
    return state
