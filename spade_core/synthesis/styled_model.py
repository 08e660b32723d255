# SPDX-License-Identifier: Apache-2.0
"""The styles of a loaded model: by name, of a seed, of a photo."""

from __future__ import annotations

import numpy as np
import torch

from ..checkpoint.file import Checkpoint
from ..checkpoint.style_bank import NamedStyle, layout, looked_at
from ..contract.errors import BadImageError, BadShapeError
from ..contract.request import unknown_style
from ..model.style_encoder import sample_style


class StyledModel:
    """What of a loaded model says which style codes there are. Codes are (style_size,) float32."""

    def __init__(self, checkpoint: Checkpoint, name: str, device: torch.device) -> None:
        self.name, self.device = name, device
        self.style_size = checkpoint.generator.style_size
        self._channels, self._styles = checkpoint.label_channels, checkpoint.styles
        encoder = checkpoint.build_style_encoder()
        self._encoder = None if encoder is None else encoder.to(device)

    @property
    def has_style_encoder(self) -> bool:
        """Whether encode_style works."""
        return self._encoder is not None

    @property
    def named_styles(self) -> tuple[NamedStyle, ...]:
        """The styles that a request may name."""
        return () if self._styles is None else self._styles.named

    @property
    def average_style(self) -> np.ndarray:
        """(style_size,) float32: the look at strength 0."""
        return np.zeros(self.style_size, np.float32) if self._styles is None else self._styles.mean

    def style_by_name(self, name: str) -> np.ndarray:
        """(style_size,) float32. Raises UnknownStyleError for a style that the model does not have."""
        found = self._styles and self._styles.find(name)
        if not found:
            raise unknown_style(name, self.name, [style.name for style in self.named_styles])
        return found.code

    def style_from_seed(self, seed: int, label_map: np.ndarray | None = None) -> np.ndarray:
        """A style code drawn by a seed: (style_size,) float32, the same on every machine.

        A model with a style bank draws one near that of a photo, and where a label map is given, (H, W) ids, of a photo
        that is laid out like it; others draw from the standard normal.
        """
        if self._styles is not None:
            like = None
            if label_map is not None:
                like = layout(self._channels.indices(looked_at(label_map)), self._channels.count)
            return self._styles.drawn(seed, like)
        random = torch.Generator().manual_seed(seed % 2**63)
        return torch.randn(self.style_size, generator=random).numpy()

    def encode_style(self, rgb: np.ndarray, seed: int | None = None) -> np.ndarray:
        """The style code of a photo: rgb (h, w, 3) uint8, any size; returns (style_size,) float32.

        It is the mean of what the encoder says, or with a seed one draw from around it, as the paper samples.
        Raises BadImageError for a model without a style encoder, or an array of another kind.
        """
        if self._encoder is None:
            raise BadImageError(
                f"The model '{self.name}' has no style encoder.",
                "Leave the style image out, or use another model.",
            )
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or rgb.size == 0:
            raise BadImageError(f"A style image is (h, w, 3) of bytes, this one is {rgb.shape} {rgb.dtype}.")
        photo = (torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None].float() / 255 - 0.5) / 0.5
        with torch.inference_mode():
            mean, log_variance = self._encoder(photo.to(self.device))
            code = mean
            if seed is not None:
                code = sample_style(mean, log_variance, torch.Generator().manual_seed(seed % 2**63))
            return code[0].float().cpu().numpy()

    def _check_code(self, code: np.ndarray) -> None:
        if code.shape != (self.style_size,):
            raise BadShapeError(
                f"A style code of this model has {self.style_size} numbers, this one {code.shape}."
            )
