# SPDX-License-Identifier: Apache-2.0
"""Counting: what ran is what is told, and a crash is never a silent pass."""

import sys
from pathlib import Path

import pytest

from build_steps import suites
from build_steps.environments import Environment


@pytest.fixture
def here(tmp_path, monkeypatch) -> Environment:
    monkeypatch.setattr(suites, "REPORTS", tmp_path / "reports")
    environment = Environment(Path(sys.prefix), sys.version_info[:2])
    if environment.python.resolve() != Path(sys.executable).resolve():
        pytest.skip("not run from a virtual environment")
    return environment


def outcome(here: Environment, tmp_path: Path, source: str) -> suites.Tally:
    file = tmp_path / "test_sample.py"
    file.write_text(source)
    return suites._run(here, here, "sample", [str(file), "-q", "-p", "no:cacheprovider"], minutes=1)


def test_passed_failed_and_skipped_are_counted(here, tmp_path):
    source = (
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n@pytest.mark.skip\ndef test_c(): pass\n"
    )
    assert outcome(here, tmp_path, source) == suites.Tally(1, 1, 1)


def test_a_file_that_cannot_be_imported_counts_as_failed(here, tmp_path):
    assert outcome(here, tmp_path, "import no_such_module\n") == suites.Tally(failed=1)


def test_a_process_that_dies_counts_as_failed(here, tmp_path):
    assert outcome(here, tmp_path, "import os\ndef test_a(): os._exit(0 + 139)\n") == suites.Tally(failed=1)


def test_a_crash_after_the_last_test_counts_as_failed(here, tmp_path):
    source = "import atexit, os\natexit.register(os._exit, 9)\ndef test_a(): pass\n"
    assert outcome(here, tmp_path, source) == suites.Tally(passed=1, failed=1)
