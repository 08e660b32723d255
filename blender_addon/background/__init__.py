# SPDX-License-Identifier: GPL-3.0-or-later
"""Long work that another Blender does on a copy of the file, so that the one with the window never stands still.

- `work`, `work_main`: one such work, and what the other Blender runs.
- `running`: the one that is under way.
"""

from __future__ import annotations

from . import running


def register() -> None:
    running.at_work.register()


def unregister() -> None:
    running.at_work.unregister()
