# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the server for the label set of a model, without waiting for the answer."""

from __future__ import annotations

import time

from ..contract.client import Client, Event
from ..contract.errors import SpadeError, UnavailableError
from ..contract.labels import LabelSet, parse_label_set
from ..contract.messages import Failed, LabelSetText

PATIENCE_S = 5.0
REPEAT_S = 1.0


class LabelSetQuestion:
    """One question to the server: `label_set` or `error` is there when it `has_ended`.

    Client.fetch_label_set waits for its answer. This one asks the same and leaves the answer to `poll`.
    """

    def __init__(self, client: Client, digest: str, patience_s: float = PATIENCE_S) -> None:
        self.digest = digest
        self.label_set: LabelSet | None = None
        self.error: SpadeError | None = None
        self._client = client
        self._id = ""
        self._give_up_at = time.monotonic() + patience_s
        self._ask_at = 0.0
        self._ask_again()

    @property
    def has_ended(self) -> bool:
        return self.label_set is not None or self.error is not None

    def step(self, events: list[Event]) -> None:
        """Take the answer if it is among the events; ask again, or give up, when it is time for that."""
        answer = next((event for event in events if getattr(event, "id", "") == self._id), None)
        if isinstance(answer, Failed):
            self.fail(answer.error)
        elif isinstance(answer, LabelSetText):
            self._forget()
            try:
                self.label_set = parse_label_set(answer.toml)
            except SpadeError as problem:
                self.error = problem
        elif time.monotonic() > self._give_up_at:
            problem = "The server does not answer the question for its model's label set."
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
            self._id = self._client.ask_label_set(self.digest, self._id)

    def _forget(self) -> None:
        """Let the client drop answers that still come."""
        self._client.drop_question(self._id)
