# SPDX-License-Identifier: GPL-3.0-or-later
"""The label overlay: every thing in a 3D view in the colour of its class, and a legend."""

from . import changes, drawing, settings


def register() -> None:
    settings.register()
    changes.register()
    drawing.register()


def unregister() -> None:
    drawing.unregister()
    changes.unregister()
    settings.unregister()
