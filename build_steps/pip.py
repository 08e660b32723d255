# SPDX-License-Identifier: Apache-2.0
"""Installing with pip: its progress in one line, its failures in one sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .console import BuildError, Step
from .processes import run_logged

# pip may be older than this in a new environment: older ones lack the progress lines that we read
PIP_WITH_RAW_PROGRESS = "pip>=24.1"

REASONS = (
    (
        r"No space left on device|Errno 28|not enough space",
        "The disk filled up while {what} was being installed.",
        "Free some space (about {need} are needed in all) and run the same command again.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerification",
        "The package index could not be trusted: its certificate was refused.",
        "Behind a company proxy, tell pip its certificate: `pip config set global.cert FILE`.",
    ),
    (
        r"NewConnectionError|NameResolution|name resolution|getaddrinfo failed|Max retries exceeded"
        r"|ReadTimeout|ConnectTimeout|ConnectionReset|ProxyError|Network is unreachable|Connection refused",
        "The package index cannot be reached, so {what} could not be installed.",
        "Check the network (and the proxy, if any), then run the same command: it goes on where it was.",
    ),
    (
        r"Permission denied|Errno 13|WinError 5",
        "A file of the environment could not be written.",
        "Close programs that use it, check that the folder is yours, then run the same command again.",
    ),
    (
        r"No matching distribution found for (?P<wanted>\S+)",
        "The package index has no {wanted} for this Python and platform.",
        "See 'Platforms' in README.md, or try another supported Python.",
    ),
    (
        r"ResolutionImpossible|conflicting dependencies",
        "The pinned versions in constraints.txt contradict pyproject.toml.",
        "Undo local changes to these two files, or bring them in line.",
    ),
)

DOWNLOAD = re.compile(r"^\s*Downloading (?P<file>\S+)(?: \((?P<size>[^)]+)\))?")
PROGRESS = re.compile(r"^Progress (?P<have>\d+) of (?P<all>\d+)")


class PipError(BuildError):
    """pip did not do what it should; `output` is all it said."""

    def __init__(self, message: str, fix: str, output: str):
        super().__init__(message, fix)
        self.output = output

    @property
    def has_no_wheel(self) -> bool:
        return self.message.startswith("The package index has no")


def explain(output: str, what: str, log: Path, need: str = "6 GB") -> PipError:
    """pip's failure as one sentence and a remedy, the likeliest cause first."""
    for pattern, message, fix in REASONS:
        if found := re.search(pattern, output):
            words = {"what": what, "need": need, **{k: v.rstrip(";") for k, v in found.groupdict().items()}}
            return PipError(message.format(**words), fix.format(**words), output)
    errors = [
        line.removeprefix("ERROR: ").strip() for line in output.splitlines() if line.startswith("ERROR:")
    ]
    last = f" pip says: {errors[-1]}" if errors else ""
    return PipError(f"Installing {what} failed.{last}", f"The whole story is in {log}.", output)


class Progress:
    """pip's output as the note of a step: what it is fetching and how much of it is here."""

    def __init__(self, step: Step):
        self.step = step
        self.file = ""

    def __call__(self, line: str) -> None:
        if found := DOWNLOAD.match(line):
            self.file = (
                f"downloading {found['file'].split('/')[-1].split('-')[0]} {found['size'] or ''}".strip()
            )
            self.step.note(self.file)
        elif found := PROGRESS.match(line):
            self.step.note(f"{self.file} {100 * int(found['have']) // max(1, int(found['all']))}%")
        elif line.startswith("Installing collected"):
            self.step.note("unpacking")
        elif line.startswith(("Collecting", "Building")):
            self.step.note(line.strip()[:70])


def install(python: Path, words: Sequence[str], what: str, step: Step, log: Path, constraints: Path) -> None:
    """`pip install WORDS` with the given Python, under the constraints.

    Raises PipError with one sentence and a remedy.
    """
    base = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-c", constraints]
    code, output = run_logged([*base, "--quiet", PIP_WITH_RAW_PROGRESS], log)
    if code == 0:
        code, output = run_logged(
            [*base, "--progress-bar", "raw", *words], log, Progress(step), constraints.parent
        )
    if code != 0:
        raise explain(output, what, log)
