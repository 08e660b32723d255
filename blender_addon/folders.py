# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the add-on may keep files. A folder is made by who writes there."""

from __future__ import annotations

from pathlib import Path

import bpy

PACKAGE = __package__ or "spade_backdrops"


def user_folder() -> Path:
    """The extension's own folder, or, where the add-on is no extension, one in Blender's folder for user data."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, create=False))
    except (ValueError, OSError):
        kept = bpy.utils.user_resource("DATAFILES", path="spade_backdrops", create=False)
        return Path(kept or bpy.app.tempdir or ".")


def server_root() -> Path:
    """Where the installed server lies."""
    return user_folder() / "server"
