# SPDX-License-Identifier: Apache-2.0
"""Where curves and samples go beside the table: TensorBoard's files, trackio, Weights & Biases."""

from __future__ import annotations

import importlib
import importlib.util
import uuid
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from ..contract.errors import UnavailableError
from ..files import write_text

TrackerName = Literal["none", "trackio", "wandb"]

PROJECT = "spade-backdrops"
RUN_ID = "tracker_id"
"""A file of the run's folder: by what its tracker knows it again when it goes on."""


class Tracker(Protocol):
    """Shows how a training goes, by the photos seen."""

    def log(self, seen: int, values: dict[str, float]) -> None:
        """Numbers by their names."""
        ...

    def show(self, seen: int, name: str, rgb: np.ndarray) -> None:
        """rgb: (H, W, 3) uint8."""
        ...

    def close(self) -> None: ...


class TensorBoard:
    """Event files in a folder, from the photo that a run begins or goes on with: later events in it are void."""

    def __init__(self, folder: Path, seen: int) -> None:
        """Raises ImportError where TensorBoard is not installed, and OSError."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=seen + 1)

    def log(self, seen: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, seen)

    def show(self, seen: int, name: str, rgb: np.ndarray) -> None:
        self._writer.add_image(name, rgb, seen, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class Service:
    """trackio, or wandb, whose functions it has. A run that goes on is the same run there, too.

    What a killed run told after its last checkpoint stays: trackio keeps both, wandb the first.
    """

    def __init__(self, name: TrackerName, output: Path, config: dict[str, Any]) -> None:
        """Raises UnavailableError, with the library's own words where it has some, and CannotWriteError."""
        refuse_missing(name)
        self._library = importlib.import_module(name)
        place = {"id": _id_of(output), "dir": str(output)} if name == "wandb" else {}
        try:
            self._run = self._library.init(
                project=PROJECT,
                name=f"{output.resolve().name}-{_id_of(output)}",
                config=config,
                resume="allow",
                **place,
            )
        except Exception as problem:  # each has types of its own: no key, no network, no room
            first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
            raise UnavailableError(
                f"{name} does not take the run: {first[:200]}",
                "WANDB_MODE=offline keeps it on this machine; `--tracker none` does without."
                if name == "wandb"
                else "Leave --tracker out to do without.",
            ) from None

    def log(self, seen: int, values: dict[str, float]) -> None:
        self._run.log(values, step=seen)

    def show(self, seen: int, name: str, rgb: np.ndarray) -> None:
        self._run.log({name: self._library.Image(rgb)}, step=seen)

    def close(self) -> None:
        self._run.finish()


def refuse_missing(name: TrackerName) -> None:
    """Raises UnavailableError where the tracker is not installed. Nothing is loaded for it."""
    if name != "none" and importlib.util.find_spec(name) is None:
        raise UnavailableError(f"{name} is not installed.", f"Run: pip install 'spade-backdrops[{name}]'.")


def _id_of(output: Path) -> str:
    """Of the run in this folder; drawn when it is first asked for."""
    file = output / RUN_ID
    if not file.exists():
        write_text(file, uuid.uuid4().hex[:8])
    return file.read_text(encoding="utf-8").strip()
