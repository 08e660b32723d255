# SPDX-License-Identifier: Apache-2.0
"""python -m spade_core.training --data DIR --output DIR: train, or continue what the output folder holds."""

from __future__ import annotations

import signal
import sys
import time

import tyro
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..contract.errors import SpadeError
from .config import TrainingConfig
from .run import Run


def main() -> int:
    # A scheduler's TERM, and Ctrl-C even where the shell started us in the background, save and leave.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, signal.default_int_handler)
    config = tyro.cli(TrainingConfig, description=__doc__)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        run = Run(config)
        with Progress(*columns) as progress:
            task = progress.add_task("training", total=config.images, completed=run.trainer.images_seen)
            shown = [time.monotonic()]

            def report(seen: int, losses: dict[str, float], rate: float) -> None:
                progress.update(task, completed=seen, description=f"{rate:.1f} images/s")
                if not sys.stdout.isatty() and time.monotonic() - shown[0] > 60:
                    shown[0] = time.monotonic()
                    print(seen, f"{rate:.1f} images/s", losses, flush=True)

            run.train(report)
    except SpadeError as error:
        print(f"{error.message} {error.fix}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
