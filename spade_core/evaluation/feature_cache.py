# SPDX-License-Identifier: Apache-2.0
"""Augmented crops of photos and a frozen network's features of them, computed once and kept on disk.

FOLDER/features_1.npy ...   the frozen maps of every crop, float16
FOLDER/classes.npy          their label maps at half size, as indices of classes, uint8
FOLDER/progress.json        how many crops are filled, and for which settings
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..contract.errors import BadCheckpointError
from ..contract.labels import LabelSet
from ..data.crops import training_crop
from ..data.pairs import Pair, read_pair
from ..data.placement import CropRule
from ..features.efficientnet_lite import LITE2_TAP_WIDTHS, Lite2
from ..files import replacing, write_text
from ..progress import Progress
from .own_segmenter import USED_TAPS, frozen_maps

UNLABELLED = 255

BATCH = 16  # crops that go through the network together


class FeatureCache:
    """`count` crops, each depending on the seed and its number alone; `filled` of them are computed."""

    def __init__(
        self, folder: Path, pairs: list[Pair], label_set: LabelSet, rule: CropRule, count: int, seed: int
    ) -> None:
        """Finds what an earlier run has filled.

        Raises CannotWriteError, or BadCheckpointError in a folder of other crops.
        """
        self.folder, self.pairs, self.label_set = folder, pairs, label_set
        self.rule, self.count, self.seed = rule, count, seed
        self._settings = json.dumps(
            [label_set.digest, rule.size, rule.max_scale, count, seed, [pair.name for pair in pairs]]
        )
        self.filled = self._found()
        self._save_progress()  # whose crops these are, before the first one is there
        self.maps = [
            self._array(f"features_{tap}.npy", np.float16, LITE2_TAP_WIDTHS[tap], rule.size >> (tap + 1))
            for tap in USED_TAPS
        ]
        self.classes = self._array("classes.npy", np.uint8, None, rule.size // 2)
        self._class_index = np.full(
            max(label_set.ignore_id, label_set.classes[-1].id) + 1, UNLABELLED, np.uint8
        )
        for index, entry in enumerate(label_set.classes):
            if entry.id != label_set.ignore_id:
                self._class_index[entry.id] = index

    def _found(self) -> int:
        try:
            noted = json.loads((self.folder / "progress.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0
        if noted["settings"] != self._settings:
            raise BadCheckpointError(
                f"{self.folder} holds the beginning of a segmenter with other settings or data.",
                "Delete that folder, or choose another output.",
            )
        return int(noted["filled"])

    def _array(self, name: str, kind: type, channels: int | None, side: int) -> np.memmap:
        path = self.folder / name
        shape = (self.count, side, side) if channels is None else (self.count, channels, side, side)
        if not path.exists():
            with replacing(path) as part:
                _reserve(part, np.lib.format.open_memmap(part, "w+", kind, shape).offset)
        return np.lib.format.open_memmap(path, "r+", kind, shape)

    def fill(self, device: torch.device, progress: Progress) -> None:
        """Compute what is missing; however it ends, what was done is kept."""
        network = Lite2().eval().to(device)
        try:
            while self.filled < self.count:
                numbers = range(self.filled, min(self.filled + BATCH, self.count))
                rgb, ids = zip(*map(self._crop, numbers), strict=True)
                pictures = torch.from_numpy(np.stack(rgb)).to(device)
                with torch.inference_mode():
                    for array, tap in zip(self.maps, frozen_maps(network, pictures), strict=True):
                        array[numbers.start : numbers.stop] = tap.half().cpu().numpy()
                self.classes[numbers.start : numbers.stop] = self._class_index[np.stack(ids)[:, 1::2, 1::2]]
                self.filled = numbers.stop
                self._save_progress()
                progress("looking at photos", self.filled, self.count)
        finally:
            for array in (*self.maps, self.classes):
                array.flush()

    def _save_progress(self) -> None:
        noted = json.dumps({"settings": self._settings, "filled": self.filled})
        write_text(self.folder / "progress.json", noted)

    def _crop(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """rgb (size, size, 3) uint8 and ids (size, size)."""
        epoch, place = divmod(number, len(self.pairs))
        order = np.random.default_rng((self.seed, epoch, 1)).permutation(len(self.pairs))
        photo, labels = read_pair(self.pairs[order[place]], self.label_set)
        return training_crop(photo, labels, self.rule, np.random.default_rng((self.seed, number)))

    def batch(self, numbers: np.ndarray, mirrored: bool) -> tuple[list[Tensor], Tensor]:
        """The maps (B, C, h, w) float32, and the classes (B, size / 2, size / 2) int64 of these crops.

        Mirroring the maps is not quite mirroring the photo, and costs nothing.
        """
        step = slice(None, None, -1 if mirrored else 1)
        maps = [torch.from_numpy(array[numbers][..., step].astype(np.float32)) for array in self.maps]
        return maps, torch.from_numpy(self.classes[numbers][..., step].astype(np.int64))


def _reserve(path: Path, head: int) -> None:
    """Write a sparse file's zeros from `head` on: a disk that fills up under a mapped file kills the process."""
    left, zeros = path.stat().st_size - head, bytes(1 << 22)
    with path.open("r+b") as file:
        file.seek(head)
        while left > 0:
            left -= file.write(zeros[:left])
