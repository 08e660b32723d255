# SPDX-License-Identifier: Apache-2.0
"""Counting the answers of a preference study."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spade_core.contract.errors import BadAnswersError
from spade_core.evaluation.preference import Answers, bootstrap, preference, wilson
from spade_core.evaluation.study import ANSWERS_FORMAT


def answers_file(folder: Path, rater: str, chosen: str, study: str = "one", **changes) -> Path:
    """chosen: one letter a pair; the left picture is always a's."""
    held = {
        "format": ANSWERS_FORMAT, "study": study, "rater": rater, "trials": len(chosen),
        "models": {"a": {"name": "ours"}, "b": {"name": "theirs"}},
        "answers": [{"trial": place, "left": "a", "chosen": letter} for place, letter in enumerate(chosen)],
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
    assert found.models == ("ours", "theirs")
    assert (found.by_answer.value, found.answers, found.left) == (0.75, 4, 0.75)
    assert found.by_rater is None


def test_people_who_disagree_widen_the_interval(tmp_path: Path):
    agreeing = [np.arange(40) < 20 for _ in range(6)]
    disagreeing = [np.full(40, index % 2 == 0) for index in range(6)]
    alike, apart = bootstrap(agreeing), bootstrap(disagreeing)
    assert alike.value == apart.value == 0.5
    assert apart.high - apart.low > 2 * (alike.high - alike.low)


def test_everybodys_answers_are_joined_and_each_person_is_told(tmp_path: Path):
    found = count(answers_file(tmp_path, "ann", "aaaa"), answers_file(tmp_path, "bob", "aabb"))
    assert found.by_answer.value == 0.75 and found.answers == 8
    assert {name: share.value for name, share in found.raters.items()} == {"ann": 1.0, "bob": 0.5}
    assert found.by_rater is not None and found.by_rater.low < 0.75 < found.by_rater.high


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
    "a letter that is no model": {"answers": [{"trial": 0, "left": "a", "chosen": "c"}]},
    "no answers": {"answers": []},
    "a pair answered twice": {"trials": 9, "answers": [{"trial": 0, "left": "a", "chosen": "a"}] * 2},
    "answers that are no list": {"answers": 3},
    "no models": {"models": []},
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
