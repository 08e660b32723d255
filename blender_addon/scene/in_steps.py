# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work in steps: a generator that pauses now and then, so that it can be done between redraws."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import TypeAlias, TypeVar

Result = TypeVar("Result")
Steps: TypeAlias = Generator[None, None, Result]

A_STEP = 200
"""After how many things to pause: so many take about a millisecond."""


def finished(steps: Steps[Result]) -> Result:
    """All of the work at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def portions(things: Iterable[Result]) -> Iterator[list[Result]]:
    """The things in lists of A_STEP."""
    iterator = iter(things)
    while portion := list(islice(iterator, A_STEP)):
        yield portion
