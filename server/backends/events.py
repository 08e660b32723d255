# SPDX-License-Identifier: Apache-2.0
"""What any backend tells the desk, wherever its workers run."""

from __future__ import annotations

from dataclasses import dataclass

from .messages import Painted, Ready, Step, Stopped


@dataclass(frozen=True)
class Serving:
    """A worker is ready; the label sets, as TOML, are in the order of its models."""

    ready: Ready
    label_sets: list[str]


@dataclass(frozen=True)
class Lost:
    """A worker went down with this ticket."""

    ticket: int


@dataclass(frozen=True)
class Picture:
    """A ticket's picture, as bands or one file."""

    painted: Painted
    buffers: list[memoryview]


@dataclass(frozen=True)
class CannotStart:
    """Workers end before they are ready, again and again."""

    reason: str


BackendEvent = Serving | Step | Picture | Stopped | Lost | CannotStart
