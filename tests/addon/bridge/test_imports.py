# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge knows the server and the contract, and nothing of Blender: its imports are read, not run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

BRIDGE = Path(__file__).resolve().parents[3] / "blender_addon" / "bridge"
BLENDER = {"bpy", "bpy_extras", "bmesh", "mathutils", "gpu", "blf", "aud", "imbuf", "idprop", "freestyle"}


def trees() -> list:
    files = sorted(BRIDGE.glob("*.py"))
    assert files, "the bridge has moved: this test has to move with it"
    return [pytest.param(ast.parse(file.read_text(encoding="utf-8")), id=file.stem) for file in files]


@pytest.mark.parametrize("tree", trees())
def test_the_bridge_imports_nothing_of_blender(tree):
    nodes = list(ast.walk(tree))
    names = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    assert not [name for name in names if name.partition(".")[0] in BLENDER]


@pytest.mark.parametrize("tree", trees())
def test_of_the_add_on_the_bridge_imports_only_itself_and_the_contract(tree):
    relative = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert all(node.level == 1 or (node.module or "").startswith("contract") for node in relative)
