# SPDX-License-Identifier: Apache-2.0
"""What people preferred: the answers of a study, counted, with confidence intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..contract.errors import BadAnswersError
from .study import ANSWERS_FORMAT

Z95 = 1.959964
DRAWS = 10_000


@dataclass(frozen=True)
class Answers:
    """One person's."""

    rater: str
    study: str
    models: tuple[str, str]
    """Names of the models a and b."""
    trials: int
    """Pairs in the study."""
    prefers_a: np.ndarray
    """(answers,) bool."""
    chose_left: np.ndarray
    """(answers,) bool."""

    @classmethod
    def read(cls, path: Path) -> Answers:
        """A file that the study page saved. Raises BadAnswersError."""
        try:
            held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if held["format"] != ANSWERS_FORMAT:
                raise ValueError
            answers = [(answer["trial"], answer["left"], answer["chosen"]) for answer in held["answers"]]
            trials, left, chosen = zip(*answers, strict=True)
            sound = {*left, *chosen} <= {"a", "b"} and len(set(trials)) == len(trials) <= held["trials"]
            if not sound:
                raise ValueError
            models = (held["models"]["a"]["name"], held["models"]["b"]["name"])
            return cls(
                held["rater"], held["study"], models, held["trials"], np.array(chosen) == "a",
                np.array(chosen) == np.array(left),
            )  # fmt: skip
        except OSError as problem:
            raise BadAnswersError(f"{path} cannot be read: {problem.strerror}.", "Check the path.") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadAnswersError(
                f"{path.name} holds no answers of a preference study.",
                "Name files that the study page saved, with at least one answer, unchanged.",
            ) from None


@dataclass(frozen=True)
class Share:
    """A share, and the interval that holds the true one in 95 of 100 cases."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%})"


@dataclass(frozen=True)
class Preference:
    """Of everybody together."""

    models: tuple[str, str]
    answers: int
    raters: dict[str, Share]
    """How often each preferred the first model; Wilson intervals."""
    by_answer: Share
    """All answers alike: of a single person, or as if everyone judged alike."""
    by_rater: Share | None
    """People drawn anew: what other people of their kind would say. None for a single person."""
    left: float
    """How often the left picture was chosen; far from a half, people did not look."""
    unanswered: int


def preference(everyone: Sequence[Answers]) -> Preference:
    """Raises BadAnswersError where answers are of different studies, or one person's twice."""
    first = everyone[0]
    for answers in everyone[1:]:
        if answers.study != first.study:
            raise BadAnswersError(
                f"The answers of {answers.rater} are of another study than those of {first.rater} "
                f"({answers.study[:8]} and {first.study[:8]}).",
                "Count the answers of one study at a time.",
            )
    names = [answers.rater for answers in everyone]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadAnswersError(
            f"The answers of {twice} are there twice.",
            "Leave one of the files out, or change the name in it.",
        )
    pooled = np.concatenate([answers.prefers_a for answers in everyone])
    return Preference(
        models=first.models,
        answers=len(pooled),
        raters={answers.rater: wilson(answers.prefers_a) for answers in everyone},
        by_answer=wilson(pooled),
        by_rater=bootstrap([answers.prefers_a for answers in everyone]) if len(everyone) > 1 else None,
        left=float(np.concatenate([answers.chose_left for answers in everyone]).mean()),
        unanswered=sum(answers.trials - len(answers.prefers_a) for answers in everyone),
    )


def wilson(choices: np.ndarray) -> Share:
    """choices: (n,) bool. The score interval of a binomial share (Wilson, 1927)."""
    n, share = len(choices), float(choices.mean())
    middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    reach = Z95 / (1 + Z95**2 / n) * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    return Share(share, max(0.0, middle - reach), min(1.0, middle + reach))


def bootstrap(by_rater: Sequence[np.ndarray], seed: int = 0) -> Share:
    """by_rater: (n,) bool each. People are drawn with replacement, and of each their answers too."""
    random = np.random.default_rng(seed)
    counts, sums = (np.array([of(choices) for choices in by_rater]) for of in (len, np.sum))
    people = random.integers(0, len(by_rater), (DRAWS, len(by_rater)))
    drawn = random.binomial(counts[people], (sums / counts)[people])
    shares = drawn.sum(1) / counts[people].sum(1)
    low, high = np.quantile(shares, (0.025, 0.975))
    return Share(float(sums.sum() / counts.sum()), float(low), float(high))
