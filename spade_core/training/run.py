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
from collections.abc import Callable, Iterator

import torch

from .. import distributed
from ..checkpoint.file import Checkpoint, save_checkpoint
from ..checkpoint.names import model_path, state_path, states_of
from ..contract.errors import BadOptionError, InternalError, OutOfMemoryError, SpadeError
from ..contract.labels import LabelSet
from ..data.crops import CropBatch, CropSampler, sound
from ..data.layouts.layouts import VAL, find_pairs, label_set_of, list_files
from ..data.loader import Loader, default_workers, workers_that_fit
from ..data.pairs import Pair
from ..pixels import to_network
from ..runtime import chosen_device, is_out_of_memory
from ..synthesis.style_collection import with_styles
from ..synthesis.synthesizer import Synthesizer
from .batch import Batch
from .config import TrainingConfig, plain_values
from .curves import Curves
from .networks import label_channels, refuse_lone_values
from .samples import sample_grid, save_grid
from .state import load_state, restore, save_state
from .trainer import Trainer
from .warm_start import start_from

KEPT_STATES = 2

SAMPLE_ROWS = 6

STYLED_BY = 500
"""Photos whose styles each model that is written carries: seconds."""

NATIVE = 256
"""Pixels: samples are also painted at this size, and it is what a model trained on smaller squares is served at."""

AfterStep = Callable[[int, dict[str, float], float], None]
"""Called after a step with images seen, losses, and images a second."""


class StoppedWaitingError(Exception):
    """Nobody wants the batch any more that was waited for."""


class Run:
    """A training run: made new, or continued from what its folder holds."""

    def __init__(
        self,
        config: TrainingConfig,
        label_set: LabelSet,
        trainer: Trainer,
        crops: CropSampler,
        held_out: list[Pair],
    ) -> None:
        self.config, self.label_set, self.trainer, self.crops = config, label_set, trainer, crops
        self.held_out = held_out[:: max(1, len(held_out) // SAMPLE_ROWS)][:SAMPLE_ROWS]
        if config.skip_damaged:
            self.held_out = sound(self.held_out, label_set)
        self.stopped = False
        self.curves: Curves | None = None
        wanted = config.workers
        if wanted is None:
            wanted = default_workers(trainer.device, distributed.world_size())
        workers = workers_that_fit(wanted, batch_bytes(config))
        self.fewer_workers = None if workers == wanted else (wanted, workers)
        """Of processes that read photos, how many were wanted and how many there is room for."""
        self.loader = Loader(crops, trainer.images_seen // crops.batch, trainer.device, workers)

    @classmethod
    def open(cls, config: TrainingConfig) -> Run:
        """Read the data, build the networks, and continue the folder's newest state or begin anew.

        Raises what finding the pairs, building the networks and reading a state or a model raise.
        """
        if config.threads:
            torch.set_num_threads(config.threads)
        label_set = label_set_of(config.data, config.layout, config.label_set)
        device = chosen_device(config.device)
        crops = crop_sampler(config, label_set, distributed.rank(), distributed.world_size())
        held_out = list_files(config.data, VAL, config.layout).pairs or crops.pairs
        channels = label_channels(config.recipe, label_set)
        dont_care = dict(channels.of_ids)[label_set.ignore_id]
        trainer = Trainer(config, channels.count, dont_care, device)
        trainer.label_set = label_set
        states = states_of(config.output)
        if states:
            restore(trainer, load_state(states[-1]))
        else:
            _begin(trainer, label_set)
        return cls(config, label_set, trainer, crops, held_out)

    def _batch(self, loaded: CropBatch) -> Batch:
        instances = loaded.instances
        return Batch(
            to_network(loaded.rgb, self.trainer.device),
            loaded.channels.to(self.trainer.device, non_blocking=True),
            None if instances is None else instances.to(self.trainer.device, non_blocking=True).long(),
            loaded.shown.to(self.trainer.device, non_blocking=True)
            if self.config.recipe.crops.grey_box.share
            else None,
        )

    def train(self, report: AfterStep) -> None:
        """Train until the configured number of images has been seen, or stop() is called; then save.

        Raises InternalError where a loss is no longer a number and OutOfMemoryError, both with what to do;
        CannotWriteError.
        """
        trainer, last_saved = self.trainer, self.trainer.images_seen
        if distributed.rank() == 0:
            self.curves = Curves(
                self.config.output, last_saved, self.config.tracker, plain_values(self.config)
            )
        with self.loader as loader:
            batches = iter(loader)
            while trainer.images_seen < self.config.images and not distributed.any_rank(self.stopped):
                started = time.perf_counter()
                batch = self._next(batches, last_saved)
                if batch is None:
                    break
                losses = self._step(self._batch(batch))
                if self.curves is not None:
                    rate = self.crops.batch / (time.perf_counter() - started)
                    self.curves.add(
                        trainer.images_seen, losses, {"training": rate, "loader": loader.images_per_second}
                    )
                    report(trainer.images_seen, losses, rate)
                if trainer.images_seen - last_saved >= self.config.save_every:
                    last_saved = trainer.images_seen
                    self.save()
        if trainer.images_seen > last_saved or not state_path(self.config.output, last_saved).exists():
            self.save()
        if self.curves is not None:
            self.curves.close()
        distributed.barrier()

    def _next(self, batches: Iterator[CropBatch], last_saved: int) -> CropBatch | None:
        """None where told to stop meanwhile. What is wrong with a photo, or with who reads it, costs no step."""
        try:
            return next(batches)
        except StoppedWaitingError:
            return None
        except SpadeError:
            if self.trainer.images_seen > last_saved:
                self.save()
            raise

    def _step(self, batch: Batch) -> dict[str, float]:
        squares = self.config.recipe.crops
        try:
            return self.trainer.train_step(batch)
        except InternalError as error:
            states = states_of(self.config.output)
            last = (
                f"The last good checkpoint is {states[-1].name}: the same command"
                if states
                else "The command"
            )
            raise InternalError(
                error.message,
                fix=f"{last} goes on from there; halve --generator-lr and --discriminator-lr.",
            ) from None
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemoryError(
                f"There is too little memory for {squares.batch} squares of {squares.size} pixels in "
                f"{self.config.accumulate} parts.",
                fix=f"Add --accumulate {2 * self.config.accumulate} (the same result in smaller parts) or --recompute, "
                "or lower --batch or --size.",
            ) from None

    def stop(self) -> None:
        """Save and leave after the step that is running: half a step cannot be continued. For a signal's handler: where
        a batch is waited for, which may never come, it raises what ends that."""
        self.stopped = True
        if self.loader.waiting and distributed.world_size() == 1:
            raise StoppedWaitingError

    def save(self) -> None:
        """Checkpoint, model and sample grids of this moment, by one process; older states go."""
        if distributed.rank() != 0:
            return
        output, seen = self.config.output, self.trainer.images_seen
        save_state(self.trainer, state_path(output, seen))
        for old in states_of(output)[:-KEPT_STATES]:
            old.unlink()
        # What is made for looking at must not change what is drawn for training: a continued run does not look.
        with torch.random.fork_rng(devices=[]):
            checkpoint = self.checkpoint()
            if checkpoint.style_encoder is not None:
                pairs, device = self._looked_at(), self.trainer.device
                checkpoint = with_styles(checkpoint, pairs, {}, looked_at=STYLED_BY, device=device)
            save_checkpoint(model_path(output, seen), checkpoint)
            self._show(Synthesizer(checkpoint, output.name, "", self.trainer.device), seen)

    def _looked_at(self) -> list[Pair]:
        """The photos whose styles go with a model."""
        pairs = self.crops.pairs
        if not self.config.skip_damaged:
            return pairs
        return sound(pairs[:: max(1, len(pairs) // STYLED_BY)], self.label_set)

    def _show(self, model: Synthesizer, seen: int) -> None:
        trained_at = self.config.recipe.crops.shape or (NATIVE, NATIVE)
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
            self.trainer.networks.ema,
            self.trainer.networks.encoder,
        )
        return Checkpoint(
            generator=averaged.generator.config,
            generator_weights=averaged.generator.state_dict(),
            label_set=self.label_set,
            native_size=max((*(self.config.recipe.crops.shape or ()), NATIVE)),
            trained_size=self.config.recipe.crops.shape,
            channels=self.crops.channels if self.config.recipe.channels == "published" else None,
            style_encoder=None if encoder is None else dataclasses.replace(encoder.config, spectral=False),
            encoder_weights={} if averaged.encoder is None else averaged.encoder.state_dict(),
            provenance={
                "data": self.config.data.name,
                "terms": self.config.terms,
                "images_seen": trainer.images_seen, "steps": trainer.step, "torch": torch.__version__,
                "hardware": f"{platform.machine()} {self.trainer.device.type}, {torch.get_num_threads()} threads",
                "started_from": trainer.started_from,
                "config": plain_values(self.config),
            },
        )  # fmt: skip


def batch_bytes(config: TrainingConfig) -> int:
    """What a batch takes on its way from the process that made it; 0 where photos keep sizes of their own."""
    crops = config.recipe.crops
    if crops.shape is None:
        return 0
    a_pixel = 3 + 8 + 8 * bool(crops.grey_box.share) + 4 * config.recipe.generator.instance_edges
    return crops.shape[0] * crops.shape[1] * a_pixel * crops.batch // distributed.world_size()


def crop_sampler(config: TrainingConfig, label_set: LabelSet, rank: int, ranks: int) -> CropSampler:
    """The crops of one of several processes. Raises BadOptionError where they cannot share a batch evenly."""
    crops = config.recipe.crops
    if crops.batch % (ranks * config.accumulate):
        shared = f" through {ranks} processes" if ranks > 1 else ""
        raise BadOptionError(
            f"A batch of {crops.batch} cannot go{shared} in {config.accumulate} parts.",
            fix=f"Choose a --batch that is a multiple of {ranks * config.accumulate}.",
        )
    refuse_lone_values(config.recipe, config.accumulate, ranks)
    return CropSampler(
        find_pairs(config.data, "train", config.layout), label_set, crops.rule, crops.batch, config.seed,
        grey_box=crops.grey_box if crops.grey_box.share else None, rank=rank, ranks=ranks,
        reduce=crops.mode != "any_scale", with_instances=config.recipe.generator.instance_edges,
        channels=label_channels(config.recipe, label_set), skip_damaged=config.skip_damaged,
    )  # fmt: skip


def _begin(trainer: Trainer, label_set: LabelSet) -> None:
    """Statistics from some photos, then the weights of the model or state that the run is to begin with."""
    crops = crop_sampler(trainer.config, label_set, 0, 1)
    batches = range(max(1, 64 // crops.batch))
    trainer.calibrate(torch.cat([to_network(crops[each].rgb, trainer.device) for each in batches]))
    if trainer.config.start_from is not None:
        start_from(trainer, trainer.config.start_from, label_set)
