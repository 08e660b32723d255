# SPDX-License-Identifier: GPL-3.0-or-later
"""Animation: frames whose every pixel is from the frame that first painted it, as an image sequence."""

from . import running


def register() -> None:
    running.register()


def unregister() -> None:
    running.unregister()
