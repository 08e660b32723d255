# SPDX-License-Identifier: Apache-2.0
"""Training our own segmenter: the decoder learns from frozen features that are computed once.

OUT.work/ holds those features and state.pt (decoder, optimizer, step) until the segmenter is finished.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import shutil
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..contract.errors import BadCheckpointError, BadImageError
from ..contract.labels import LabelSet
from ..data.layouts.layouts import find_pairs, layout_of
from ..data.pairs import Pair
from ..data.placement import CropRule
from ..files import claim_folder, write_torch
from ..progress import Progress
from .feature_cache import UNLABELLED, FeatureCache
from .own_segmenter import OwnSegmenter, PyramidDecoder, SegmenterDecoderConfig, SegmenterFile
from .scenes import PictureSize, Scenes
from .segmentation_metrics import Scores, scores_on_photos
from .segmenter_settings import SegmenterTraining

SAVE_EVERY = 250  # steps


class SegmenterRun:
    """A segmenter in the making, new or continued from its .work folder."""

    def __init__(
        self, data: Path, label_set: LabelSet, output: Path, training: SegmenterTraining,
        device: torch.device, layout: str = "auto",
    ) -> None:  # fmt: skip
        """Raises BadImageError where there are no pairs, CannotWriteError, BadCheckpointError where .work is of
        other settings."""
        self.label_set, self.output, self.training, self.device = label_set, output, training, device
        pairs, held_out = learned_and_held_out(data, layout)
        side = 2 * training.size
        self.held_out = Scenes(held_out, label_set, PictureSize(side, side))
        self.work = output.with_name(output.name + ".work")
        claim_folder(self.work)
        rule = CropRule(training.size, training.max_scale)
        self.cache = FeatureCache(self.work, pairs, label_set, rule, training.crops, training.seed)
        torch.manual_seed(training.seed)
        decoder = PyramidDecoder(SegmenterDecoderConfig(len(label_set.classes), training.width))
        self.decoder = decoder.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(self.decoder.parameters(), training.rate, weight_decay=1e-3)
        self.step = 0
        self._provenance = {
            "data": data.name, "layout": layout_of(data, layout).name, "pairs": len(pairs),
            "features": "EfficientNet-Lite2, frozen", "training": dataclasses.asdict(training),
        }  # fmt: skip
        self._continue()

    def train(self, progress: Progress) -> tuple[SegmenterFile, Scores]:
        """Train to the end, measure, and write the file. Ctrl-C passes through, once all that was done is saved.

        Returns the segmenter and how far it agrees with the label maps of photos that it did not learn from.
        """
        self.cache.fill(self.device, progress)
        self._learn(progress)
        tensors = {
            name: value.detach().cpu().contiguous() for name, value in self.decoder.state_dict().items()
        }
        file = SegmenterFile(self.decoder.config, tensors, self.label_set, self._provenance)
        segmenter = OwnSegmenter(file, self.output.name, self.device)
        scores = scores_on_photos(segmenter, self.held_out, progress)
        measured = {
            "photos": len(self.held_out), "size": self.held_out.size.height,
            "miou": round(scores.miou, 4), "pixel_accuracy": round(scores.pixel_accuracy, 4),
        }  # fmt: skip
        file = dataclasses.replace(file, provenance=self._provenance | {"held_out": measured})
        file.save(self.output)
        shutil.rmtree(self.work, ignore_errors=True)
        return file, scores

    def _learn(self, progress: Progress) -> None:
        weights = class_weights(np.bincount(self.cache.classes.ravel(), minlength=UNLABELLED + 1))
        weights = weights[: len(self.label_set.classes)].to(self.device)
        self.decoder.train()
        try:
            while self.step < self.training.steps:
                self._optimizer_step(weights)
                progress("learning", self.step, self.training.steps)
                if self.step % SAVE_EVERY == 0:
                    self.save()
        except KeyboardInterrupt:
            self.save()
            raise

    def _optimizer_step(self, weights: Tensor) -> None:
        training = self.training
        # Everything a step draws depends on its number alone: a continued run goes on as if it had not stopped.
        random = np.random.default_rng((training.seed, self.step))
        torch.manual_seed(int(random.integers(1 << 62)))
        numbers = np.sort(random.choice(training.crops, min(training.batch, training.crops), replace=False))
        maps, classes = self.cache.batch(numbers, mirrored=bool(random.random() < 0.5))
        rise = min(1.0, 20 * (self.step + 1) / training.steps)
        fall = 0.5 * (1 + math.cos(math.pi * self.step / training.steps))
        for group in self.optimizer.param_groups:
            group["lr"] = training.rate * rise * fall
        logits = self.decoder([tap.to(self.device, memory_format=torch.channels_last) for tap in maps])
        logits = F.interpolate(logits, classes.shape[-2:], mode="bilinear", align_corners=False)
        loss = F.cross_entropy(logits, classes.to(self.device), weights, ignore_index=UNLABELLED)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.step += 1

    def save(self) -> None:
        """Keep what has been learned in .work, for the same command to continue from. Raises CannotWriteError."""
        state = {
            "step": self.step,
            "decoder": self.decoder.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        write_torch(self.work / "state.pt", state)

    def _continue(self) -> None:
        path = self.work / "state.pt"
        if not path.exists():
            return
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            self.decoder.load_state_dict(state["decoder"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step = state["step"]
        except Exception as error:  # torch.load raises a different type for each way a file can be broken
            raise BadCheckpointError(
                f"{path} cannot be continued from: {type(error).__name__}.",
                "Delete it: the decoder starts anew.",
            ) from None


def learned_and_held_out(data: Path, layout: str = "auto") -> tuple[list[Pair], list[Pair]]:
    """The pairs to learn from, and others to measure on: the two splits, or all but every tenth pair, and those.

    Raises BadImageError where there are no pairs to learn from.
    """
    learned = find_pairs(data, "train", layout)
    held_out: list[Pair] = []
    with contextlib.suppress(BadImageError):  # everything is in one split
        held_out = [pair for pair in find_pairs(data, "val", layout) if pair not in learned]
    if not held_out:
        held_out = learned[::10]
        learned = [pair for pair in learned if pair not in held_out] or held_out
    return learned, held_out


def class_weights(pixels: np.ndarray) -> Tensor:
    """pixels: (n,) counts by class; rare classes weigh more, by the root of their rarity, and absent ones nothing."""
    share = pixels / max(pixels.sum(), 1)
    weights = np.where(share > 0, 1 / np.sqrt(np.maximum(share, 1e-4)), 0.0)
    return torch.from_numpy(weights * (share * weights).sum() ** -1).float()
