# SPDX-License-Identifier: Apache-2.0
"""A run folder and the loop that fills it: checkpoints, sample grids, curves.

OUTPUT/state_00012000.pt        everything to go on from; the last two are kept
OUTPUT/model_00012000.safetensors   the averaged weights, ready to serve; all are kept, a later one is not always better
OUTPUT/samples/00012000_128.png
OUTPUT/curves.csv
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ..checkpoint import Checkpoint, save_checkpoint
from ..contract.errors import BadCheckpoint
from ..contract.labels import LabelSet, load_label_set
from ..data.channels import channel_count
from ..data.folder import CropRule, TrainingSquares, find_pairs
from ..device import chosen_device
from .config import TrainingConfig
from .samples import sample_grid, save_grid
from .trainer import Trainer

KEPT_STATES = 2
SAMPLE_ROWS = 6
Report = Callable[[int, dict[str, float], float], None]
"""Called after a step with images seen, losses, and images a second."""


class Run:
    """A training run: made new, or continued from what its folder holds."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        if config.threads:
            torch.set_num_threads(config.threads)
        self.label_set: LabelSet = load_label_set(config.label_set)
        self.device = chosen_device(config.device)
        rule = CropRule(config.size, config.max_scale, config.simplify)
        pairs = find_pairs(config.data, "train")
        self.held_out = find_pairs(config.data, "val")[:: max(1, 200 // SAMPLE_ROWS)][:SAMPLE_ROWS]
        self.squares = TrainingSquares(pairs, self.label_set, rule, config.batch, config.seed)
        self.trainer = Trainer(config, channel_count(self.label_set), self.device)
        self._continue()

    def _continue(self) -> None:
        states = sorted(self.config.output.glob("state_*.pt"))
        if states:
            self.trainer.restore(load_state(states[-1]))
        else:
            photos = torch.cat([self._batch(index)[0] for index in range(max(1, 64 // self.config.batch))])
            self.trainer.calibrate(photos)

    def _batch(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        rgb, channels = self.squares[index]
        photos = torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 127.5 - 1
        return photos.to(self.device, memory_format=torch.channels_last), torch.from_numpy(channels).to(
            self.device
        )

    def train(self, report: Report) -> None:
        """Train until the configured number of images has been seen; Ctrl-C saves and leaves."""
        trainer, last_saved = self.trainer, self.trainer.images_seen
        try:
            while trainer.images_seen < self.config.images:
                started = time.perf_counter()
                losses = trainer.train_step(*self._batch(trainer.step))
                self._log(losses)
                report(trainer.images_seen, losses, self.config.batch / (time.perf_counter() - started))
                if trainer.images_seen - last_saved >= self.config.save_every:
                    last_saved = trainer.images_seen
                    self.save()
        except KeyboardInterrupt:
            pass
        self.save()

    def save(self) -> None:
        """Checkpoint, model and sample grids of this moment; older states go."""
        output, seen = self.config.output, self.trainer.images_seen
        output.mkdir(parents=True, exist_ok=True)
        part = output / "state.part"
        torch.save(self.trainer.state(), part)
        os.replace(part, output / f"state_{seen:08}.pt")
        for old in sorted(output.glob("state_*.pt"))[:-KEPT_STATES]:
            old.unlink()
        save_checkpoint(output / f"model_{seen:08}.safetensors", self.checkpoint())
        for size in sorted({self.config.size, 256}):
            grid = sample_grid(self.trainer.averaged, self.held_out, self.label_set, size)
            save_grid(grid, output / "samples" / f"{seen:08}_{size}.png")

    def checkpoint(self) -> Checkpoint:
        """The averaged weights as they are served."""
        trainer = self.trainer
        return Checkpoint(
            generator=trainer.averaged.config,
            generator_weights=trainer.averaged.state_dict(),
            label_set=self.label_set,
            native_size=max(self.config.size, 256),
            style_encoder=dataclasses.replace(trainer.encoder_config, spectral=False),
            encoder_weights=trainer.averaged_encoder,
            provenance={
                "data": self.config.data.name,
                "terms": self.config.terms,
                "images_seen": trainer.images_seen, "steps": trainer.step, "torch": torch.__version__,
                "hardware": f"{platform.machine()} {self.device.type}, {torch.get_num_threads()} threads",
                "config": json.loads(json.dumps(dataclasses.asdict(self.config), default=lambda path: path.name)),
            },
        )  # fmt: skip

    def _log(self, losses: dict[str, float]) -> None:
        curves = self.config.output / "curves.csv"
        curves.parent.mkdir(parents=True, exist_ok=True)
        values = " ".join(f"{name}={value:.4f}" for name, value in losses.items())
        with curves.open("a", encoding="utf-8") as file:
            file.write(f"{self.trainer.images_seen},{time.time():.0f},{values}\n")


def load_state(path: Path) -> dict:
    """A state saved by Run.save. Raises BadCheckpoint."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises a different type for each way a file can be broken
        raise BadCheckpoint(
            f"{path.name} cannot be read: {type(error).__name__}.",
            fix="Delete it: the one before it is used.",
        ) from None
