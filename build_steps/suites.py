# SPDX-License-Identifier: Apache-2.0
"""Running every test in the environment it belongs to, each group in its own process with a hard limit."""

from __future__ import annotations

import os
import tempfile
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .console import say
from .environments import ROOT, Environment
from .processes import run_with_hard_limit

TESTS = ROOT / "tests"
REPORTS = ROOT / "build" / "reports"
IN_BLENDER = ("addon", "system")
MINUTES = {"everything else": 40, "addon": 25, "system": 10}
MINUTES_FOR_SLOW_TESTS = 120
MOST_AT_ONCE = 4
"""Files of tests that run at once, a process and a thread each: each may take 2 GB."""


@dataclass(frozen=True)
class Tally:
    """How many tests came out how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run_all(main: Environment, second: Environment | None, chosen: list[str], slow: bool = False) -> Tally:
    """Run the tests and return the sum: the paths and pytest options in `chosen`, or else all of them.

    slow: also the tests marked so, when nothing is chosen; what is chosen is run, whatever its marks.
    """
    if chosen:
        return _run(main, main, "chosen", chosen, 20)
    marks = [] if slow else ["-m", "not slow"]
    more = MINUTES_FOR_SLOW_TESTS if slow else 0
    ignored = [f"--ignore={TESTS / folder}" for folder in IN_BLENDER]
    # Tests of servers wait for most of their time: one more than there are processors.
    at_once = ["-n", str(min(1 + (os.cpu_count() or 1), MOST_AT_ONCE)), "--dist", "loadfile"]
    words = [str(TESTS), *ignored, *at_once, *marks]
    total = _run(main, main, "everything else", words, MINUTES["everything else"] + more)
    blenders = [each for each in (main, second) if each is not None and each.blender]
    for folder in IN_BLENDER:
        if not any((TESTS / folder).rglob("test_*.py")):
            continue
        words, minutes = [str(TESTS / folder), *marks], MINUTES[folder] + more
        # Each Blender runs in one thread, so all of them at once; the system's tests build packages in one folder.
        with ThreadPoolExecutor(max(len(blenders), 1) if folder == "addon" else 1) as pool:
            runs = [pool.submit(_run, each, main, folder, words, minutes) for each in blenders]
            total = sum((run.result() for run in runs), total)
    return total


def _run(environment: Environment, main: Environment, title: str, words: list[str], minutes: int) -> Tally:
    heading = "every test that needs no Blender" if title == "everything else" else f"tests/{title}"
    say(f"\n== {heading} ({environment.title})")
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / f"{environment.folder.name.lstrip('.')}-{title.replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    command = [environment.python, "-m", "pytest", f"--junitxml={report}", *words]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        surroundings = _surroundings(main, Path(profile))
        if title != "chosen":  # threads of several processes that share the cores wait for each other
            surroundings["OMP_NUM_THREADS"] = "1"
        code = run_with_hard_limit(command, minutes * 60, surroundings, ROOT)
    tally = _read(report)
    if code is None:
        say(f"This group was stopped: it did not end within {minutes} minutes.")
    elif code not in (0, 1, 5) or (code == 1 and not tally.failed):
        say(f"This group ended badly (exit code {code}).")
    if code not in (0, 5) and not tally.failed:
        tally += Tally(failed=1)  # a crash, a hang at exit, no report: never a silent pass
    return tally


def _surroundings(main: Environment, profile: Path) -> dict[str, str]:
    """The tests' environment variables: a fresh Blender profile, and where the server's Python is."""
    names = {"BLENDER_USER_RESOURCES": str(profile), "SPADE_SERVER_PYTHON": str(main.python)}
    return {**os.environ, **names}


def _read(report: Path) -> Tally:
    """The numbers of a JUnit report; a missing one counts nothing."""
    try:
        suites = xml.etree.ElementTree.parse(report).getroot().iter("testsuite")
    except (OSError, xml.etree.ElementTree.ParseError):
        return Tally()
    total = Tally()
    for suite in suites:
        tests, failures, errors, skipped = (
            int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")
        )
        total += Tally(max(0, tests - failures - errors - skipped), failures + errors, skipped)
    return total
