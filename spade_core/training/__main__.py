# SPDX-License-Identifier: Apache-2.0
"""`spade train`, and what torchrun and `accelerate launch` start: python -m spade_core.training."""

from __future__ import annotations

import difflib
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import tyro
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .. import distributed
from ..checkpoint.names import models_of
from ..checkpoint.sources import model_file
from ..command_line import parsed_command
from ..contract.console import print_error
from ..contract.errors import BadOptionError, SpadeError
from ..files import claim_folder
from ..runtime import chosen_device, keep_freed_memory
from .config import TrainingConfig
from .fitted import fitted
from .presets import PRESETS
from .run import Run
from .summary import summary
from .trackers import refuse_missing

MISSING: Any = tyro.MISSING
STOPPED = 130
"""Exit code of a run that was told to stop: as a program's that Ctrl-C ended."""
QUIET_S = 60.0
"""Between two lines where there is no terminal."""


def wanted(arguments: Sequence[str], default: TrainingConfig | None = None) -> TrainingConfig:
    """The command line as written: a recipe's name first, "frozen" where there is none, then what is changed of it.

    default: what is changed in place of the recipe.
    """
    named = arguments[0] if arguments and arguments[0] in PRESETS else None
    recipes = "\n".join(f"- {known}: {what}" for known, (what, _) in PRESETS.items())
    return parsed_command(
        TrainingConfig,
        arguments[1:] if named else arguments,
        prog="spade train",
        description=(
            "Train a model, or continue what the output folder holds.\n\nspade train [RECIPE] --data DIR -o DIR\n\n"
            f"Recipes:\n\n{recipes}\n\nThe numbers below are those of: {named or 'frozen'}; sizes, batch and length of "
            "a run that are not named fit the data and the device."
        ),
        default=default or TrainingConfig(MISSING, MISSING, recipe=PRESETS[named or "frozen"][1]),
        # The recipe says which kinds of networks; their numbers are options.
        config=(tyro.conf.AvoidSubcommands,),
    )


def parsed(arguments: Sequence[str]) -> TrainingConfig:
    """As wanted; what is not named fits the data, the device and the model to begin with. Raises what fitted raises."""
    first = with_start_file(wanted(arguments))
    refuse_impossible(first)
    refuse_missing(first.tracker)
    return with_start_file(wanted(arguments, replace(fitted(first), data=MISSING, output=MISSING)))


def with_start_file(config: TrainingConfig) -> TrainingConfig:
    """With the file that the word after --from means. Raises UnknownModelError."""
    if config.start_from is None:
        return config
    return replace(config, start_from=model_file(str(config.start_from)))


def refuse_impossible(config: TrainingConfig) -> None:
    """Raises BadOptionError for numbers of which there is nothing to train."""
    crops = config.recipe.crops
    fewest = {
        "images": config.images, "batch": crops.batch, "size": crops.size, "save-every": config.save_every,
        "accumulate": config.accumulate,
    }  # fmt: skip
    for name, number in fewest.items():
        if number < 1:
            raise BadOptionError(f"--{name} is {number}.", "Give a number from 1 up.")
    if (config.workers or 0) < 0:
        raise BadOptionError(f"--workers is {config.workers}.", "Give 0, or how many processes read photos.")
    processors = os.cpu_count() or config.threads
    if not 0 <= config.threads <= processors:  # more only wait for each other
        raise BadOptionError(
            f"--threads is {config.threads}.",
            f"Give 0 for torch's choice, or up to {processors} on this machine.",
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 where the run came to its end, STOPPED where it was told to stop before, 2 for what one can mend."""
    keep_freed_memory()
    try:
        arguments = sys.argv[1:] if arguments is None else arguments
        refuse_unknown_recipe(arguments)
        config = parsed(arguments)
        with distributed.process_group(chosen_device(config.device)):
            return train(config)
    except SpadeError as error:
        print_error(error.message, error.fix)
        return 2


def refuse_unknown_recipe(arguments: Sequence[str]) -> None:
    """Raises BadOptionError for a first word that is no recipe, naming those there are, and for a recipe at the end."""
    first = arguments[0] if arguments else "-"
    if not first.startswith("-") and first not in PRESETS:
        near = difflib.get_close_matches(first, PRESETS, 1)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise BadOptionError(f"There is no recipe '{first}'.", f"{meant}Recipes: {', '.join(PRESETS)}.")
    last = arguments[-1] if first.startswith("-") and len(arguments) > 2 else ""
    # What follows an option is its value, even if a folder is called like a recipe.
    if last in PRESETS and not arguments[-2].startswith("-"):
        raise BadOptionError(
            f"The recipe '{last}' comes first.", f"Write it before the options: spade train {last} ..."
        )


def train(config: TrainingConfig) -> int:
    """Run to the end, or until told to stop, showing how far it is. Returns as main does."""
    run = Run.open(config)
    chief = distributed.rank() == 0
    if chief:
        claim_folder(config.output)
    if chief and run.fewer_workers is not None:
        wanted, there = run.fewer_workers
        print(
            f"{there} in place of {wanted} processes read photos: /dev/shm has no room for the batches of more."
        )

    def heard(*_: object) -> None:
        if chief and not run.stopped:
            os.write(
                2, b"\nStopping: what was learned is saved after this step.\n"
            )  # print is not for handlers
        run.stop()

    # A scheduler's TERM, and Ctrl-C even where the shell started us in the background, save and leave.
    for signaled in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signaled, heard)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not chief) as progress:
        if chief:
            for line in (*summary(run), f"{config.output} fills up."):
                progress.console.print(line, highlight=False, markup=False, soft_wrap=True)
        task = progress.add_task("training", total=config.images, completed=run.trainer.images_seen)
        shown, smooth = time.monotonic(), 0.0

        def report(seen: int, losses: dict[str, float], rate: float) -> None:
            nonlocal shown, smooth
            smooth = rate if smooth == 0 else 0.95 * smooth + 0.05 * rate
            speed = f"{smooth:.1f} images/s (loader {run.loader.images_per_second:.0f})"
            progress.update(task, completed=seen, description=speed)
            if not sys.stdout.isatty() and time.monotonic() - shown > QUIET_S:
                shown = time.monotonic()
                told = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
                print(f"{seen} of {config.images}, {speed}: {told}", flush=True)

        run.train(report)
    seen = run.trainer.images_seen
    if chief:
        for line in ending(config, seen):
            print(line)
    return 0 if seen >= config.images else STOPPED


def ending(config: TrainingConfig, seen: int) -> list[str]:
    """What to do next, in words."""
    models = models_of(config.output)
    served = f"spade-server --models {config.output}"
    if seen < config.images:
        return [f"Stopped at {seen} of {config.images} photos; the same command goes on."]
    if not models:
        return []
    reviewed = f"spade review {config.output} --data {config.data}"
    return [
        str(models[-1]),
        f"Look at {config.output / 'samples'}, then: {served}",
        f"What it gave, and what would help: {reviewed}",
    ]


if __name__ == "__main__":
    sys.exit(main())
