# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of a file: every picture that was painted in it, and all that is needed to ask for it again.

A picture is an image of the file with its provenance (`place/image.py`). Custom properties of it point at the label map
and at the pictures of its style, which are packed images, too, stored once however many pictures were made of them. So
the history goes where the pictures go: into saved files, through undo, and along with a scene that is appended.
"""

from __future__ import annotations

from . import comparison, thumbnails, undo


def register() -> None:
    undo.register()


def unregister() -> None:
    undo.unregister()
    comparison.forget()
    thumbnails.forget()
