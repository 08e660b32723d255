# SPDX-License-Identifier: Apache-2.0
"""The losses of every step: as a table, and for those who show them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from ..files import cannot_write, claim_folder, write_text
from .trackers import Service, TensorBoard, Tracker, TrackerName


class Curves:
    """OUTPUT/curves.csv, OUTPUT/tensorboard/ and a tracker, from the photo that a run begins or goes on with.

    What a killed run wrote after its last checkpoint is dropped: those steps are made again.
    """

    def __init__(
        self, output: Path, seen: int, tracker: TrackerName = "none", config: dict[str, Any] | None = None
    ) -> None:
        """config: of the run, for the tracker. Raises CannotWriteError, and UnavailableError for the tracker."""
        self._table = output / "curves.csv"
        claim_folder(output)
        if self._table.exists():
            kept = [row for row in self._table.read_text("utf-8").splitlines() if _photos(row) <= seen]
            write_text(self._table, "".join(f"{row}\n" for row in kept))
        try:
            self._trackers: list[Tracker] = [TensorBoard(output / "tensorboard", seen)]
        except ImportError:
            self._trackers = []  # the table has all numbers too
        except OSError as error:
            raise cannot_write(output, error) from None
        if tracker != "none":
            self._trackers.append(Service(tracker, output, config or {}))

    def add(self, seen: int, losses: dict[str, float], rates: dict[str, float]) -> None:
        """The losses of a step, and images a second by who makes them, after `seen` photos. Raises CannotWriteError."""
        values = " ".join(f"{name}={value:.6g}" for name, value in losses.items())
        try:
            with self._table.open("a", encoding="utf-8") as file:
                file.write(f"{seen},{time.time():.0f},{values}\n")
            shown = {f"loss/{name}": value for name, value in losses.items()}
            shown |= {f"images per second/{name}": value for name, value in rates.items()}
            for tracker in self._trackers:
                tracker.log(seen, shown)
        except OSError as error:
            raise cannot_write(self._table, error) from None

    def show(self, seen: int, name: str, rgb: np.ndarray) -> None:
        """rgb: (H, W, 3) uint8."""
        for tracker in self._trackers:
            tracker.show(seen, name, rgb)

    def close(self) -> None:
        for tracker in self._trackers:
            tracker.close()


def _photos(row: str) -> int:
    digits = row.partition(",")[0]
    return int(digits) if digits.isdecimal() else 0
