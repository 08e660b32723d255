# SPDX-License-Identifier: Apache-2.0
"""Train a model, or continue what the output folder holds.

python -m spade_core.training [RECIPE] --data DIR --output DIR
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence

import tyro
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .. import joined
from ..contract.errors import SpadeError
from ..device import chosen_device
from .config import TrainingConfig
from .presets import PRESETS
from .run import Run


def parsed(arguments: Sequence[str]) -> TrainingConfig:
    """The command line: a recipe's name first, "frozen" where there is none, then what is to be changed of it."""
    name = arguments[0] if arguments and arguments[0] in PRESETS else "frozen"
    default = TrainingConfig(tyro.MISSING, tyro.MISSING, recipe=PRESETS[name][1])
    recipes = "\n\n".join(f"{known}: {what}" for known, (what, _) in PRESETS.items())
    return tyro.cli(
        TrainingConfig,
        description=f"{__doc__}\n\nRecipes:\n\n{recipes}\n\nThe numbers below are those of: {name}",
        args=arguments[1:] if arguments[:1] == [name] else arguments,
        default=default,
        # The recipe says which kinds of networks; their numbers are options.
        config=(tyro.conf.AvoidSubcommands,),
    )


def main() -> int:
    config = parsed(sys.argv[1:])
    try:
        with joined.processes(chosen_device(config.device)):
            train(config)
    except SpadeError as error:
        print(f"{error.message} {error.fix}", file=sys.stderr)
        return 2
    return 0


def train(config: TrainingConfig) -> None:
    """Run to the end, or until told to stop, showing how far it is."""
    run = Run(config)
    # A scheduler's TERM, and Ctrl-C even where the shell started us in the background, save and leave.
    for signaled in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signaled, lambda *_: run.stop())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=joined.rank() > 0) as progress:
        task = progress.add_task("training", total=config.images, completed=run.trainer.images_seen)
        shown = [time.monotonic()]

        def report(seen: int, losses: dict[str, float], rate: float) -> None:
            progress.update(task, completed=seen, description=f"{rate:.1f} images/s")
            if not sys.stdout.isatty() and time.monotonic() - shown[0] > 60:
                shown[0] = time.monotonic()
                print(seen, f"{rate:.1f} images/s", losses, flush=True)

        run.train(report)


if __name__ == "__main__":
    sys.exit(main())
