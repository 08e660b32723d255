# SPDX-License-Identifier: Apache-2.0
"""What `from spade_core import ...` offers, and what it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import spade_core


def modules_after(statement: str) -> set[str]:
    """What a fresh Python has imported after a statement."""
    source = f"{statement}\nimport sys\nprint(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.split())


def test_importing_the_package_imports_neither_torch_nor_numpy():
    assert not {"torch", "numpy", "zmq"} & modules_after("import spade_core")


def test_a_client_and_a_label_set_need_no_torch():
    assert "torch" not in modules_after("from spade_core import Client, LabelSet")


@pytest.mark.parametrize("name", spade_core.__all__)
def test_every_public_name_is_what_its_module_defines(name):
    found = getattr(spade_core, name)
    assert found.__name__ == name and found.__module__.startswith("spade_core.")
    assert name in dir(spade_core)


def test_an_unknown_name_is_an_attribute_error_as_in_any_module():
    with pytest.raises(AttributeError, match="no attribute 'Painter'"):
        spade_core.Painter  # noqa: B018


def test_type_checkers_see_the_same_names_as_programs():
    tree = ast.parse(Path(spade_core.__file__).read_text(encoding="utf-8"))
    guarded = [node for node in ast.walk(tree) if isinstance(node, ast.If)][0]
    declared = {
        alias.name for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert declared == set(spade_core.__all__) == set(spade_core._HOMES)


def test_the_example_of_the_docstring_paints():
    from spade_core import Synthesizer

    rgb = Synthesizer.load("landscape").render(np.zeros((64, 96), np.uint8), seed=7)
    assert rgb.shape == (64, 96, 3) and rgb.dtype == np.uint8
