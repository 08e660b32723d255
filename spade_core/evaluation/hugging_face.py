# SPDX-License-Identifier: Apache-2.0
"""A SegFormer or Mask2Former checkpoint folder as the segmenter behind mIoU. Needs the library transformers.

Only the networks come from the library: its image processors want torchvision, and all that they do here is a resize.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..contract.errors import BadCheckpointError, LabelSetMismatchError, UnavailableError
from ..contract.labels import LabelSet
from ..contract.matching import AliasTable
from .segmenter import Segmenter

LOOKED_AT = 512
"""Short side of the pictures that it is given; its preprocessing says how they go on from there."""

MASK_SIDE = 384
"""Masks are brought to this size before they are weighed, as the library's own post-processing does."""


class HuggingFaceSegmenter(Segmenter):
    """Its classes are matched to the label set's by name and alias; what matches none is predicted as none of them."""

    def __init__(self, folder: Path, label_set: LabelSet, device: torch.device) -> None:
        """Raises UnavailableError without transformers, BadCheckpointError, and LabelSetMismatchError where no
        class matches."""
        self._network = _loaded(folder).eval().to(device)
        self._preprocessing = _Preprocessing.read(folder)
        self.device = device
        names: dict[int, str] = {int(id): name for id, name in self._network.config.id2label.items()}
        table = AliasTable([[entry.name, *entry.aliases] for entry in label_set.classes])
        found = {id: table.find(name) for id, name in names.items()}
        self._class_index = np.full(max(names) + 1, -1)
        for id, place in found.items():
            self._class_index[id] = -1 if place is None else place
        self.known_classes = np.isin(np.arange(len(label_set.classes)), self._class_index)
        if not self.known_classes.any():
            raise LabelSetMismatchError(
                f"No class of the segmenter {folder.name} has the name of a class of '{label_set.name}'.",
                "Use one that was trained on similar classes, or add its names as aliases to the label set.",
            )
        self.side = LOOKED_AT
        kind, count = type(self._network).__name__, int(self.known_classes.sum())
        self.title = f"{folder.name} ({kind}; tells {count} of {len(label_set.classes)} classes by name)"

    def shares(self, picture: np.ndarray) -> Tensor:
        rgb = torch.from_numpy(picture[None].copy()).to(self.device).permute(0, 3, 1, 2).float()
        with torch.inference_mode():
            answer = self._network(pixel_values=self._preprocessing.prepared(rgb))
            likely = _class_shares(answer)[0].float()
        found = likely.new_zeros(len(self.known_classes) + 1, *likely.shape[1:])
        # Several of its classes may be one of ours: their shares add up. -1 is the last one, none of ours.
        places = torch.from_numpy(self._class_index % len(found)).to(likely.device)
        return found.index_add_(0, places, likely)

    def predict(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        rgb = torch.from_numpy(np.stack(pictures)).to(self.device).permute(0, 3, 1, 2).float()
        with torch.inference_mode():
            answer = self._network(pixel_values=self._preprocessing.prepared(rgb))
            scores = F.interpolate(
                _class_scores(answer), rgb.shape[-2:], mode="bilinear", align_corners=False
            )
            return self._class_index[scores.argmax(1).cpu().numpy()]


def _class_scores(answer: Any) -> Tensor:
    """(B, classes, h, w) of either kind of network."""
    if hasattr(answer, "masks_queries_logits"):
        classes = answer.class_queries_logits.softmax(-1)[..., :-1]  # the last one: no object
        masks = F.interpolate(
            answer.masks_queries_logits, (MASK_SIDE, MASK_SIDE), mode="bilinear", align_corners=False
        )
        return torch.einsum("bqc,bqhw->bchw", classes, masks.sigmoid())
    return answer.logits


def _class_shares(answer: Any) -> Tensor:
    """(B, classes, h, w) that add up to 1. Mask2Former's scores do not: a pixel may be in several masks, or in none."""
    scores = _class_scores(answer)
    if hasattr(answer, "masks_queries_logits"):
        return scores / scores.sum(1, keepdim=True).clamp(min=1e-6)
    return scores.softmax(1)


class _Preprocessing:
    """How a checkpoint wants its pictures, by its preprocessor_config.json."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.size = values["size"]
        self.scale = values.get("rescale_factor", 1 / 255)
        self.mean, self.std = (
            torch.tensor(values[name]).view(1, 3, 1, 1) for name in ("image_mean", "image_std")
        )

    @classmethod
    def read(cls, folder: Path) -> _Preprocessing:
        try:
            return cls(json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError):
            raise BadCheckpointError(
                f"{folder} has no usable preprocessor_config.json.", "Download the whole checkpoint again."
            ) from None

    def prepared(self, rgb: Tensor) -> Tensor:
        """rgb: (B, 3, H, W) in [0, 255]."""
        size = self._target(*rgb.shape[-2:])
        resized = F.interpolate(rgb, size, mode="bilinear", align_corners=False, antialias=True)
        return (resized * self.scale - self.mean.to(rgb.device)) / self.std.to(rgb.device)

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if isinstance(self.size, int):
            return self.size, self.size
        if "height" in self.size:
            return self.size["height"], self.size["width"]
        scale = self.size["shortest_edge"] / min(height, width)
        scale = min(scale, self.size.get("longest_edge", np.inf) / max(height, width))
        # Mask2Former's pyramid wants sides that halve five times.
        rows, columns = (max(32, round(side * scale / 32) * 32) for side in (height, width))
        return rows, columns


def _loaded(folder: Path) -> Any:
    try:
        from transformers import (  # type: ignore[import-not-found]
            AutoConfig,
            AutoModelForSemanticSegmentation,
            AutoModelForUniversalSegmentation,
        )

        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        universal = config.model_type in ("mask2former", "maskformer", "oneformer")
        kind = AutoModelForUniversalSegmentation if universal else AutoModelForSemanticSegmentation
        # No pickles: model.safetensors only.
        return kind.from_pretrained(folder, config=config, local_files_only=True, use_safetensors=True)
    except ImportError:  # transformers, or scipy, which Mask2Former wants
        raise UnavailableError(
            f"{folder} is a folder, and reading Hugging Face checkpoints needs the libraries transformers and scipy.",
            "Run: pip install 'spade-backdrops[segmenters]', or name a file of `spade train-segmenter`.",
            retryable=False,
        ) from None
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise BadCheckpointError(
            f"{folder} is not a segmentation checkpoint that can be read ({first[:120]}).",
            "It needs config.json, preprocessor_config.json and model.safetensors.",
        ) from None
