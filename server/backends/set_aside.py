# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that end the worker that loads them: after some deaths they are left alone, and the others serve on."""

from __future__ import annotations

from collections.abc import Callable

from spade_core.checkpoint.sources import CheckpointVersion

DEATHS = 3
REST_S = 30.0


class SetAside:
    """A file is left alone until it is another version; a model that comes along, which is no file that could be
    replaced, for REST_S. `log` is called, with a sentence, for the console."""

    def __init__(self, log: Callable[[str], None]):
        self._log = log
        self._deaths: dict[CheckpointVersion, int] = {}  # of workers that were loading it, without a success
        self._until: dict[CheckpointVersion, float] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    def died(self, version: CheckpointVersion, now: float) -> bool:
        """A worker died while it loaded this. Returns whether it is set aside from now on."""
        self._deaths[version] = self._deaths.get(version, 0) + 1
        if self._deaths[version] < DEATHS:
            return False
        del self._deaths[version]
        self._until[version] = now + REST_S
        self._log(f"'{version.path}' is set aside: the worker ended {DEATHS} times while it loaded it.")
        return True

    def survived(self, version: CheckpointVersion) -> None:
        """A worker loaded this, or refused it, and lives."""
        self._deaths.pop(version, None)

    def forgive(self) -> None:
        """Try all of them again."""
        self._until.clear()

    def versions(self, now: float) -> tuple[CheckpointVersion, ...]:
        """What a worker that starts now is not to load."""
        self._until = {
            version: until for version, until in self._until.items() if version.times_and_size or now < until
        }
        return tuple(self._until)
