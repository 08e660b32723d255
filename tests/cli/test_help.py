# SPDX-License-Identifier: Apache-2.0
"""`--help` of every command is read at a glance on a terminal of 80 columns; `--help-all` keeps nothing back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from server.__main__ import main as serve
from spade_core.cli import Command, main

COLUMNS, MOST_OPTIONS = 80, 10
RECIPES = ("train", "train paper", "train crn")


def commands(kind: Any = Command, words: str = "") -> Iterator[str]:
    """Every command there is, and the words that stand for several."""
    yield words.strip()
    for each in get_args(kind):
        command, subcommand = each.__origin__, each.__metadata__[0]
        below = f"{words} {subcommand.name}"
        if subcommand.name == "train":
            yield from RECIPES
            continue
        actions = get_type_hints(command, include_extras=True).get("action")
        if get_origin(actions) in (Union, UnionType):
            yield from commands(actions, below)
        else:
            yield below.strip()


@pytest.fixture
def help_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setenv("COLUMNS", str(COLUMNS))

    def show(words: str, option: str = "--help", start: Callable[[list[str]], int] = main) -> str:
        with pytest.raises(SystemExit) as left:
            start([*words.split(), option])
        said = capsys.readouterr()
        assert left.value.code == 0 and not said.err
        return said.out

    return show


def options(shown: str) -> set[str]:
    """The first long name of each option that a help lists."""
    rows = re.findall(r"^[│ ] (?:-\w [\w.]*, )?(--[a-z][\w.-]*)", shown, re.MULTILINE)
    return set(rows) - {"--help", "--help-all"}


EVERY = list(commands())


def test_every_command_is_looked_at():
    assert len(EVERY) > 20
    assert {"generate", "checkpoint", "checkpoint import", "dataset convert", "train", "evaluate"} <= set(
        EVERY
    )


@pytest.mark.parametrize("words", EVERY, ids=lambda words: words or "spade")
def test_help_fits_a_terminal_and_shows_what_people_change_first(words: str, help_of):
    shown, whole = help_of(words), help_of(words, "--help-all")
    for line in (shown + whole).splitlines():
        assert len(line) <= COLUMNS, line
    assert len(options(shown)) <= MOST_OPTIONS, sorted(options(shown))
    assert options(shown) <= options(whole)
    assert ("--help-all" in shown) == (options(shown) < options(whole)), "it says where the rest is"


def test_what_has_to_be_given_is_shown(help_of):
    for words, wanted in {
        "generate": {"--output", "--model", "--seed", "--style"},
        "train": {"--data", "--output", "--from", "--images", "--size", "--batch"},
        "evaluate": {"--model", "--data", "--output"},
    }.items():
        assert wanted <= options(help_of(words)), words


def test_help_all_of_a_training_shows_the_networks_too(help_of):
    assert {"--generator.spade-kernel", "--gan-mode", "--beta2"} <= options(
        help_of("train paper", "--help-all")
    )


@pytest.mark.parametrize(
    "words", ["", "status", "top", "drain"], ids=lambda words: f"spade-server {words}".strip()
)
def test_the_servers_help_fits_too(words: str, help_of):
    shown, whole = help_of(words, start=serve), help_of(words, "--help-all", start=serve)
    assert all(len(line) <= COLUMNS for line in (shown + whole).splitlines())
    assert len(options(shown)) <= MOST_OPTIONS and options(shown) <= options(whole)
    if not words:
        assert {"--models", "--bind"} <= options(shown) and {"--ray", "--parent-pid"} <= options(
            whole
        ) - options(shown)
