# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: where pictures come from."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import bpy
from bpy.props import EnumProperty, StringProperty

from .bridge.connection import ServerTarget
from .bridge.server_command import find_command
from .bridge.server_process import ServerLaunch
from .contract.connection import default_connection_file
from .contract.errors import ForbiddenError, UnavailableError

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class SpadePreferences(bpy.types.AddonPreferences):
    """Which server paints: one on this computer, or one at an address."""

    bl_idname = __package__ or "spade_backdrops"

    server: EnumProperty(
        name="Server",
        items=(
            (
                "LOCAL",
                "This Computer",
                "Use the server that runs here, or start one with Blender's first picture",
            ),
            ("ADDRESS", "At an Address", "Use a server that somebody else started"),
        ),
    )
    server_command: StringProperty(
        name="Server Command",
        description=(
            "How to start the server: its program, or the Python or the folder of the environment it is "
            "installed in. Empty: look for spade-server"
        ),
        subtype="FILE_PATH",
    )
    server_address: StringProperty(
        name="Address",
        description="Where the server listens, as tcp://host:port",
        default="tcp://127.0.0.1:5570",
    )

    def draw(self, context) -> None:
        """The preferences' own panel."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.row().prop(self, "server", expand=True)
        if self.server == "LOCAL":
            layout.prop(self, "server_command", placeholder="spade-server")
            return
        layout.prop(self, "server_address")
        if not _is_loopback(self.server_address) and not bpy.app.online_access:
            warning = layout.row()
            warning.alert = True
            warning.label(text="Allow online access (System) to reach another computer.", icon="ERROR")


def server_target() -> ServerTarget:
    """Where pictures come from by the user's choice.

    Raises UnavailableError (no server program, an address that is none) and ForbiddenError (online access is off).
    """
    chosen = preferences()
    if chosen is not None and chosen.server == "ADDRESS":
        return ServerTarget(address=_checked_address(chosen.server_address))
    folder = user_folder()
    shared = default_connection_file()
    return ServerTarget(
        shared_connection_file=shared,
        server=lambda: ServerLaunch(
            command=find_command(chosen.server_command if chosen else ""),
            folder=folder,
            parent_pid=os.getpid(),
        ),
    )


def server_choice() -> tuple[str, ...]:
    """What the user chose, to tell whether it has changed since."""
    chosen = preferences()
    return (chosen.server, chosen.server_command, chosen.server_address) if chosen is not None else ()


def preferences() -> SpadePreferences | None:
    """The stored preferences; None while the package is registered without being an enabled add-on."""
    entry = bpy.context.preferences.addons.get(SpadePreferences.bl_idname)
    return entry.preferences if entry else None


def user_folder() -> Path:
    """Where this add-on may keep files; Blender's temporary folder unless it is an installed extension."""
    try:
        return Path(bpy.utils.extension_path_user(SpadePreferences.bl_idname, create=True))
    except (ValueError, OSError):
        return Path(bpy.app.tempdir or ".")


def _checked_address(address: str) -> str:
    try:
        parts = urlsplit(address.strip())
        valid = parts.scheme == "tcp" and bool(parts.hostname) and parts.port is not None
    except ValueError:
        valid = False
    if not valid:
        raise UnavailableError(
            f"'{address}' is not a server address.",
            fix="Write it as tcp://host:port in the add-on preferences.",
        )
    if not _is_loopback(address) and not bpy.app.online_access:
        raise ForbiddenError(
            "Blender may not go online, and the server is on another computer.",
            fix="Turn on Preferences > System > Network > Allow Online Access.",
        )
    return address.strip()


def _is_loopback(address: str) -> bool:
    try:
        return urlsplit(address.strip()).hostname in LOOPBACK_HOSTS
    except ValueError:
        return False


def register() -> None:
    bpy.utils.register_class(SpadePreferences)


def unregister() -> None:
    bpy.utils.unregister_class(SpadePreferences)
