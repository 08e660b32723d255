# SPDX-License-Identifier: Apache-2.0
"""ruff and pyright over the whole tree; the add-on as it is staged, its paths mapped back to the source."""

from __future__ import annotations

import subprocess
import sys

from .console import say
from .environments import ROOT, Environment


def run(environment: Environment) -> int:
    """Returns the number of tools that found something."""
    unhappy = 0
    for title, words in (
        ("ruff check", ["ruff", "check", "."]),
        ("ruff format", ["ruff", "format", "--check", "--output-format", "concise", "."]),
        ("pyright", ["pyright"]),
    ):
        say(f"== {title}")
        ended = subprocess.run(
            [environment.python, "-m", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        sys.stdout.write(ended.stdout.replace("build/stage/spade_backdrops/", "blender_addon/"))
        unhappy += ended.returncode != 0
    return unhappy
