# SPDX-License-Identifier: Apache-2.0
"""One person's answers, from the file that a study's page saves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contract.errors import BadAnswersError
from .study import ANSWERS_FORMAT

TWO_MODELS = "spade-backdrops study answers 1"
"""Files of studies that always compared two models, named a and b."""


@dataclass(frozen=True)
class Choice:
    """Of two pictures side by side, by their sources' letters."""

    left: str
    right: str
    chosen: str


@dataclass(frozen=True)
class Verdict:
    """On one picture of this source: a photo, or not."""

    shown: str
    photo: bool


@dataclass(frozen=True)
class Answers:
    """One person's."""

    rater: str
    study: str
    names: dict[str, str]
    """Of what was compared, by letter."""
    trials: int
    """Questions in the study."""
    choices: list[Choice]
    verdicts: list[Verdict]

    @property
    def given(self) -> int:
        return len(self.choices) + len(self.verdicts)

    @classmethod
    def read(cls, path: Path) -> Answers:
        """Raises BadAnswersError."""
        try:
            held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return _parsed(_of_two_models(held) if held["format"] == TWO_MODELS else held)
        except OSError as problem:
            raise BadAnswersError(f"{path} cannot be read: {problem.strerror}.", "Check the path.") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadAnswersError(
                f"{path.name} holds no answers of a preference study.",
                "Name files that the study page saved, with at least one answer, unchanged.",
            ) from None


def _parsed(held: dict[str, Any]) -> Answers:
    """Raises ValueError, KeyError, TypeError or AttributeError for what the page does not write."""
    names = {str(key): str(name) for key, name in held["names"].items()}
    given = held["answers"]
    choices = [Choice(each["left"], each["right"], each["chosen"]) for each in given if "chosen" in each]
    verdicts = [Verdict(each["shown"], each["photo"]) for each in given if "photo" in each]
    trials = {each["trial"] for each in given}
    sound = (
        held["format"] == ANSWERS_FORMAT
        and 0 < len(given) == len(trials) == len(choices) + len(verdicts) <= held["trials"]
        and all(
            choice.left != choice.right and choice.chosen in (choice.left, choice.right) for choice in choices
        )
        and {letter for choice in choices for letter in (choice.left, choice.right)} <= set(names)
        and all(verdict.shown in names and isinstance(verdict.photo, bool) for verdict in verdicts)
    )
    if not sound:
        raise ValueError
    return Answers(held["rater"], held["study"], names, held["trials"], choices, verdicts)


def _of_two_models(held: dict[str, Any]) -> dict[str, Any]:
    other = {"a": "b", "b": "a"}
    return {
        **held,
        "format": ANSWERS_FORMAT,
        "names": {key: held["models"][key]["name"] for key in ("a", "b")},
        "answers": [{**answer, "right": other[answer["left"]]} for answer in held["answers"]],
    }
