# SPDX-License-Identifier: Apache-2.0
"""The house of docs/architecture.md: arrows point down, and none runs in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("spade_core", "server", "blender_addon")
FLOORS = (
    ("spade_core.contract",),
    (
        "spade_core.command_line",
        "spade_core.extras",
        "spade_core.files",
        "spade_core.pixels",
        "spade_core.progress",
        "spade_core.runtime",
        "spade_core.distributed",
    ),
    ("spade_core.features", "spade_core.image_files"),
    ("spade_core.model",),
    ("spade_core.checkpoint",),
    ("spade_core.upscaling", "spade_core.data"),
    ("spade_core.synthesis",),
    ("spade_core.training", "spade_core.evaluation"),
    ("spade_core.doctor",),
    ("spade_core.commands",),
    ("spade_core.cli",),
)
"""What lies on a floor may import what lies below it, and its own wing."""


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imported(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """What a module needs when it runs, wherever in it that is said; what only type checkers read is left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (entry.name for entry in node.names if entry.name in known)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = parts[: len(parts) - node.level + 1] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            # In Blender the contract lies inside the add-on.
            target = target.replace("blender_addon.contract", "spade_core.contract")
            for entry in node.names:
                inner = f"{target}.{entry.name}"
                if inner in known:
                    yield inner
                elif target in known:
                    yield target


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imported(name, path, known)) - {name} for name, path in known.items()}


def test_no_module_imports_itself_by_way_of_others(graph: dict[str, set[str]]):
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> None:
        if name in path:
            pytest.fail("a circle: " + " -> ".join([*path[path.index(name) :], name]))
        if name not in done:
            path.append(name)
            for other in sorted(graph[name]):
                visit(other)
            path.pop()
            done.add(name)

    for name in graph:
        visit(name)


def test_no_arrow_of_the_core_points_up(graph: dict[str, set[str]]):
    floor = {wing: number for number, wings in enumerate(FLOORS) for wing in wings}

    def wing_of(name: str) -> str:
        return ".".join(name.split(".")[:2])

    up = [
        f"{name} -> {other}"
        for name, others in graph.items()
        for other in others
        if wing_of(name) in floor and wing_of(other) in floor
        if wing_of(name) != wing_of(other) and floor[wing_of(other)] >= floor[wing_of(name)]
    ]
    assert not up


def test_the_core_knows_neither_server_nor_add_on_and_the_contract_nobody(graph: dict[str, set[str]]):
    for name, others in graph.items():
        if name.startswith("spade_core"):
            assert not [other for other in others if not other.startswith("spade_core")], name
        if name.startswith("spade_core.contract"):
            assert not [other for other in others if not other.startswith("spade_core.contract")], name
        if name.startswith("blender_addon"):
            allowed = ("blender_addon", "spade_core.contract")
            assert not [other for other in others if not other.startswith(allowed)], name


def test_painting_needs_nothing_of_the_data_the_trainer_or_the_evaluation(graph: dict[str, set[str]]):
    reached: set[str] = set()
    waiting = ["spade_core.synthesis.synthesizer"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += graph[name]
    assert not [
        name
        for name in reached
        if name.startswith(("spade_core.data", "spade_core.training", "spade_core.evaluation"))
    ]
