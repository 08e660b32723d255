# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the server about a model, without waiting for the answer."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from ..contract.client import Client, Event
from ..contract.errors import SpadeError, UnavailableError
from ..contract.messages import Failed

PATIENCE_S = 5.0
REPEAT_S = 1.0


class Question(ABC):
    """One question to the server: its answer or `error` is there when it `has_ended`.

    The client's own `fetch_` methods wait for their answers. This one asks the same and leaves the answer to `poll`.
    """

    about = ""
    """What is asked for, in words."""

    def __init__(self, client: Client, digest: str, patience_s: float = PATIENCE_S) -> None:
        self.digest = digest
        self.error: SpadeError | None = None
        self._client = client
        self._id = ""
        self._give_up_at = time.monotonic() + patience_s
        self._ask_at = 0.0
        self._ask_again()

    @property
    @abstractmethod
    def has_ended(self) -> bool: ...

    @abstractmethod
    def _ask(self, question: str) -> str:
        """Send the question, with this id or a new one; returns it."""

    @abstractmethod
    def _take(self, answer: Event) -> None:
        """Keep what was asked for. Raises SpadeError where it cannot be read."""

    def step(self, events: list[Event]) -> None:
        """Take the answer if it is among the events; ask again, or give up, when it is time for that."""
        answer = next((event for event in events if getattr(event, "id", "") == self._id), None)
        if isinstance(answer, Failed):
            self.fail(answer.error)
        elif answer is not None:
            self._forget()
            try:
                self._take(answer)
            except SpadeError as problem:
                self.error = problem
        elif time.monotonic() > self._give_up_at:
            problem = f"The server does not answer the question for {self.about}."
            self.fail(UnavailableError(problem, fix="Look at the server's console, then ask again."))
        else:
            self._ask_again()

    def fail(self, problem: SpadeError) -> None:
        """End it without an answer."""
        self._forget()
        self.error = problem

    def _ask_again(self) -> None:
        now = time.monotonic()
        if now >= self._ask_at:
            self._ask_at = now + REPEAT_S
            self._id = self._ask(self._id)

    def _forget(self) -> None:
        """Let the client drop answers that still come."""
        self._client.drop_question(self._id)
