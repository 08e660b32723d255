# SPDX-License-Identifier: Apache-2.0
"""What the embedded upscaler learns from: small crops of our own pictures and of photos, and what x4plus makes of them.

The teacher is slow, so its crops are kept on disk, in files of CROPS_A_FILE, and made but once.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from spade_core.data.layouts.layouts import find_pairs
from spade_core.data.pairs import Pair, read_pair
from spade_core.files import replacing
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.upscaling.networks import load_network
from spade_core.upscaling.x4plus import x4plus_file

SIDE = 64
"""Pixels of a small crop's side."""
CROPS_A_FILE = 60
PHOTO_SHARE = 0.2
REDUCTIONS = (1.0, 1.0, 1.0, 0.75, 0.5)
"""A picture is cropped at one of these sizes: detail of a scale that the synthesizer alone would not show."""


class CropStore:
    """The crops of one split, which grow file by file."""

    def __init__(self, folder: Path, data: Path, split: str) -> None:
        self.folder, self.data, self.split = folder, data, split
        self._files: list[tuple[np.ndarray, np.ndarray]] = []
        self._maker: Iterator[tuple[np.ndarray, np.ndarray]] | None = None
        while self._path(len(self._files)).exists():
            self._open()

    def __len__(self) -> int:
        return len(self._files) * CROPS_A_FILE

    def grow(self) -> None:
        """One more file of crops: minutes on a CPU."""
        if self._maker is None:
            # Not the pictures that an interrupted run has made already.
            self._maker = crops(self.data, self.split, seed=len(self._files))
        pairs = [next(self._maker) for _ in range(CROPS_A_FILE)]
        with replacing(self._path(len(self._files))) as part, part.open("wb") as file:
            small, large = (np.stack(sides) for sides in zip(*pairs, strict=True))
            np.savez(file, small=small, large=large)
        self._open()

    def batch(self, count: int, chosen: random.Random) -> tuple[Tensor, Tensor]:
        """(count, 3, SIDE, SIDE) and (count, 3, 4 SIDE, 4 SIDE) in [0, 1], half of the pairs mirrored."""
        small, large = self._pairs([chosen.randrange(len(self)) for _ in range(count)])
        mirrored = torch.tensor([chosen.random() < 0.5 for _ in range(count)])[:, None, None, None]
        return torch.where(mirrored, small.flip(3), small), torch.where(mirrored, large.flip(3), large)

    def all(self) -> tuple[Tensor, Tensor]:
        """Every pair, as they are."""
        return self._pairs(range(len(self)))

    def _pairs(self, indices: Iterable[int]) -> tuple[Tensor, Tensor]:
        places = [divmod(index, CROPS_A_FILE) for index in indices]
        small, large = (np.stack([self._files[file][side][at] for file, at in places]) for side in (0, 1))
        return to_tensor(small), to_tensor(large)

    def _path(self, index: int) -> Path:
        return self.folder / f"{self.split}_{index:04}.npz"

    def _open(self) -> None:
        with np.load(self._path(len(self._files))) as file:
            self._files.append((file["small"], file["large"]))


def crops(data: Path, split: str, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Without end: (SIDE, SIDE, 3) bytes and what the teacher makes of them."""
    chosen = random.Random(f"{split} {seed}")
    pairs, synthesizer = find_pairs(data, split), Synthesizer.load(device="cpu")
    teacher = load_network(x4plus_file()).to(torch.bfloat16, memory_format=torch.channels_last)  # type: ignore[call-overload]
    while True:
        picture = _picture(synthesizer, pairs, chosen)
        reduction = chosen.choice(REDUCTIONS)
        if reduction != 1:
            sides = [round(side * reduction) for side in picture.size]
            picture = picture.resize((sides[0], sides[1]), Image.Resampling.LANCZOS)
        for _ in range(2):
            left, top = (chosen.randint(0, side - SIDE) for side in picture.size)
            small = np.asarray(picture.crop((left, top, left + SIDE, top + SIDE)))
            with torch.inference_mode():
                large = teacher(to_tensor(small[None]).to(torch.bfloat16)).float()
            yield small, to_bytes(large)[0]


def _picture(synthesizer: Synthesizer, pairs: list[Pair], chosen: random.Random) -> Image.Image:
    """A photo, or a label map painted in the style of one."""
    photo, _ = read_pair(chosen.choice(pairs), synthesizer.label_set)
    if chosen.random() < PHOTO_SHARE:
        return photo
    _, labels = read_pair(chosen.choice(pairs), synthesizer.label_set)
    style = synthesizer.encode_style(np.asarray(photo))
    return Image.fromarray(synthesizer.render(np.asarray(labels), style, chosen.randrange(2**31)))


def to_tensor(pictures: np.ndarray) -> Tensor:
    """(N, H, W, 3) bytes as (N, 3, H, W) float32 in [0, 1], channels last in memory."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def to_bytes(pictures: Tensor) -> np.ndarray:
    """The inverse of to_tensor, rounded."""
    return (pictures.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
