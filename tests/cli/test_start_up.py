# SPDX-License-Identifier: Apache-2.0
"""The command starts quickly, and a wrong word is told without a traceback."""

import subprocess
import sys

import pytest


def test_looking_at_label_sets_does_not_load_torch():
    source = (
        "import sys; from spade_core.cli import main; code = main(['labels', 'list'])\n"
        "assert code == 0 and not {'torch', 'bpy', 'PIL'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", source], capture_output=True).returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["paint"],
        ["generate"],
        ["generate", "a.png", "-o", "b.png", "--seed", "x"],
        ["labels", "show", "--x"],
    ],
)
def test_a_wrong_command_line_leaves_with_code_2_and_says_what_is_wrong(spade, words):
    ended = spade(*words)
    assert ended.code == 2 and ended.err and "Traceback" not in ended.err


@pytest.mark.parametrize("words", [["--help"], ["generate", "--help"], ["labels", "colorize", "--help"]])
def test_help_is_there_at_every_level(spade, words):
    ended = spade(*words)
    assert ended.code == 0 and "usage: spade" in ended.out
