# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the server for the label set of a model."""

from __future__ import annotations

from ..contract.client import Event
from ..contract.labels import LabelSet, parse_label_set
from ..contract.messages import LabelSetText
from .question import Question


class LabelSetQuestion(Question):
    """digest: the label set's. label_set: the answer."""

    about = "its model's label set"
    label_set: LabelSet | None = None

    @property
    def has_ended(self) -> bool:
        return self.label_set is not None or self.error is not None

    def _ask(self, question: str) -> str:
        return self._client.ask_label_set(self.digest, question)

    def _take(self, answer: Event) -> None:
        assert isinstance(answer, LabelSetText)
        self.label_set = parse_label_set(answer.toml)
