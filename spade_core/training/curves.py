# SPDX-License-Identifier: Apache-2.0
"""The losses of every step: as a table, and for TensorBoard."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from ..files import cannot_write, claim_folder, write_text


class Curves:
    """OUTPUT/curves.csv and OUTPUT/tensorboard/, from the photo that a run begins or goes on with.

    What a killed run wrote after its last checkpoint is dropped: those steps are made again.
    """

    def __init__(self, output: Path, seen: int) -> None:
        """Raises CannotWriteError."""
        self._table = output / "curves.csv"
        claim_folder(output)
        if self._table.exists():
            kept = [row for row in self._table.read_text("utf-8").splitlines() if _photos(row) <= seen]
            write_text(self._table, "".join(f"{row}\n" for row in kept))
        try:
            self._board = _board(output / "tensorboard", seen)
        except OSError as error:
            raise cannot_write(output, error) from None

    def add(self, seen: int, losses: dict[str, float], rates: dict[str, float]) -> None:
        """The losses of a step, and images a second by who makes them, after `seen` photos. Raises CannotWriteError."""
        values = " ".join(f"{name}={value:.6g}" for name, value in losses.items())
        try:
            with self._table.open("a", encoding="utf-8") as file:
                file.write(f"{seen},{time.time():.0f},{values}\n")
            if self._board is not None:
                for name, value in losses.items():
                    self._board.add_scalar(f"loss/{name}", value, seen)
                for name, value in rates.items():
                    self._board.add_scalar(f"images per second/{name}", value, seen)
        except OSError as error:
            raise cannot_write(self._table, error) from None

    def show(self, seen: int, name: str, rgb: np.ndarray) -> None:
        """rgb: (H, W, 3) uint8."""
        if self._board is not None:
            self._board.add_image(name, rgb, seen, dataformats="HWC")
            self._board.flush()

    def close(self) -> None:
        if self._board is not None:
            self._board.close()


def _board(folder: Path, seen: int) -> Any:
    """TensorBoard's writer, or None where TensorBoard is not installed: the table has all numbers too."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=seen + 1)


def _photos(row: str) -> int:
    digits = row.partition(",")[0]
    return int(digits) if digits.isdecimal() else 0
