# SPDX-License-Identifier: Apache-2.0
"""The workflow file says what it means to: it is run where nobody sees it before it is pushed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")  # the second Blender's environment has none

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(file: Path) -> dict[Any, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


@pytest.fixture
def job() -> dict[str, Any]:
    (job,) = read(ROOT / ".github" / "workflows" / "tests.yml")["jobs"].values()
    return job


def test_it_runs_the_readmes_test_command_on_every_system_with_the_oldest_and_the_newest_python(job):
    commands = re.findall(r"^(python build\.py test\b)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert commands and [step["run"] for step in job["steps"] if step.get("name") == "Tests"] == commands[:1]
    matrix = job["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "windows-latest", "macos-latest"]
    assert matrix["python"] == ["3.11", "3.13"], "as text: 3.10 would be 3.1"
    assert job["runs-on"] == "${{ matrix.os }}" and not job["strategy"]["fail-fast"]
    versions = [step["with"]["python-version"] for step in job["steps"] if "setup-python" in step.get("uses", "")]
    assert versions == ["${{ matrix.python }}"]


def test_linux_gets_the_libraries_that_ci_installs(job):
    needed = re.search(r"^needed=\((.*?)\)", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    (step,) = [step for step in job["steps"] if step.get("if") == "runner.os == 'Linux'"]
    assert needed is not None and step["run"].split()[-len(needed[1].split()) :] == needed[1].split()


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_every_workflow_is_well_formed_and_may_read_only(file):
    held = read(file)
    triggers = held.get("on", held.get(True))  # YAML 1.1 reads the key as a truth value
    assert set(triggers) == {"push", "pull_request", "workflow_dispatch"} and held["permissions"] == {"contents": "read"}
    for job in held["jobs"].values():
        assert 0 < job["timeout-minutes"] <= 360
        for step in job["steps"]:
            assert set(step) <= {"name", "uses", "with", "if", "run", "env"} and ("uses" in step) != ("run" in step)
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/none@v1")), "one version, of GitHub's own"
    assert "secrets" not in file.read_text("utf-8")


def test_what_was_never_run_is_listed_for_every_system_of_the_matrix(job):
    page = (ROOT / "docs" / "platforms.md").read_text("utf-8")
    never = page.partition("## Never run")[2]
    assert all(system in never for system in ("Windows", "macOS", "arm64", "CUDA", "MPS"))
    assert "platforms.md" in (ROOT / "README.md").read_text("utf-8")
