# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers left behind whose Blender has ended, by its own will or not."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ..contract.connection import process_is_alive

LOGS_KEPT = 3


def remove_old_logs(folder: Path, keep: int = LOGS_KEPT) -> None:
    """Remove the connection files of Blenders that have ended, and their logs but for the newest `keep`."""
    ended = [
        file
        for pattern in ("server-*.log", "server-*.json")
        for file in folder.glob(pattern)
        if (pid := file.stem.partition("-")[2]).isdigit() and not process_is_alive(int(pid))
    ]
    logs = sorted((file for file in ended if file.suffix == ".log"), key=_age, reverse=True)
    for file in [*(file for file in ended if file.suffix == ".json"), *logs[keep:]]:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def _age(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
