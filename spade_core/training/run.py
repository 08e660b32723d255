# SPDX-License-Identifier: Apache-2.0
"""A run folder and the loop that fills it: checkpoints, sample grids, curves.

OUTPUT/state_00012000.pt        everything to go on from; the last two are kept
OUTPUT/model_00012000.safetensors   the averaged weights, ready to serve; all are kept, a later one is not always better
OUTPUT/samples/00012000_128.png
OUTPUT/curves.csv, OUTPUT/tensorboard/
"""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Callable

import torch

from .. import joined
from ..checkpoint import Checkpoint, save_checkpoint
from ..contract.errors import BadOption, Internal, OutOfMemory
from ..contract.labels import LabelSet
from ..data.channels import LabelChannels
from ..data.layouts import VAL, find_pairs, label_set_of, list_files
from ..data.loader import LoadedBatch, Loader, default_workers
from ..data.squares import TrainingSquares
from ..device import chosen_device, is_out_of_memory
from ..synthesis.synthesizer import Synthesizer
from .config import TrainingConfig, plain_values
from .curves import Curves
from .samples import sample_grid, save_grid
from .state import load_state, photos_seen, restore, save_state
from .trainer import Batch, Trainer
from .warm_start import start_from

KEPT_STATES = 2
SAMPLE_ROWS = 6
NATIVE = 256
"""Pixels: samples are also painted at this size, and it is what a model trained on smaller squares is served at."""
Report = Callable[[int, dict[str, float], float], None]
"""Called after a step with images seen, losses, and images a second."""


class Run:
    """A training run: made new, or continued from what its folder holds."""

    def __init__(self, config: TrainingConfig) -> None:
        """Raises what reading the data and building the networks raise."""
        self.config, self.stopped = config, False
        self.curves: Curves | None = None
        if config.threads:
            torch.set_num_threads(config.threads)
        self.label_set: LabelSet = label_set_of(config.data, config.layout, config.label_set)
        self.device = chosen_device(config.device)
        self.squares = self._squares(joined.rank(), joined.count())
        held_out = list_files(config.data, VAL, config.layout).pairs or self.squares.pairs
        self.held_out = held_out[:: max(1, len(held_out) // SAMPLE_ROWS)][:SAMPLE_ROWS]
        channels = LabelChannels.of(self.label_set)
        dont_care = dict(channels.of_ids)[self.label_set.ignore_id]
        self.trainer = Trainer(config, channels.count, dont_care, self.device)
        workers = default_workers(self.device, joined.count()) if config.workers is None else config.workers
        self._begin()
        self.loader = Loader(
            self.squares, self.trainer.images_seen // self.squares.batch, self.device, workers
        )

    def _squares(self, rank: int, ranks: int) -> TrainingSquares:
        squares, config = self.config.recipe.squares, self.config
        if squares.batch % (ranks * config.accumulate):
            raise BadOption(
                f"A batch of {squares.batch} cannot go through {ranks} processes in {config.accumulate} parts.",
                fix=f"Choose a --batch that is a multiple of {ranks * config.accumulate}.",
            )
        return TrainingSquares(
            find_pairs(config.data, "train", config.layout), self.label_set, squares.rule, squares.batch, config.seed,
            grey_box=squares.grey_box if squares.grey_box.share else None, rank=rank, ranks=ranks,
            reduce=squares.mode != "any_scale", with_instances=config.recipe.generator.instance_edges,
        )  # fmt: skip

    def _begin(self) -> None:
        states = sorted(self.config.output.glob("state_*.pt"), key=photos_seen)
        if states:
            restore(self.trainer, load_state(states[-1]))
            return
        whole = self._squares(0, 1)
        photos = [
            self._photos(torch.from_numpy(whole[index][0])) for index in range(max(1, 64 // whole.batch))
        ]
        self.trainer.calibrate(torch.cat(photos))
        if self.config.start_from is not None:
            start_from(self.trainer, self.config.start_from, self.label_set)

    def _photos(self, rgb: torch.Tensor) -> torch.Tensor:
        """rgb: (B, H, W, 3) uint8; returns (B, 3, H, W) float32 in [-1, 1]."""
        photos = rgb.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float() / 127.5 - 1
        return photos.to(memory_format=torch.channels_last)

    def _batch(self, loaded: LoadedBatch) -> Batch:
        instances = loaded.instances
        return Batch(
            self._photos(loaded.rgb),
            loaded.channels.to(self.device, non_blocking=True),
            None if instances is None else instances.to(self.device, non_blocking=True).long(),
        )

    def train(self, report: Report) -> None:
        """Train until the configured number of images has been seen, or stop() is called; then save.

        Raises Internal where a loss is no longer a number and OutOfMemory, both with what to do; CannotWrite.
        """
        trainer, last_saved = self.trainer, self.trainer.images_seen
        self.curves = Curves(self.config.output, last_saved) if joined.rank() == 0 else None
        with self.loader as loader:
            batches = iter(loader)
            while trainer.images_seen < self.config.images and not joined.any_of(self.stopped):
                started = time.perf_counter()
                losses = self._step(self._batch(next(batches)))
                if self.curves is not None:
                    rate = self.squares.batch / (time.perf_counter() - started)
                    self.curves.add(
                        trainer.images_seen, losses, {"training": rate, "loader": loader.images_per_second}
                    )
                    report(trainer.images_seen, losses, rate)
                if trainer.images_seen - last_saved >= self.config.save_every:
                    last_saved = trainer.images_seen
                    self.save()
        if trainer.images_seen > last_saved or not self._saved_at(last_saved):
            self.save()
        if self.curves is not None:
            self.curves.close()
        joined.wait()

    def _saved_at(self, seen: int) -> bool:
        return (self.config.output / f"state_{seen:08}.pt").exists()

    def _step(self, batch: Batch) -> dict[str, float]:
        squares = self.config.recipe.squares
        try:
            return self.trainer.train_step(batch)
        except Internal as error:
            states = sorted(self.config.output.glob("state_*.pt"), key=photos_seen)
            last = (
                f"The last good checkpoint is {states[-1].name}: the same command"
                if states
                else "The command"
            )
            raise Internal(
                error.message,
                fix=f"{last} goes on from there; halve --generator-rate and --discriminator-rate.",
            ) from None
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(
                f"There is too little memory for {squares.batch} squares of {squares.size} pixels in "
                f"{self.config.accumulate} parts.",
                fix=f"Add --accumulate {2 * self.config.accumulate} (the same result in smaller parts) or --recompute, "
                "or lower --batch or --size.",
            ) from None

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
        checkpoint = self.checkpoint()
        save_checkpoint(output / f"model_{seen:08}.safetensors", checkpoint)
        # What is drawn for looking at must not change what is drawn for training: a continued run does not look.
        with torch.random.fork_rng(devices=[]):
            self._show(Synthesizer(checkpoint, output.name, "", self.device), seen)

    def _show(self, model: Synthesizer, seen: int) -> None:
        trained_at = self.config.recipe.squares.shape or (NATIVE, NATIVE)
        sizes = {trained_at} if self.trainer.networks.generator.fixed_size else {trained_at, (NATIVE, NATIVE)}
        for size in sorted(sizes):
            grid = sample_grid(model, self.held_out, size)
            save_grid(grid, self.config.output / "samples" / f"{seen:08}_{size[0]}.png")
            if self.curves is not None:
                self.curves.show(seen, f"samples/{size[0]}", grid)

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
            native_size=max(*(self.config.recipe.squares.shape or ()), NATIVE),
            style_encoder=None if encoder is None else dataclasses.replace(encoder.config, spectral=False),
            encoder_weights={} if averaged.encoder is None else averaged.encoder.state_dict(),
            provenance={
                "data": self.config.data.name,
                "terms": self.config.terms,
                "images_seen": trainer.images_seen, "steps": trainer.step, "torch": torch.__version__,
                "hardware": f"{platform.machine()} {self.device.type}, {torch.get_num_threads()} threads",
                "started_from": trainer.started_from,
                "config": plain_values(self.config),
            },
        )  # fmt: skip
