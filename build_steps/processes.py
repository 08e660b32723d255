# SPDX-License-Identifier: Apache-2.0
"""Running other programs: shown in one line, logged in full, never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def run_logged(
    command: Sequence[str | Path],
    log: Path,
    note: Callable[[str], None] = lambda line: None,
    cwd: Path | None = None,
) -> tuple[int, str]:
    """Run `command`, hand each line of its output to `note`, append all of it to `log`.

    Returns the exit code and the output (stdout and stderr together).
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in command]
    with log.open("a", encoding="utf-8", errors="replace") as kept:
        kept.write("\n$ " + " ".join(words) + "\n")
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", cwd=cwd
        )
        assert process.stdout is not None
        lines = []
        try:
            for line in process.stdout:
                kept.write(line)
                lines.append(line)
                note(line)
        except BaseException:
            process.kill()
            raise
        finally:
            process.stdout.close()
            process.wait()
    return process.returncode, "".join(lines)


def run_with_hard_limit(
    command: Sequence[str | Path], seconds: float, env: Mapping[str, str], cwd: Path
) -> int | None:
    """Run `command` on this terminal; returns its exit code, or None if it was killed after `seconds`.

    Blender can hang at exit, and tests start servers: the whole process group goes, not only the parent.
    """
    words = [str(word) for word in command]
    process = subprocess.Popen(words, env=dict(env), cwd=cwd, start_new_session=os.name == "posix")
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        end_group(process)


def end_group(process: subprocess.Popen) -> None:
    """End what is left of `process` and, where the system has groups, of everything it started."""
    if os.name == "posix":
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    elif process.poll() is None:
        process.kill()
    process.wait()
