# SPDX-License-Identifier: Apache-2.0
"""What people said: the answers of a study, counted, with confidence intervals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..contract.errors import BadAnswersError
from .answers import Answers

Z95 = 1.959964
T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Student's t, 97.5 %, of 1 to 30 degrees of freedom."""


@dataclass(frozen=True)
class Share:
    """A share, and the interval that holds the true one in 95 of 100 cases."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%})"


@dataclass(frozen=True)
class Count:
    """How often something was said, by everybody together."""

    said: str
    """"a is preferred to b", "a is taken for a photo"."""
    answers: int
    by_answer: Share
    """All answers alike: of a single person, or as if everyone judged alike (Wilson)."""
    over_people: Share | None
    """What other people of their kind would say of these label maps. None for a single person."""
    raters: dict[str, Share]
    """Each person's own (Wilson)."""


@dataclass(frozen=True)
class Preference:
    """All that a study found."""

    counts: list[Count]
    """Of every two that were compared, or of each that was shown alone."""
    left: float | None
    """How often the left picture was chosen; far from a half, people did not look. None where none was on the left."""
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
    lefts = [choice.chosen == choice.left for answers in everyone for choice in answers.choices]
    return Preference(
        counts=_preferred(everyone) + _taken_for_photos(everyone),
        left=float(np.mean(lefts)) if lefts else None,
        unanswered=sum(answers.trials - answers.given for answers in everyone),
    )


def _preferred(everyone: Sequence[Answers]) -> list[Count]:
    counts, names = [], everyone[0].names
    for first, second in itertools.combinations(names, 2):
        said = {
            answers.rater: [
                choice.chosen == first for choice in answers.choices if {choice.left, choice.right} == {first, second}
            ]
            for answers in everyone
        }  # fmt: skip
        counts += _counted(f"{names[first]} is preferred to {names[second]}", said)
    return counts


def _taken_for_photos(everyone: Sequence[Answers]) -> list[Count]:
    counts = []
    for key, name in everyone[0].names.items():
        said = {
            answers.rater: [verdict.photo for verdict in answers.verdicts if verdict.shown == key]
            for answers in everyone
        }
        counts += _counted(f"{name} is taken for a photo", said)
    return counts


def _counted(said: str, by_rater: Mapping[str, Sequence[bool]]) -> list[Count]:
    """None where nobody was asked."""
    asked = {rater: np.array(answers) for rater, answers in by_rater.items() if answers}
    if not asked:
        return []
    everybody = np.concatenate(list(asked.values()))
    over = over_people(list(asked.values())) if len(asked) > 1 else None
    raters = {rater: wilson(answers) for rater, answers in asked.items()}
    return [Count(said, len(everybody), wilson(everybody), over, raters)]


def wilson(choices: np.ndarray) -> Share:
    """choices: (n,) bool. The score interval of a binomial share (Wilson, 1927)."""
    n, share = len(choices), float(choices.mean())
    middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    reach = Z95 / (1 + Z95**2 / n) * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    return Share(share, max(0.0, middle - reach), min(1.0, middle + reach))


def over_people(by_rater: Sequence[np.ndarray]) -> Share:
    """by_rater: (n,) bool of each of two people or more. The mean of their shares, with Student's t interval, which
    knows how little a few people say of others; never narrower than Wilson's, so that people who agree by chance do
    not make it certain."""
    shares = np.array([choices.mean() for choices in by_rater])
    people, mean = len(shares), float(shares.mean())
    freedom = people - 1
    t = T95[freedom - 1] if freedom <= len(T95) else Z95 + (Z95**3 + Z95) / (4 * freedom)
    reach = t * float(shares.std(ddof=1)) / math.sqrt(people)
    alike = wilson(np.concatenate(by_rater))
    low, high = min(mean - reach, alike.low), max(mean + reach, alike.high)
    return Share(mean, max(0.0, low), min(1.0, high))
