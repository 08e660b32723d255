# SPDX-License-Identifier: GPL-3.0-or-later
"""The server in the user's folder: installed, updated and removed, one thing at a time."""

from __future__ import annotations

from pathlib import Path

from ..contract.errors import BusyError
from ..folders import server_root
from .environment import Installed, installed_in, left_over
from .installation import Installation, sweep
from .plan import Plan
from .wheels import bundled_version
from .worker import RECORD

LOG = "install.log"


class Installer:
    """Owns the installation that runs. root: the folder of environments."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.running: Installation | None = None
        self.installed: Installed | None = installed_in(root)
        sweep(left_over(root))

    @property
    def log(self) -> Path:
        """What the last installation said."""
        return self.root / LOG

    @property
    def update(self) -> str:
        """The version of the server in the add-on, where another one is installed; else ""."""
        bundled = bundled_version()
        return bundled if self.installed and bundled != self.installed.version else ""

    def start(self, plan: Plan) -> Installation:
        """Install by this plan, in place of what was installed; returns at once. Raises BusyError, CannotWriteError."""
        if self.running is not None:
            raise BusyError("The server is being installed already.", fix="Wait for it, or cancel it.")
        self.running = Installation(plan, self.log)
        return self.running

    def step(self) -> Installation | None:
        """Look after the installation; returns it when it has just ended."""
        ended = self.running
        if ended is None:
            return None
        ended.step()
        if not ended.has_ended:
            return None
        self.running = None
        self.installed = installed_in(self.root)
        return ended

    def sweep(self) -> None:
        """Remove what does not count any more, in the background."""
        sweep(left_over(self.root))

    def remove(self) -> None:
        """Forget the installed server and remove it in the background. Raises BusyError while one is installed."""
        if self.running is not None:
            raise BusyError("The server is being installed.", fix="Cancel that first.")
        (self.root / RECORD).unlink(missing_ok=True)
        self.log.unlink(missing_ok=True)
        self.installed = None
        self.sweep()

    def close(self) -> None:
        """The end of Blender: an installation that runs is given up."""
        if self.running is not None:
            self.running.close()
            self.running = None


_current: Installer | None = None


def current_installer() -> Installer:
    """The installer of this registration."""
    assert _current is not None, "the add-on is not registered"
    return _current


def register() -> None:
    global _current
    _current = Installer(server_root())


def unregister() -> None:
    global _current
    if _current is not None:
        _current.close()
        _current = None
