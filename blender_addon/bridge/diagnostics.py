# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody who helps wants to know, as one zip: facts, logs, and what `spade doctor` says.

Paths lose the user's name, and what was typed into preferences is told without keys.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..contract.errors import CannotWriteError
from .server_process import clean_environment, own_group

DOCTOR_PATIENCE_S = 60.0
LOG_TAIL_BYTES = 1_000_000


@dataclass(frozen=True)
class Evidence:
    """What goes into the zip. facts: for facts.json. logs: files, those that exist. doctor: its command, or ()."""

    facts: dict[str, Any]
    logs: list[Path] = field(default_factory=list)
    doctor: tuple[str, ...] = ()


class Diagnostics:
    """Collects and writes; `step()` until it `has_ended`. No call waits."""

    def __init__(self, file: Path, evidence: Evidence) -> None:
        self.file = file
        self.error: CannotWriteError | None = None
        self.has_ended = False
        self._evidence = evidence
        self._give_up_at = time.monotonic() + DOCTOR_PATIENCE_S
        self._said = file.with_name(f".{file.name}.doctor")
        self._unfinished = file.with_name(f".{file.name}.part")
        self._doctor: subprocess.Popen[bytes] | None = None
        try:
            self._ask_doctor()
        except OSError:
            self._doctor = None  # facts.json says which command it was

    def step(self) -> None:
        """Write the zip when the doctor has spoken, or takes too long."""
        if self.has_ended:
            return
        if self._doctor is not None and self._doctor.poll() is None:
            if time.monotonic() < self._give_up_at:
                return
            self._doctor.kill()
            self._doctor.wait()
        try:
            self._write()
        except OSError as problem:
            self.error = CannotWriteError(
                f"The diagnostics could not be written: {problem.strerror or problem}.",
                fix="Choose another folder.",
            )
        self.close()

    def close(self) -> None:
        """End it, and leave nothing unfinished behind."""
        self.has_ended = True
        if self._doctor is not None and self._doctor.poll() is None:
            self._doctor.kill()
            self._doctor.wait()
        for file in (self._said, self._unfinished):
            file.unlink(missing_ok=True)

    def _ask_doctor(self) -> None:
        if self._evidence.doctor:
            with open(self._said, "wb") as said:
                self._doctor = subprocess.Popen(
                    self._evidence.doctor,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    env={**clean_environment(), "COLUMNS": "160"},
                    **own_group(),
                )

    def _write(self) -> None:
        facts = {**self._evidence.facts, "doctor": list(self._evidence.doctor)}
        with zipfile.ZipFile(self._unfinished, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("facts.json", _anonymous(json.dumps(facts, indent=2, default=str)))
            for log in self._evidence.logs:
                packed.writestr(f"logs/{log.name}", _anonymous(_tail(log)))
            if self._said.is_file():
                packed.writestr("doctor.txt", _anonymous(_tail(self._said)))
        os.replace(self._unfinished, self.file)


def doctor_of(server_command: tuple[str, ...]) -> tuple[str, ...]:
    """The command that runs `spade doctor` where this command runs the server; () where it cannot be told."""
    program = Path(server_command[0])
    if program.stem.lower().startswith("python"):
        return (str(program), "-m", "spade_core.cli", "doctor")
    beside = program.with_name(program.name.replace("spade-server", "spade"))
    return (str(beside), "doctor") if beside != program and beside.exists() else ()


def _tail(file: Path) -> str:
    try:
        with open(file, "rb") as opened:
            opened.seek(0, os.SEEK_END)
            opened.seek(max(0, opened.tell() - LOG_TAIL_BYTES))
            return opened.read().decode("utf-8", "replace")
    except OSError as problem:
        return f"cannot be read: {problem}"


def _anonymous(text: str) -> str:
    home = str(Path.home())
    for each in {home, home.replace("\\", "\\\\"), home.replace("\\", "/")}:
        if len(each) > 3:
            text = text.replace(each, "~")
    return text
