# SPDX-License-Identifier: GPL-3.0-or-later
"""The label map as an image that is painted in the Image Editor, each class in its colour."""

from . import keep


def register() -> None:
    keep.register()


def unregister() -> None:
    keep.unregister()
