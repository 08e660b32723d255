# SPDX-License-Identifier: Apache-2.0
"""The grid a run is watched by: labels | generated | the same labels in another style | photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..contract.labels import LabelSet
from ..data.channels import channel_indices
from ..data.folder import Pair, read_pair
from ..model.interface import ImageGenerator
from ..model.spade import one_hot


def sample_grid(
    generator: ImageGenerator, pairs: list[Pair], label_set: LabelSet, size: int, seed: int = 0
) -> Image.Image:
    """One row of four squares a pair; generator in eval mode; size a multiple of 32."""
    rows = []
    device = next(generator.parameters()).device
    for index, pair in enumerate(pairs):
        photo, labels = read_pair(pair, label_set)
        ids = np.asarray(labels.resize((size, size), Image.Resampling.NEAREST))
        cells = [label_set.colorize(ids)]
        channels = torch.from_numpy(channel_indices(label_set, ids)[None]).to(device)
        for style_seed in (seed + index, seed + index + 1000):
            random = torch.Generator().manual_seed(style_seed)
            style = torch.randn(1, generator.config.style_size, generator=random).to(device)
            noise = generator.draw_noise(1, size, size, random)
            with torch.no_grad():
                rgb = generator(one_hot(channels, generator.config.label_channels), style, noise)[0]
            cells.append(((rgb + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy())
        cells.append(np.asarray(photo.resize((size, size), Image.Resampling.LANCZOS)))
        rows.append(np.concatenate(cells, axis=1))
    return Image.fromarray(np.concatenate(rows))


def save_grid(grid: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grid.save(path)
