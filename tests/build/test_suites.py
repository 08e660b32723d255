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


@pytest.mark.parametrize("chosen, slow, passed", [([], False, 1), ([], True, 2), (["test_speed.py"], False, 2)])
def test_slow_tests_are_run_when_all_are_asked_for_or_when_they_are_chosen(here, tmp_path, monkeypatch, chosen, slow, passed):
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
    source = "import pytest\ndef test_a(): pass\n@pytest.mark.slow\ndef test_b(): pass\n"
    (tmp_path / "test_speed.py").write_text(source)
    monkeypatch.setattr(suites, "TESTS", tmp_path)
    tally = suites.run_all(here, None, [str(tmp_path / name) for name in chosen], slow)
    assert tally == suites.Tally(passed=passed)


@pytest.mark.parametrize(
    "body", ["@pytest.mark.slwo\ndef test_a(): pass\n", "def test_a(): time.sleep(60)\n"], ids=["typo", "hang"]
)
def test_an_undeclared_mark_and_a_test_that_never_ends_are_failures(here, tmp_path, body):
    """By the project's own options: a typing error in a mark leaves no test out, and one hang does not end all."""
    file = tmp_path / "test_sample.py"
    file.write_text(f"import time, pytest\n{body}")
    config = ["-c", str(suites.ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    tally = suites._run(here, here, "sample", [*config, "-o", "timeout=2", str(file)], minutes=1)
    assert tally == suites.Tally(failed=1)


def test_a_test_has_five_minutes_unless_it_says_otherwise(request):
    assert float(request.config.getini("timeout")) == 300
