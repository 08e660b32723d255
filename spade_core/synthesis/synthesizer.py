# SPDX-License-Identifier: Apache-2.0
"""The one function through which pictures are made, whoever asks: worker, command line, evaluation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoint import Checkpoint, file_digest, load_checkpoint
from ..contract.errors import BadCheckpoint, BadImage, BadShape, TooLarge, UnknownModel
from ..contract.labels import LabelSet
from ..data.channels import channel_count, channel_indices
from ..device import chosen_device
from ..model.config import GeneratorConfig
from ..model.spade import one_hot

WEIGHTS = Path(__file__).parents[1] / "weights"
SMALLEST_SIDE, LARGEST_SIDE = 32, 4096
MARGIN = 16
"""Pixels painted beyond every side and cut away: near its border a network sees zeros and paints a frame."""

Progress = Callable[[str, float], None]


class Synthesizer:
    """A loaded model."""

    def __init__(self, checkpoint: Checkpoint, name: str, digest: str, device: torch.device) -> None:
        """Raises BadCheckpoint where weights, networks and label set do not belong together."""
        config = checkpoint.generator
        if config.label_channels != channel_count(checkpoint.label_set):
            raise BadCheckpoint(
                f"The model '{name}' has {config.label_channels} label channels, "
                f"its label set asks for {channel_count(checkpoint.label_set)}.",
                "Train or import it again with its own label set.",
            )
        self.name, self.digest, self.device = name, digest, device
        self.label_set: LabelSet = checkpoint.label_set
        self.native_size, self.style_size = checkpoint.native_size, config.style_size
        self._generator = checkpoint.build_generator().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        encoder = checkpoint.build_style_encoder()
        self._encoder = None if encoder is None else encoder.to(device)
        # The published networks stay as published.
        self._margin = MARGIN if isinstance(config, GeneratorConfig) and config.start == "labels+style" else 0

    @classmethod
    def load(cls, model: str | Path = "landscape", device: str = "auto") -> Synthesizer:
        """An embedded model by name, or a checkpoint file. Raises UnknownModel, BadCheckpoint, Unavailable."""
        path = model_file(model)
        return cls(load_checkpoint(path), path.stem, file_digest(path), chosen_device(device))

    def render(
        self,
        label_map: np.ndarray,
        style: np.ndarray | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Paint a picture.

        label_map: (H, W) ids of label_set, sides of 32 to 4096 pixels. style: (style_size,) float32, or None to draw
        it from the seed; the seed also draws the noise. progress is told the stage and a fraction of 0 to 1, and may
        raise to stop. Returns (H, W, 3) uint8. Raises BadLabel, BadShape, TooLarge.
        """
        ids = self._checked(label_map)
        padded, top, left = self._padded(ids)
        channels = torch.from_numpy(channel_indices(self.label_set, padded)[None]).to(self.device)
        random = torch.Generator().manual_seed(seed % 2**63)
        code = self.style_from_seed(seed) if style is None else np.asarray(style, np.float32)
        if self.style_size and code.shape != (self.style_size,):
            raise BadShape(
                f"A style code of this model has {self.style_size} numbers, this one {code.shape}."
            )
        blocks = self._generator.block_count

        def after_block(index: int) -> None:
            if progress is not None:
                progress("painting", (index + 1) / (blocks + 1))

        with torch.inference_mode():
            labels = one_hot(channels, self._generator.config.label_channels)
            labels = labels.contiguous(memory_format=torch.channels_last)
            noise = self._generator.draw_noise(1, *padded.shape, random)
            codes = torch.from_numpy(code[None]).to(self.device) if self.style_size else None
            image = self._generator(labels, codes, noise, after_block)
            image = self._cut(image, ids.shape, top, left)
            # Truncated, not rounded, as the published network's pictures are.
            rgb = ((image[0].float() + 1) * 127.5).clamp(0, 255).to(torch.uint8)
        if progress is not None:
            progress("painting", 1.0)
        return rgb.permute(1, 2, 0).contiguous().cpu().numpy()

    def style_from_seed(self, seed: int) -> np.ndarray:
        """A style code drawn from the standard normal: (style_size,) float32, the same on every machine."""
        random = torch.Generator().manual_seed(seed % 2**63)
        return torch.randn(self.style_size, generator=random).numpy()

    def encode_style(self, rgb: np.ndarray) -> np.ndarray:
        """The style code of a photo: rgb (h, w, 3) uint8, any size; returns the mean, (style_size,) float32.

        Raises BadImage for a model without a style encoder, or an array of another kind.
        """
        if self._encoder is None:
            raise BadImage(
                f"The model '{self.name}' has no style encoder.",
                "Leave the style image out, or use another model.",
            )
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or rgb.size == 0:
            raise BadImage(f"A style image is (h, w, 3) of bytes, this one is {rgb.shape} {rgb.dtype}.")
        photo = torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None].float() / 127.5 - 1
        size = self._encoder.config.input_size
        # Averaged down first: picking single pixels of a large photo would alias.
        photo = F.interpolate(photo, (size, size), mode="bilinear", antialias=True)
        with torch.inference_mode():
            return self._encoder(photo.to(self.device))[0][0].float().cpu().numpy()

    def _checked(self, label_map: np.ndarray) -> np.ndarray:
        ids = self.label_set.check(label_map)
        if min(ids.shape) < SMALLEST_SIDE:
            raise BadShape(
                f"The label map is {ids.shape[1]} x {ids.shape[0]} pixels, the smallest side is {SMALLEST_SIDE}.",
                "Make it larger.",
            )
        if max(ids.shape) > LARGEST_SIDE:
            raise TooLarge(
                f"The label map is {ids.shape[1]} x {ids.shape[0]} pixels, the largest side is {LARGEST_SIDE}.",
                "Make it smaller and scale the picture up.",
            )
        return ids

    def _padded(self, ids: np.ndarray) -> tuple[np.ndarray, int, int]:
        """The map with its edges repeated to a margin and a multiple of the generator's step; and where it lies."""
        if self._generator.fixed_size is not None:
            return ids, 0, 0
        step = self._generator.multiple
        extra = [-(-(side + 2 * self._margin) // step) * step - side for side in ids.shape]
        top, left = extra[0] // 2, extra[1] // 2
        return np.pad(ids, ((top, extra[0] - top), (left, extra[1] - left)), mode="edge"), top, left

    def _cut(self, image: Tensor, size: tuple[int, ...], top: int, left: int) -> Tensor:
        height, width = size
        if self._generator.fixed_size is not None:
            # A published network with a style code knows one size only.
            return F.interpolate(image, (height, width), mode="bilinear", align_corners=False)
        return image[..., top : top + height, left : left + width]


def model_file(model: str | Path) -> Path:
    """The file of a model: a path as it is, a bare name among the embedded ones. Raises UnknownModel."""
    path = Path(model)
    if isinstance(model, Path) or path.suffix or len(path.parts) > 1:
        return path
    embedded = WEIGHTS / f"{model}.safetensors"
    if not embedded.exists():
        known = ", ".join(sorted(file.stem for file in WEIGHTS.glob("*.safetensors"))) or "none"
        raise UnknownModel(
            f"There is no embedded model '{model}'.", f"Use one of: {known}; or name a .safetensors file."
        )
    return embedded
