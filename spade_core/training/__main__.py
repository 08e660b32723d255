# SPDX-License-Identifier: Apache-2.0
"""`spade train`, and what torchrun and `accelerate launch` start: python -m spade_core.training."""

from __future__ import annotations

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
from ..contract.console import print_error
from ..contract.errors import SpadeError
from ..runtime import chosen_device, keep_freed_memory
from .config import TrainingConfig
from .fitted import fitted
from .presets import PRESETS
from .run import Run

MISSING: Any = tyro.MISSING
QUIET_S = 60.0
"""Between two lines where there is no terminal."""


def wanted(arguments: Sequence[str], default: TrainingConfig | None = None) -> TrainingConfig:
    """The command line as written: a recipe's name first, "frozen" where there is none, then what is changed of it.

    default: what is changed in place of the recipe.
    """
    named = arguments[0] if arguments and arguments[0] in PRESETS else None
    recipes = "\n\n".join(f"{known}: {what}" for known, (what, _) in PRESETS.items())
    return tyro.cli(
        TrainingConfig,
        prog="spade train",
        description=(
            "Train a model, or continue what the output folder holds.\n\nspade train [RECIPE] --data DIR -o DIR\n\n"
            f"Recipes:\n\n{recipes}\n\nThe numbers below are those of: {named or 'frozen'}; sizes, batch and length of "
            "a run that are not named fit the data and the device."
        ),
        args=arguments[1:] if named else arguments,
        default=default or TrainingConfig(MISSING, MISSING, recipe=PRESETS[named or "frozen"][1]),
        # The recipe says which kinds of networks; their numbers are options.
        config=(tyro.conf.AvoidSubcommands,),
    )


def parsed(arguments: Sequence[str]) -> TrainingConfig:
    """As wanted; what is not named fits the data, the device and the model to begin with. Raises what fitted raises."""
    return wanted(arguments, replace(fitted(wanted(arguments)), data=MISSING, output=MISSING))


def main(arguments: Sequence[str] | None = None) -> int:
    keep_freed_memory()
    try:
        config = parsed(sys.argv[1:] if arguments is None else arguments)
        with distributed.process_group(chosen_device(config.device)):
            train(config)
    except SpadeError as error:
        print_error(error.message, error.fix)
        return 2
    return 0


def train(config: TrainingConfig) -> None:
    """Run to the end, or until told to stop, showing how far it is."""
    run = Run.open(config)
    # A scheduler's TERM, and Ctrl-C even where the shell started us in the background, save and leave.
    for signaled in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signaled, lambda *_: run.stop())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=distributed.rank() > 0) as progress:
        if distributed.rank() == 0:
            progress.console.print(
                f"{len(run.crops.pairs)} photos with label maps; {config.output} fills up."
            )
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
    models = models_of(config.output)
    if distributed.rank() == 0 and models:
        print(
            f"{models[-1]}\nLook at {config.output / 'samples'}, then: spade-server --models {config.output}"
        )


if __name__ == "__main__":
    sys.exit(main())
