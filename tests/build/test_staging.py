# SPDX-License-Identifier: Apache-2.0
"""The staged extension is blender_addon/ plus the contract, byte for byte, and nothing else."""

import ast
import sys
from pathlib import Path

import pytest

from build_steps import staging
from build_steps.environments import ROOT

PYTHON_FILES = sorted((ROOT / "blender_addon").rglob("*.py"))


def test_the_staged_copy_is_byte_equal_to_its_sources(tmp_path):
    staged = staging.stage(tmp_path / "spade_backdrops")
    found = {file.relative_to(staged): file.read_bytes() for file in staged.rglob("*") if file.is_file()}
    assert found == {inside: source.read_bytes() for inside, source in staging.sources().items()}
    assert found[Path("contract/labels.py")] == (ROOT / "spade_core/contract/labels.py").read_bytes()


def test_staging_again_deletes_what_is_stale_and_restores_what_was_changed(tmp_path):
    staged = staging.stage(tmp_path / "spade_backdrops")
    (staged / "gone").mkdir()
    (staged / "gone" / "old.py").write_text("")
    (staged / "contract" / "old.py").write_text("")
    (staged / "__init__.py").write_text("changed")
    staging.stage(staged)
    assert not (staged / "gone").exists() and not (staged / "contract" / "old.py").exists()
    assert (staged / "__init__.py").read_bytes() == (ROOT / "blender_addon" / "__init__.py").read_bytes()


def test_staging_again_touches_nothing_that_is_up_to_date(tmp_path):
    staged = staging.stage(tmp_path / "spade_backdrops")
    before = {file: file.stat().st_mtime_ns for file in staged.rglob("*")}
    staging.stage(staged)
    assert {file: file.stat().st_mtime_ns for file in staged.rglob("*")} == before


@pytest.mark.parametrize("file", PYTHON_FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_addon_knows_nothing_of_core_or_server(file):
    """Only relative imports, the standard library, numpy and what Blender brings: the rest is not there."""
    allowed = sys.stdlib_module_names | {"bpy", "bmesh", "mathutils", "gpu", "blf", "bl_ext", "bpy_extras"}
    allowed |= {"bl_operators", "bl_ui"}  # Blender's own: presets, lists
    allowed |= {"addon_utils", "numpy", "OpenImageIO", "zmq", "gpu_extras"}
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        else:
            continue
        assert {name.split(".")[0] for name in names} <= allowed, f"{file}: {names}"


def without_licence(files: list[Path], licence: str) -> list[Path]:
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    return [
        file
        for file, text in texts.items()
        if text and f"SPDX-License-Identifier: {licence}\n" not in text[:99]
    ]


def test_the_addon_is_all_under_its_own_licence():
    assert not without_licence(PYTHON_FILES, "GPL-3.0-or-later")


def test_everything_else_is_apache_licensed():
    """Tests, examples, benchmarks and the script that run inside Blender may be under the add-on's licence."""
    folders = ("spade_core", "server", "build_steps", "tests", "examples", "tools", "benchmarks")
    files = [ROOT / "build.py", *(file for folder in folders for file in (ROOT / folder).rglob("*.py"))]
    others = without_licence(files, "Apache-2.0")
    inside_blender = [ROOT / name for name in ("tests/addon", "tests/system", "examples", "benchmarks")]
    assert not without_licence(others, "GPL-3.0-or-later")
    inside_blender.append(ROOT / "spade_core" / "render_in_blender.py")
    assert all(any(place in (file, *file.parents) for place in inside_blender) for file in others)
