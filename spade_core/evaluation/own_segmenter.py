# SPDX-License-Identifier: Apache-2.0
"""Our own segmenter: a small pyramid decoder on frozen EfficientNet-Lite2 features."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..contract.errors import BadCheckpointError, SpadeError
from ..contract.labels import LabelSet, parse_label_set
from ..features.efficientnet_lite import LITE2_TAP_WIDTHS, Lite2
from ..files import as_readable_as_others, replacing
from ..pixels import to_network
from .segmenter import Segmenter

FORMAT = "spade-backdrops segmenter 1"

USED_TAPS = (1, 2, 3, 4)
"""Of the frozen network, at strides 4, 8, 16 and 32: the first one costs most and says least about classes."""

USUAL_SIDE = 256
"""What a segmenter is measured at that says nothing of its training."""

_FIX = "Make one with: spade train-segmenter --data DIR -o FILE.safetensors"


@dataclass(frozen=True)
class SegmenterDecoderConfig:
    """Of our own segmenter."""

    class_count: int
    width: int = 96


def norm_act(width: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(inplace=True))


class PyramidDecoder(nn.Module):
    """Frozen maps to class logits at a quarter of the picture's size, coarse to fine."""

    def __init__(self, config: SegmenterDecoderConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(LITE2_TAP_WIDTHS[tap], width, 1, bias=False), nn.BatchNorm2d(width))
            for tap in USED_TAPS
        )
        self.blend = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False), norm_act(width),
                nn.Conv2d(width, width, 1, bias=False), norm_act(width),
            )
            for _ in USED_TAPS
        )  # fmt: skip
        self.drop = nn.Dropout2d(0.1)
        self.head = nn.Conv2d(width, config.class_count, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """maps: those of USED_TAPS, finest first; returns (B, class_count, H / 4, W / 4) logits."""
        x: Tensor | None = None
        for lateral, blend, tap in zip(
            reversed(self.laterals), reversed(self.blend), reversed(maps), strict=True
        ):
            entering = lateral(tap)
            if x is not None:
                entering = entering + F.interpolate(
                    x, entering.shape[-2:], mode="bilinear", align_corners=False
                )
            x = blend(F.relu(entering))
        assert x is not None
        return self.head(self.drop(x))


class OwnSegmenter(Segmenter):
    """A decoder that was trained by `spade train-segmenter`, and the frozen network below it."""

    def __init__(self, file: SegmenterFile, name: str, device: torch.device) -> None:
        self.title = f"{name} (pyramid decoder on EfficientNet-Lite2)"
        self.device = device
        self.known_classes = np.ones(file.config.class_count, bool)
        self.side = 2 * int(file.provenance.get("training", {}).get("size", USUAL_SIDE // 2))
        self._frozen = Lite2().eval().to(device)
        self._decoder = PyramidDecoder(file.config)
        try:
            self._decoder.load_state_dict(file.weights)
        except RuntimeError:
            raise BadCheckpointError(
                f"The weights of {name} do not fit what it says of itself.", _FIX
            ) from None
        self._decoder.eval().to(device)

    def shares(self, picture: np.ndarray) -> Tensor:
        rgb = torch.from_numpy(picture[None].copy()).to(self.device)
        with torch.inference_mode():
            likely = self._decoder(frozen_maps(self._frozen, rgb)).float().softmax(1)[0]
        return torch.cat([likely, torch.zeros_like(likely[:1])])  # it has learned no class but those

    def predict(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        rgb = torch.from_numpy(np.stack(pictures)).to(self.device)
        with torch.inference_mode():
            logits = self._decoder(frozen_maps(self._frozen, rgb))
            logits = F.interpolate(logits, rgb.shape[1:3], mode="bilinear", align_corners=False)
            return logits.argmax(1).cpu().numpy()


def frozen_maps(network: Lite2, rgb: Tensor) -> list[Tensor]:
    """rgb: (B, H, W, 3) uint8, on the network's device; returns the maps of USED_TAPS, (B, C, h, w), finest first."""
    taps = network(to_network(rgb, rgb.device))
    return [taps[tap] for tap in USED_TAPS]


@dataclass(frozen=True)
class SegmenterFile:
    """What `spade train-segmenter` keeps: the decoder, and what it was trained for and on."""

    config: SegmenterDecoderConfig
    weights: dict[str, Tensor]
    label_set: LabelSet
    provenance: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write in one piece. Raises CannotWriteError."""
        metadata = {
            "format": FORMAT,
            "config": json.dumps(dataclasses.asdict(self.config)),
            "label_set": self.label_set.to_toml(),
            "provenance": json.dumps(self.provenance, ensure_ascii=False),
        }
        with replacing(path) as part:
            save_file(self.weights, part, metadata)
            as_readable_as_others(part)
            part.chmod(0o644)  # safetensors makes private files

    @classmethod
    def load(cls, path: Path) -> SegmenterFile:
        """Raises BadCheckpointError where the file is missing, damaged or of another kind."""
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                weights = {name: file.get_tensor(name) for name in file.keys()}
            if metadata.get("format") != FORMAT:
                raise ValueError
            return cls(
                SegmenterDecoderConfig(**json.loads(metadata["config"])), weights,
                parse_label_set(metadata["label_set"]), json.loads(metadata["provenance"]),
            )  # fmt: skip
        except FileNotFoundError:
            raise BadCheckpointError(f"There is no segmenter at {path}.", "Check the path.") from None
        except (SafetensorError, OSError, KeyError, ValueError, TypeError, SpadeError):
            raise BadCheckpointError(
                f"{path.name} is not a segmenter of this program, or it is damaged.",
                _FIX,
            ) from None
