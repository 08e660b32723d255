# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: where pictures come from."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
from bpy.props import EnumProperty, StringProperty

from .bridge.address import DEFAULT_PORT, is_on_this_computer, read_credentials, tcp_address
from .bridge.connection import ServerTarget
from .bridge.server_command import find_command, is_on_path, running_server
from .bridge.server_process import ServerLaunch
from .contract.connection import default_connection_file
from .contract.errors import ForbiddenError, NotInstalledError
from .folders import PACKAGE, user_folder
from .install.drawing import draw_installed
from .install.installer import current_installer


class SpadePreferences(bpy.types.AddonPreferences):
    """Which server paints: one on this computer, or one at an address."""

    bl_idname = PACKAGE

    server: EnumProperty(
        name="Server",
        description="Where the pictures are painted",
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
        description=f"Where the server listens: host, host:port or tcp://host:port. The usual port is {DEFAULT_PORT}",
        default=f"tcp://127.0.0.1:{DEFAULT_PORT}",
    )
    server_key_file: StringProperty(
        name="Key File",
        description="What lets you in: who runs the server makes it for you with `spade-server keys new`. Empty: the "
        "server is your own, on this computer",
        subtype="FILE_PATH",
    )

    def draw(self, context) -> None:
        """The preferences' own panel."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.row().prop(self, "server", expand=True)
        if self.server == "LOCAL":
            installed = layout.box().column()
            installed.label(text="Installed by Blender", icon="IMPORT")
            draw_installed(installed)
            own = layout.box().column()
            own.label(text="Or I have one, and start it as I like", icon="CONSOLE")
            own.prop(self, "server_command", placeholder="folder of an environment, or a command")
            note = own.column()
            note.active = False
            note.label(text="It comes before the installed one; one that runs already comes before both")
        else:
            layout.prop(self, "server_address", placeholder="host:port")
            layout.prop(self, "server_key_file")
            if not is_on_this_computer(self.server_address) and not bpy.app.online_access:
                warning = layout.row()
                warning.alert = True
                warning.label(
                    text=f"Another computer needs online access. {how_to_go_online()}", icon="ERROR"
                )
        layout.operator("spade.save_diagnostics", icon="FILE_ARCHIVE")


def server_target() -> ServerTarget:
    """Where pictures come from by the user's choice.

    Raises UnavailableError (an address that is none, a key file without a key) and ForbiddenError (online access is
    off). That no server is installed is raised by the target's `server`.
    """
    chosen = preferences()
    if chosen is not None and chosen.server == "ADDRESS":
        key_file = chosen.server_key_file.strip()
        keys = read_credentials(Path(bpy.path.abspath(key_file))) if key_file else None
        return ServerTarget(address=_allowed_address(chosen.server_address), credentials=keys)
    folder = user_folder()
    return ServerTarget(
        shared_connection_file=default_connection_file(),
        server=lambda: ServerLaunch(command=server_command(), folder=folder, parent_pid=os.getpid()),
    )


def server_command() -> tuple[str, ...]:
    """What starts a server here: the user's own, else the installed one, else one that is on the path.

    Raises UnavailableError and, where there is none, NotInstalledError.
    """
    chosen = preferences()
    own = chosen.server_command.strip() if chosen else ""
    installed = current_installer().installed
    if own or installed is None:
        return find_command(own)
    if not installed.works:
        raise NotInstalledError(
            "The installed server was made with a Blender that is gone.",
            fix="Press Install Server: it is made anew, for this Blender.",
        )
    return installed.command


def is_missing() -> bool:
    """Whether a server is to be installed: this computer is to paint, and has none."""
    chosen, installer = preferences(), current_installer()
    if chosen is not None and (chosen.server == "ADDRESS" or chosen.server_command.strip()):
        return False
    if installer.installed is not None:
        return not installer.installed.works
    return not (running_server(default_connection_file()) or is_on_path())


def server_choice() -> tuple[str, ...]:
    """What the user chose, to tell whether it has changed since."""
    chosen = preferences()
    if chosen is None:
        return ()
    return (chosen.server, chosen.server_command, chosen.server_address, chosen.server_key_file)


def preferences() -> SpadePreferences | None:
    """The stored preferences; None while the package is registered without being an enabled add-on."""
    entry = bpy.context.preferences.addons.get(SpadePreferences.bl_idname)
    return entry.preferences if entry else None


def how_to_go_online() -> str:
    """What the user has to do before Blender may use the network, as a sentence."""
    if bpy.app.online_access_override:
        return "Start Blender without --offline-mode."
    return "Turn on Preferences > System > Network > Allow Online Access."


def _allowed_address(typed: str) -> str:
    address = tcp_address(typed)
    if not is_on_this_computer(address) and not bpy.app.online_access:
        raise ForbiddenError(
            "Blender may not go online, and the server is on another computer.", fix=how_to_go_online()
        )
    return address


def register() -> None:
    bpy.utils.register_class(SpadePreferences)


def unregister() -> None:
    bpy.utils.unregister_class(SpadePreferences)
