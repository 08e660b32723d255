# SPDX-License-Identifier: Apache-2.0
"""The commands of build.py: what each does, in order."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys

from . import checks, environments, extension, staging, suites
from .console import BuildError, fail, say, warn
from .environments import ROOT


def setup(words: argparse.Namespace) -> int:
    main = environments.main_environment()
    second = environments.second_environment(main)
    for environment in (main, second):
        if environment:
            say(f"Ready: {environment.folder.name} ({environment.title})")
    environments.mention_what_is_missing(main, second)
    return 0


def demo(words: argparse.Namespace) -> int:
    main = environments.main_environment()
    if main.no_blender:
        warn(main.no_blender, "The demo runs on the label map that is stored in examples/demo_labels.png.")
    command = [main.python, "-m", "examples.demo", *(["--without-blender"] if not main.blender else [])]
    return subprocess.run([str(word) for word in command], cwd=ROOT).returncode


def test(words: argparse.Namespace) -> int:
    main = environments.main_environment()
    second = environments.second_environment(main) if not words.pytest else None
    if not words.pytest or any("system" in word for word in words.pytest):
        _zips_for_the_system_tests(main)
    total = suites.run_all(main, second, words.pytest, words.all)
    say()
    if not words.pytest:
        environments.mention_what_is_missing(main, second)
    say(str(total))
    return 0 if total.failed == 0 and total.passed else 1


def _zips_for_the_system_tests(main: environments.Environment) -> None:
    try:
        extension.build(main, [extension.this_platform()])
    except BuildError as error:
        warn(f"{error.message} The tests that install the zip will fail or be skipped.", error.fix)


def check(words: argparse.Namespace) -> int:
    unhappy = checks.run(environments.main_environment())
    say("Everything is clean." if not unhappy else "See above.")
    return 1 if unhappy else 0


def addon(words: argparse.Namespace) -> int:
    main = environments.main_environment()
    wanted = list(extension.PLATFORMS) if words.all_platforms else [extension.this_platform()]
    for file in extension.build(main, wanted):
        whole, server = file.stat().st_size / 1e6, extension.server_size(file) / 1e6
        say(f"  {file.relative_to(ROOT)} ({whole:.1f} MB, of which the server {server:.1f} MB)")
    say("py311 is for Blender 4.2 to 5.0, abi3 for Blender 5.1 and later: drag one into Blender.")
    if (extension.DIST / "index.json").is_file():
        say(
            "dist/index.json makes the folder an extension repository, from which Blender takes the one that fits."
        )
    return 0


def stage(words: argparse.Namespace) -> int:
    say(f"Staged: {staging.STAGE.relative_to(ROOT)}")
    return 0


def parser() -> argparse.ArgumentParser:
    every = argparse.ArgumentParser(
        prog="build.py", description="Spade Backdrops: set up, see it work, test, check, package."
    )
    commands = every.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for run, text in (
        (setup, "make .venv (and .venv-3.13 for the second Blender) with everything in it"),
        (demo, "grey-box valley -> label map -> generated backdrop, placed; see out/contact_sheet.png"),
        (test, "set up and run every test that is not slow; or `test PATH...` for some"),
        (check, "ruff and pyright"),
        (addon, "build the Blender extension into dist/"),
        (stage, "put the extension together in build/stage/ (every command does)"),
    ):
        sub = commands.add_parser(run.__name__, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(run=run)
        if run is test:
            sub.add_argument("--all", action="store_true", help="the tests marked slow, too")
            sub.add_argument(
                "pytest", nargs=argparse.REMAINDER, metavar="PATH", help="for pytest; default: all"
            )
        if run is addon:
            sub.add_argument(
                "--all-platforms",
                action="store_true",
                help=f"{', '.join(extension.PLATFORMS)}, not only this one",
            )
    return every


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code: 0, or 1 with one sentence and a remedy on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an old console must not turn a name into a crash
    words = parser().parse_args(arguments)
    try:
        staging.stage()
        return words.run(words)
    except BuildError as error:
        fail(error)
    except KeyboardInterrupt:
        say("\nStopped. The same command goes on where this one was.")
    return 1
