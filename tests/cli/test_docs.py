# SPDX-License-Identifier: Apache-2.0
"""The commands in the docs are commands: each is read as the program would read it, from the docs' own text."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from spade_core.cli import Command, parsed
from spade_core.training.__main__ import refuse_unknown_recipe, wanted

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> list[str]:
    """The lines of its code blocks that begin with `spade`."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    lines = [re.sub(r"^python -m spade_core.training ", "spade train ", line) for line in lines]
    return [line for line in lines if re.match(r"spade [a-z]", line)]


SHOWN = [(page.name, line) for page in PAGES for line in commands(page)]


def test_the_docs_show_commands():
    assert len(SHOWN) > 30 and {"train", "generate", "evaluate", "dataset"} <= {
        line.split()[1] for _, line in SHOWN
    }


def asks_for_help(words: list[str]) -> bool:
    return not {"--help", "--help-all"}.isdisjoint(words)


@pytest.mark.parametrize(("page", "line"), SHOWN, ids=[f"{page}: {line[:60]}" for page, line in SHOWN])
def test_a_command_of_the_docs_is_one(page: str, line: str):
    words = shlex.split(line, comments=True)[1:]
    if words[0] == "train":
        refuse_unknown_recipe(words[1:])
        assert asks_for_help(words) or wanted(words[1:]) is not None
    elif not asks_for_help(words):
        assert parsed(words) is not None


def test_the_table_of_commands_names_every_one():
    listed = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    names = [kind.__metadata__[0].name for kind in Command.__args__]  # type: ignore[attr-defined]
    assert len(names) > 8
    for name in names:
        assert f"`spade {name}" in listed, name
