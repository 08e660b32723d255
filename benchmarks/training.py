# SPDX-License-Identifier: Apache-2.0
"""How many photos a second training sees, by recipe, size and precision, and on a GPU what share of its peak that is.

python -m benchmarks.training [--seconds 20] [--paper]

Photos are random and on the device already: what is measured is the step. The label maps are blocks of 32 pixels; of
photos' maps somewhat more lies inside a class. "plain" is without the fused passes over memory, which a CPU with a C
compiler has (spade_core/model/fused). The first row is the baseline of the ratios.
--paper measures the paper's configuration (256 squared, batch 32) too: minutes a step on a CPU.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from spade_core.model.fused import library
from spade_core.runtime import chosen_device, keep_freed_memory
from spade_core.training.batch import Batch
from spade_core.training.config import TrainingConfig
from spade_core.training.presets import PRESETS
from spade_core.training.trainer import Trainer

LABELS, BLOCK = 18, 32
PEAK_TFLOPS = {"H100": 989.0, "H200": 989.0, "A100": 312.0, "4090": 165.0}
"""Dense bf16, by a word of the GPU's name; from the makers' data sheets."""


@dataclass(frozen=True)
class Row:
    recipe: str
    width: int
    size: int
    batch: int
    bf16: bool
    fused: bool = True


CPU_ROWS = (
    Row("frozen", 32, 128, 8, False), Row("frozen", 32, 128, 8, True), Row("frozen-clade", 32, 128, 8, True),
    Row("frozen", 24, 128, 8, True), Row("frozen", 16, 128, 8, True),
    Row("frozen", 32, 256, 4, True, fused=False), Row("frozen", 32, 256, 4, True),
)  # fmt: skip
GPU_ROWS = (
    Row("frozen", 32, 256, 32, False), Row("frozen", 32, 256, 32, True), Row("frozen-clade", 32, 256, 32, True),
    Row("frozen", 64, 256, 32, True), Row("frozen", 32, 512, 8, True),
)  # fmt: skip
PAPER_ROW = Row("paper", 64, 256, 32, True)


def trainer_of(row: Row, device: torch.device) -> Trainer:
    recipe = PRESETS[row.recipe][1]
    losses = replace(recipe.losses, warmup=0)
    if (
        losses.perceptual == "vgg"
    ):  # its weights may not be at hand; the frozen pyramid's work is of its order
        losses = replace(losses, perceptual="taps")
    crops = replace(recipe.crops, size=row.size, batch=row.batch)
    recipe = replace(
        recipe, crops=crops, losses=losses, generator=replace(recipe.generator, base_width=row.width)
    )
    config = TrainingConfig(Path(), Path(), recipe=recipe, bf16=row.bf16, device=device.type)
    return Trainer(config, LABELS, None, device)


def measured(row: Row, device: torch.device, seconds: float) -> tuple[float, float]:
    """Photos a second, and tera-operations a second that convolutions and products of matrices take for them."""
    os.environ["SPADE_FUSED"] = str(int(row.fused))
    library.library.cache_clear()
    trainer = trainer_of(row, device)
    random = torch.Generator().manual_seed(0)
    shape = (row.batch, 3, row.size, row.size)
    photos = (torch.rand(shape, generator=random) * 2 - 1).to(device, memory_format=torch.channels_last)
    coarse = torch.randint(LABELS, (row.batch, row.size // BLOCK, row.size // BLOCK), generator=random)
    channels = coarse.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2).to(device)
    batch = Batch(photos, channels)
    with FlopCounterMode(display=False) as counter:
        trainer.train_step(batch)
    for _ in range(2):
        trainer.train_step(batch)
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        trainer.train_step(batch)  # its losses are read: the device is done when it returns
        steps += 1
    rate = steps * row.batch / (time.perf_counter() - started)
    return rate, counter.get_total_flops() / row.batch * rate / 1e12


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seconds", type=float, default=20.0)
    words.add_argument("--paper", action="store_true")
    words.add_argument("--device", default="auto")
    chosen = words.parse_args()
    keep_freed_memory()  # as `spade train` does
    device = chosen_device(chosen.device)
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{torch.get_num_threads()} CPU threads"
    )
    peak = next((value for word, value in PEAK_TFLOPS.items() if word in name), None)
    rows = (GPU_ROWS if device.type == "cuda" else CPU_ROWS) + ((PAPER_ROW,) if chosen.paper else ())
    print(f"{name}, torch {torch.__version__}\n")
    print(
        "recipe        width  size  batch  precision   photos/s  ratio  TFLOP/s"
        + ("  of peak" if peak else "")
    )
    baseline = 0.0
    for row in rows:
        rate, work = measured(row, device, chosen.seconds)
        baseline = baseline or rate
        share = f"  {work / peak:7.1%}" if peak and row.bf16 else ""
        precision = ("bf16" if row.bf16 else "float32") + ("" if row.fused else " plain")
        print(
            f"{row.recipe:<13} {row.width:>5} {row.size:>5} {row.batch:>6}  {precision:<10} {rate:>9.2f} "
            f"{rate / baseline:>6.2f} {work:>8.2f}{share}",
            flush=True,
        )


if __name__ == "__main__":
    main()
