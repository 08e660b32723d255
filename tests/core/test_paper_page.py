# SPDX-License-Identifier: Apache-2.0
"""docs/paper.md: its commands are commands, its numbers are what the command prints, and every recipe is named."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import tyro

from spade_core.checkpoint.reference.facts import PRESETS as DATASETS
from spade_core.cli import Command
from spade_core.commands.model import fitted, generator_parameters
from spade_core.model.paper import GENERATORS
from spade_core.training.__main__ import wanted
from spade_core.training.presets import PRESETS

PAGE = (Path(__file__).parents[2] / "docs" / "paper.md").read_text(encoding="utf-8")
TRAINING = re.findall(r"(?:^|`)spade train ([^\n`]+)", PAGE, re.MULTILINE)
COMMANDS = re.findall(r"(?:^|`)spade ([^\n`]+)", PAGE, re.MULTILINE)


@pytest.mark.parametrize("line", TRAINING)
def test_a_training_command_of_the_page_is_understood(line):
    arguments = shlex.split(line)
    assert arguments[0] in PRESETS
    assert wanted(arguments).recipe.generator.kind == PRESETS[arguments[0]][1].generator.kind


@pytest.mark.parametrize(
    "line",
    [line for line in COMMANDS if "-" in line and not line.startswith("train ") or line == "model list"],
)
def test_another_command_of_the_page_is_understood(line):
    tyro.cli(
        Command,
        args=shlex.split(line),
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )


def test_the_page_names_every_recipe():
    missing = [name for name in PRESETS if f"`{name}`" not in PAGE]
    assert missing == []


def test_the_counts_on_the_page_are_those_of_the_networks():
    rows = re.findall(r"\| `([\w+-]+)` \| ([\d,]+) \|", PAGE)
    assert len(rows) == 18
    for name, number in set(rows):
        config = fitted(PRESETS[name][1].generator, DATASETS["ade20k"])
        assert generator_parameters(config) == int(number.replace(",", "")), name
    assert {name for name, _ in rows} >= {
        name for name, row in GENERATORS.items() if "table 4" in row.where and name != "spade"
    }
