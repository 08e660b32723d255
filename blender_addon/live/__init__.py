# SPDX-License-Identifier: GPL-3.0-or-later
"""Live: what the camera sees is painted while the user works, and shown over the views without touching the scene."""

from . import drawing, ending


def register() -> None:
    drawing.register()
    ending.register()


def unregister() -> None:
    ending.unregister()
    drawing.unregister()
