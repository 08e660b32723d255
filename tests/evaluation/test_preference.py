# SPDX-License-Identifier: Apache-2.0
"""Counting the answers of a preference study."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from spade_core.contract.errors import BadAnswersError
from spade_core.evaluation.answers import TWO_MODELS, Answers
from spade_core.evaluation.preference import T95, Z95, over_people, preference, wilson
from spade_core.evaluation.study import ANSWERS_FORMAT


def answers_file(folder: Path, rater: str, chosen: str, study: str = "one", **changes) -> Path:
    """chosen: one letter a pair; the left picture is always a's."""
    held = {
        "format": ANSWERS_FORMAT, "study": study, "rater": rater, "trials": len(chosen),
        "names": {"a": "ours", "b": "theirs"},
        "answers": [
            {"trial": place, "left": "a", "right": "b", "chosen": letter} for place, letter in enumerate(chosen)
        ],
        **changes,
    }  # fmt: skip
    path = folder / f"{rater}-{study}.json"
    path.write_text(json.dumps(held), encoding="utf-8")
    return path


def count(*files: Path):
    return preference([Answers.read(file) for file in files])


def test_the_wilson_interval_is_the_published_one():
    """81 of 263: 0.2553 to 0.3662 (Newcombe, Statistics in Medicine 1998, method 3)."""
    share = wilson(np.arange(263) < 81)
    assert (share.low, share.high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))


def test_the_wilson_interval_of_all_or_none_stays_inside_zero_and_one():
    assert wilson(np.ones(10, bool)).high == pytest.approx(1) and 0.6 < wilson(np.ones(10, bool)).low < 0.8
    assert wilson(np.zeros(10, bool)).low == 0


def test_one_persons_answers_are_counted(tmp_path: Path):
    found = count(answers_file(tmp_path, "ann", "aaab"))
    (only,) = found.counts
    assert (only.said, only.answers, only.by_answer.value) == ("ours is preferred to theirs", 4, 0.75)
    assert found.left == 0.75 and only.over_people is None


def test_answers_of_the_first_format_are_still_counted(tmp_path: Path):
    old = {
        "format": TWO_MODELS,
        "models": {"a": {"name": "ours"}, "b": {"name": "theirs"}},
        "answers": [{"trial": 0, "left": "b", "chosen": "b"}, {"trial": 1, "left": "b", "chosen": "a"}],
    }
    found = count(answers_file(tmp_path, "ann", "ab", **old))
    assert found.counts[0].by_answer.value == found.left == 0.5


def test_every_two_that_were_compared_have_a_count_of_their_own(tmp_path: Path):
    asked = [("a", "b", "a"), ("c", "a", "c"), ("b", "c", "b"), ("a", "b", "a"), ("a", "c", "a")]
    answers = [
        {"trial": place, "left": left, "right": right, "chosen": chosen}
        for place, (left, right, chosen) in enumerate(asked)
    ]
    names = {"a": "ours", "b": "theirs", "c": "sims"}
    found = count(answers_file(tmp_path, "ann", "aaaaa", names=names, answers=answers))
    assert {count.said: (count.by_answer.value, count.answers) for count in found.counts} == {
        "ours is preferred to theirs": (1.0, 2),
        "ours is preferred to sims": (0.5, 2),
        "theirs is preferred to sims": (1.0, 1),
    }


def test_what_is_taken_for_a_photo_is_counted_for_each_that_was_shown(tmp_path: Path):
    answers = [
        {"trial": place, "shown": shown, "photo": photo}
        for place, (shown, photo) in enumerate([("a", True), ("a", False), ("b", True), ("b", True)])
    ]
    found = count(answers_file(tmp_path, "ann", "aaaa", answers=answers))
    assert {count.said: count.by_answer.value for count in found.counts} == {
        "ours is taken for a photo": 0.5,
        "theirs is taken for a photo": 1.0,
    }
    assert found.left is None


def test_the_quantiles_of_students_t_are_right():
    def above(value: float, freedom: int) -> float:
        """The probability of more, by integration."""
        at = np.linspace(0, value, 20_001)
        factor = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(
            freedom * math.pi
        )
        density = factor * (1 + at**2 / freedom) ** (-(freedom + 1) / 2)
        return 0.5 - float((density[1:] + density[:-1]).sum()) * at[1] / 2

    assert [above(value, place + 1) for place, value in enumerate(T95)] == pytest.approx(
        [0.025] * len(T95), abs=3e-5
    )
    for freedom in (31, 100):
        assert above(Z95 + (Z95**3 + Z95) / (4 * freedom), freedom) == pytest.approx(0.025, abs=2e-4)


@pytest.mark.parametrize("people", (2, 3, 5, 20))
@pytest.mark.parametrize("share, spread", ((0.5, 0.1), (0.7, 0.1), (0.7, 0.0), (0.9, 0.05)))
def test_the_interval_over_people_covers_what_it_says_however_few_they_are(people, share, spread):
    """People whose own shares differ by `spread` give 60 answers each; 95 in 100 intervals hold the true share."""
    random = np.random.default_rng(7)
    studies, held = 2000, 0
    for _ in range(studies):
        own = np.clip(random.normal(share, spread, people), 0, 1)
        found = over_people([random.random(60) < each for each in own])
        held += found.low <= share <= found.high
    assert held / studies >= 0.93  # .95 less four standard errors of 2,000 draws


def test_people_who_disagree_widen_the_interval():
    agreeing = [np.arange(40) < 20 for _ in range(6)]
    disagreeing = [np.full(40, index % 2 == 0) for index in range(6)]
    alike, apart = over_people(agreeing), over_people(disagreeing)
    assert alike.value == apart.value == 0.5
    assert apart.high - apart.low > 2 * (alike.high - alike.low)


def test_people_who_agree_by_chance_do_not_make_it_certain():
    found = over_people([np.arange(20) < 12, np.arange(20) < 12])
    pooled = wilson(np.arange(40) < 24)
    assert (found.low, found.high) == (pooled.low, pooled.high)


def test_everybodys_answers_are_joined_and_each_person_is_told(tmp_path: Path):
    found = count(answers_file(tmp_path, "ann", "aaaa"), answers_file(tmp_path, "bob", "aabb"))
    (only,) = found.counts
    assert only.by_answer.value == 0.75 and only.answers == 8
    assert {name: share.value for name, share in only.raters.items()} == {"ann": 1.0, "bob": 0.5}
    assert only.over_people is not None and only.over_people.low < 0.75 < only.over_people.high


def test_unanswered_pairs_are_told(tmp_path: Path):
    assert count(answers_file(tmp_path, "ann", "aab", trials=10)).unanswered == 7


def test_answers_of_another_study_are_refused(tmp_path: Path):
    with pytest.raises(BadAnswersError, match="another study"):
        count(answers_file(tmp_path, "ann", "ab"), answers_file(tmp_path, "bob", "ab", study="two"))


def test_one_persons_answers_do_not_count_twice(tmp_path: Path):
    (tmp_path / "copy").mkdir()
    with pytest.raises(BadAnswersError, match="ann"):
        count(answers_file(tmp_path, "ann", "ab"), answers_file(tmp_path / "copy", "ann", "ab"))


BROKEN = {
    "another format": {"format": "answers"},
    "a letter that is no model": {"answers": [{"trial": 0, "left": "a", "right": "b", "chosen": "c"}]},
    "a model beside itself": {"answers": [{"trial": 0, "left": "a", "right": "a", "chosen": "a"}]},
    "a photo that is neither": {"answers": [{"trial": 0, "shown": "a", "photo": "yes"}]},
    "no answers": {"answers": []},
    "a pair answered twice": {
        "trials": 9,
        "answers": [{"trial": 0, "left": "a", "right": "b", "chosen": "a"}] * 2,
    },
    "answers that are no list": {"answers": 3},
    "no names": {"names": []},
}


@pytest.mark.parametrize("what", BROKEN)
def test_files_that_hold_no_answers_are_refused_by_name(tmp_path: Path, what: str):
    with pytest.raises(BadAnswersError, match="ann-one.json"):
        Answers.read(answers_file(tmp_path, "ann", "ab", **BROKEN[what]))


@pytest.mark.parametrize("content", [b"", b"not json", b"\xff\xfe\x00", b"[]"])
def test_files_that_are_no_json_are_refused_by_name(tmp_path: Path, content: bytes):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(BadAnswersError, match="x.json"):
        Answers.read(tmp_path / "x.json")


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(BadAnswersError, match="missing.json"):
        Answers.read(tmp_path / "missing.json")
