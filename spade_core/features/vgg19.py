# SPDX-License-Identifier: Apache-2.0
"""VGG19's features as the perceptual loss reads them, from the weights that torchvision publishes; it is not needed."""

from __future__ import annotations

import pickle
from pathlib import Path
from urllib.error import URLError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..contract.errors import BadCheckpointError, UnavailableError

URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"

STAGES = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 2)
"""Channels of the convolutions up to relu5_2, between poolings."""

FIRST_INDEX = (0, 5, 10, 19, 28)
"""Of each stage's first convolution in torchvision's `features`; a ReLU follows every one."""


class Vgg19(nn.Module):
    """Image to relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1, or to the second of each stage. No weight ever changes,
    gradients reach the image."""

    def __init__(self, weights: dict[str, Tensor], read: int = 1) -> None:
        """weights: torchvision's state dict of VGG19. read: which ReLU of each stage, 1 or 2 (relu1_2 to relu5_2).

        Raises BadCheckpointError where it is another network's.
        """
        super().__init__()
        self.read, self.stages = read, (*STAGES[:-1], STAGES[-1][:read])
        fan_in, wrong = 3, []
        for stage, first in zip(self.stages, FIRST_INDEX, strict=True):
            for offset, fan_out in enumerate(stage):
                index = first + 2 * offset
                shapes = {"weight": (fan_out, fan_in, 3, 3), "bias": (fan_out,)}
                for name, shape in shapes.items():
                    key = f"features.{index}.{name}"
                    if key not in weights or weights[key].shape != shape:
                        wrong.append(key)
                        continue
                    self.register_buffer(f"{name}_{index}", weights[key].float(), persistent=False)
                fan_in = fan_out
        if wrong:
            raise BadCheckpointError(
                f"This is not torchvision's VGG19: {', '.join(wrong[:5])} missing or misshapen ({len(wrong)} in all).",
                fix=f"Use the file from {URL}",
            )

    def forward(self, image: Tensor) -> list[Tensor]:
        """image: (B, 3, H, W); the published loss gives it images in [-1, 1] as they are.

        Returns (B, C, H / 2**i, W / 2**i) for i of 0 to 4, with C of 64, 128, 256, 512, 512.
        """
        x, features = image, []
        for stage, first in zip(self.stages, FIRST_INDEX, strict=True):
            if features:
                x = F.max_pool2d(x, 2)
            for offset in range(len(stage)):
                index = first + 2 * offset
                weight, bias = self.get_buffer(f"weight_{index}"), self.get_buffer(f"bias_{index}")
                x = F.relu(F.conv2d(x, weight, bias, padding=1))
                if offset + 1 == self.read:
                    features.append(x)
        return features


def load_vgg19(path: Path | None = None, read: int = 1) -> Vgg19:
    """As Vgg19, from torchvision's file; without one from torch's cache, where torchvision keeps it too, or else its
    web page.

    Raises BadCheckpointError for a file of another kind, UnavailableError where it cannot be fetched.
    """
    try:
        if path is None:
            weights = torch.hub.load_state_dict_from_url(
                URL, map_location="cpu", check_hash=True, weights_only=True
            )
        else:
            weights = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise BadCheckpointError(
            f"There is no file {path}.", fix="Check the path of the VGG19 weights."
        ) from None
    except (URLError, ConnectionError, TimeoutError) as error:
        raise UnavailableError(
            f"The perceptual loss needs VGG19's weights, and they cannot be fetched ({error}).",
            fix=f"Fetch {URL} where there is a network and name it with --vgg-weights, "
            "or add --perceptual taps, or choose a recipe without VGG19: frozen, oasis.",
        ) from None
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError) as error:
        raise BadCheckpointError(
            f"The VGG19 weights in {path or torch.hub.get_dir()} cannot be read ({type(error).__name__}).",
            fix=f"Fetch {URL} again.",
        ) from None
    if not isinstance(weights, dict):
        raise BadCheckpointError("This file holds no state dict.", fix=f"Use the file from {URL}")
    return Vgg19(weights, read)
