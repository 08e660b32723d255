# SPDX-License-Identifier: Apache-2.0
"""How many training pictures a second the loader makes, by workers, size and what is done to them.

python -m benchmarks.loader [DATA] [--seconds 4]

Without DATA, 240 photographs of noise at 640 x 480 are written for it (JPEG, as COCO has them). Nothing is kept in
memory between pictures: what is measured is what a set larger than memory gets.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from spade_core.contract.labels import LabelSet
from spade_core.data.crops import CropSampler
from spade_core.data.grey_box.augment import GreyBox
from spade_core.data.layouts.layouts import find_pairs, label_set_of
from spade_core.data.loader import Loader
from spade_core.data.pairs import Pair
from spade_core.data.placement import CropRule, PlacementRule, Preprocess

BATCH = 16
RULES: dict[str, tuple[PlacementRule, GreyBox | None, bool]] = {
    "128, cut at random": (CropRule(128), None, False),
    "128, at one scale": (CropRule(128, max_scale=1.0), None, False),
    "128, JPEG reduced": (CropRule(128, max_scale=1.0), None, True),
    "256, cut at random": (CropRule(256), None, False),
    "256, reference's": (Preprocess("resize_and_crop", 286, 256), None, False),
    "256, half blocked out": (CropRule(256), GreyBox(share=0.5), False),
}


def write_pairs(folder: Path, count: int = 240) -> None:
    """Photographs and label maps of about the cost of real ones."""
    random = np.random.default_rng(0)
    for kind in ("images", "labels"):
        (folder / kind).mkdir()
    for number in range(count):
        ids = Image.fromarray(random.integers(0, 17, (12, 16)).astype(np.uint8))
        ids = ids.resize((640, 480), Image.Resampling.BICUBIC).point([value % 17 for value in range(256)])
        rough = Image.fromarray(random.integers(0, 256, (120, 160, 3)).astype(np.uint8))
        rough.resize((640, 480), Image.Resampling.BICUBIC).save(
            folder / "images" / f"{number}.jpg", quality=92
        )
        ids.save(folder / "labels" / f"{number}.png")


def measured(
    pairs: list[Pair], label_set: LabelSet, rule: str, workers: int, seconds: float
) -> tuple[float, float]:
    """Pictures a second as they come out of the loader, and as it says itself that it can make them."""
    placement, grey_box, reduce = RULES[rule]
    sampler = CropSampler(
        pairs, label_set, placement, BATCH, 0, grey_box=grey_box, reduce=reduce, cache_bytes=0
    )
    with Loader(sampler, 0, torch.device("cpu"), workers) as loader:
        batches = iter(loader)
        for _ in range(max(1, 2 * workers)):  # workers start, and what was made ahead is not measured
            next(batches)
        started, taken = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            next(batches)
            taken += 1
        return taken * BATCH / (time.perf_counter() - started), loader.images_per_second


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("data", type=Path, nargs="?")
    words.add_argument("--seconds", type=float, default=4.0)
    chosen = words.parse_args()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        data = chosen.data or Path(folder)
        if chosen.data is None:
            write_pairs(data)
        pairs = find_pairs(data, None)
        label_set = label_set_of(data)
        print(
            f"{len(pairs)} pairs, batches of {BATCH}, {cores} cores; images/s (in brackets: what the loader says)\n"
        )
        counts = sorted({0, 1, cores // 2, cores - 1} - {cores})
        print(f"{'':<24}" + "".join(f"{f'{count} workers':>20}" for count in counts))
        for rule in RULES:
            rates = [measured(pairs, label_set, rule, count, chosen.seconds) for count in counts]
            print(
                f"{rule:<24}" + "".join(f"{f'{rate:.0f} ({said:.0f})':>20}" for rate, said in rates),
                flush=True,
            )


if __name__ == "__main__":
    main()
