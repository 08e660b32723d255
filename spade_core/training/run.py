# SPDX-License-Identifier: Apache-2.0
"""A run folder and the loop that fills it: checkpoints, sample grids, curves.

OUTPUT/state_00012000.pt        everything to go on from; the last two are kept
OUTPUT/model_00012000.safetensors   the averaged weights, ready to serve; all are kept, a later one is not always better
OUTPUT/samples/00012000_128.png
OUTPUT/curves.csv
"""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Callable

import numpy as np
import torch

from .. import joined
from ..checkpoint import Checkpoint, save_checkpoint
from ..contract.errors import BadOption
from ..contract.labels import LabelSet, load_label_set
from ..data.channels import LabelChannels
from ..data.folder import CropRule, TrainingSquares, find_pairs
from ..device import chosen_device
from .config import TrainingConfig, plain_values
from .samples import sample_grid, save_grid
from .state import load_state, photos_seen, restore, save_state
from .trainer import Batch, Trainer
from .warm_start import start_from

KEPT_STATES = 2
SAMPLE_ROWS = 6
Report = Callable[[int, dict[str, float], float], None]
"""Called after a step with images seen, losses, and images a second."""


class Run:
    """A training run: made new, or continued from what its folder holds."""

    def __init__(self, config: TrainingConfig) -> None:
        self.config, self.stopped = config, False
        if config.threads:
            torch.set_num_threads(config.threads)
        self.label_set: LabelSet = load_label_set(config.label_set)
        self.device = chosen_device(config.device)
        if config.recipe.generator.instance_edges:
            raise BadOption(
                "There are no instance maps in this folder for a generator that looks at instance edges.",
                fix="Leave --generator.instance-edges out.",
            )
        squares = config.recipe.squares
        rule = CropRule(squares.size, squares.max_scale)
        pairs = find_pairs(config.data, "train")
        self.held_out = find_pairs(config.data, "val")[:: max(1, 200 // SAMPLE_ROWS)][:SAMPLE_ROWS]
        self.squares = TrainingSquares(
            pairs, self.label_set, rule, squares.batch, config.seed,
            grey_box=squares.grey_box if squares.grey_box.share else None, rank=joined.rank(), ranks=joined.count(),
        )  # fmt: skip
        channels = LabelChannels.of(self.label_set)
        dont_care = dict(channels.of_ids)[self.label_set.ignore_id]
        self.trainer = Trainer(config, channels.count, dont_care, self.device)
        self._begin()

    def _begin(self) -> None:
        states = sorted(self.config.output.glob("state_*.pt"), key=photos_seen)
        if states:
            restore(self.trainer, load_state(states[-1]))
            return
        squares = self.squares
        whole = TrainingSquares(squares.pairs, self.label_set, squares.rule, squares.batch, squares.seed)
        photos = [self._photos(whole[index][0]) for index in range(max(1, 64 // squares.batch))]
        self.trainer.calibrate(torch.cat(photos))
        if self.config.start_from is not None:
            start_from(self.trainer, self.config.start_from, self.label_set)

    def _photos(self, rgb: np.ndarray) -> torch.Tensor:
        """rgb: (B, H, W, 3) uint8; returns (B, 3, H, W) float32 in [-1, 1]."""
        photos = torch.from_numpy(rgb).permute(0, 3, 1, 2).float() / 127.5 - 1
        return photos.to(self.device, memory_format=torch.channels_last)

    def _batch(self, index: int) -> Batch:
        rgb, channels = self.squares[index]
        return Batch(self._photos(rgb), torch.from_numpy(channels).to(self.device))

    def train(self, report: Report) -> None:
        """Train until the configured number of images has been seen, or stop() is called; then save."""
        trainer, last_saved = self.trainer, self.trainer.images_seen
        while trainer.images_seen < self.config.images and not joined.any_of(self.stopped):
            started = time.perf_counter()
            # With another batch than before it is the photos that go on, not the steps.
            losses = trainer.train_step(self._batch(trainer.images_seen // self.squares.batch))
            if joined.rank() == 0:
                self._log(losses)
                report(trainer.images_seen, losses, self.squares.batch / (time.perf_counter() - started))
            if trainer.images_seen - last_saved >= self.config.save_every:
                last_saved = trainer.images_seen
                self.save()
        self.save()
        joined.wait()

    def stop(self) -> None:
        """Save and leave after the step that is running: half a step cannot be continued."""
        self.stopped = True

    def save(self) -> None:
        """Checkpoint, model and sample grids of this moment, by one process; older states go."""
        if joined.rank() != 0:
            return
        output, seen = self.config.output, self.trainer.images_seen
        save_state(self.trainer, output / f"state_{seen:08}.pt")
        for old in sorted(output.glob("state_*.pt"), key=photos_seen)[:-KEPT_STATES]:
            old.unlink()
        save_checkpoint(output / f"model_{seen:08}.safetensors", self.checkpoint())
        generator = self.trainer.networks.averaged.generator
        sides = {generator.fixed_size[0]} if generator.fixed_size else {self.config.recipe.squares.size, 256}
        for size in sorted(sides):
            grid = sample_grid(generator, self.held_out, self.label_set, size)
            save_grid(grid, output / "samples" / f"{seen:08}_{size}.png")

    def checkpoint(self) -> Checkpoint:
        """The averaged weights as they are served."""
        trainer, averaged, encoder = (
            self.trainer,
            self.trainer.networks.averaged,
            self.trainer.networks.encoder,
        )
        return Checkpoint(
            generator=averaged.generator.config,
            generator_weights=averaged.generator.state_dict(),
            label_set=self.label_set,
            native_size=max(self.config.recipe.squares.size, 256),
            style_encoder=None if encoder is None else dataclasses.replace(encoder.config, spectral=False),
            encoder_weights=averaged.encoder_weights,
            provenance={
                "data": self.config.data.name,
                "terms": self.config.terms,
                "images_seen": trainer.images_seen, "steps": trainer.step, "torch": torch.__version__,
                "hardware": f"{platform.machine()} {self.device.type}, {torch.get_num_threads()} threads",
                "started_from": trainer.started_from,
                "config": plain_values(self.config),
            },
        )  # fmt: skip

    def _log(self, losses: dict[str, float]) -> None:
        curves = self.config.output / "curves.csv"
        curves.parent.mkdir(parents=True, exist_ok=True)
        values = " ".join(f"{name}={value:.4f}" for name, value in losses.items())
        with curves.open("a", encoding="utf-8") as file:
            file.write(f"{self.trainer.images_seen},{time.time():.0f},{values}\n")
