# SPDX-License-Identifier: GPL-3.0-or-later
"""Animation: frames whose every pixel is from the frame that first painted it, as an image sequence."""

from . import running


def register() -> None:
    running.at_work.register()


def unregister() -> None:
    running.at_work.unregister()
