# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences, drawn: the server that Blender installs, beside one's own and a studio's."""

from __future__ import annotations

import bpy

from ..bridge.address import is_on_this_computer
from ..install.installation import Installation
from ..preferences import SpadePreferences, how_to_go_online
from ..session import current_session
from .layout import Layout, layout_of


def draw_preferences(chosen: SpadePreferences, context: bpy.types.Context) -> None:
    """The whole of the add-on's preferences."""
    layout = layout_of(chosen)
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.row().prop(chosen, "server", expand=True)
    if chosen.server == "LOCAL":
        installed = layout.box().column()
        installed.label(text="Installed by Blender", icon="IMPORT")
        draw_installed(installed)
        own = layout.box().column()
        own.label(text="Or I Have One, and Start It as I Like", icon="CONSOLE")
        own.prop(chosen, "server_command", text="Environment", placeholder="folder of an environment, or a command")
        note = own.column()
        note.active = False
        note.label(text="It comes before the installed one. A server that runs already is used in any case.")
    else:
        layout.prop(chosen, "server_address", placeholder="host:port")
        layout.prop(chosen, "server_key_file")
        if not is_on_this_computer(chosen.server_address) and not bpy.app.online_access:
            warning = layout.row()
            warning.alert = True
            warning.label(text=f"Another computer needs online access. {how_to_go_online()}", icon="ERROR")
    layout.operator("spade.save_diagnostics", icon="FILE_ARCHIVE")


def draw_installed(layout: Layout) -> None:
    """What is installed, and what can be done about it."""
    installer = current_session().installer
    if installer.running is not None:
        draw_progress(layout, installer.running)
        return
    installed = installer.installed
    if installed is None:
        layout.operator("spade.install_server", icon="IMPORT")
        return
    row = layout.row(align=True)
    if not installed.works:
        row.alert = True
        row.label(text="It was made with a Blender that is gone.", icon="ERROR")
        layout.operator("spade.install_server", icon="IMPORT")
    else:
        row.label(text=f"Server {installed.version}, PyTorch {installed.torch} on {installed.device}", icon="CHECKMARK")
    row = layout.row(align=True)
    if installer.update:
        row.operator("spade.install_server", text=f"Update to {installer.update}", icon="FILE_REFRESH")
    row.operator("spade.remove_server", icon="TRASH")


def draw_progress(layout: Layout, running: Installation) -> None:
    """How far an installation is, and a way to stop it."""
    row = layout.row(align=True)
    row.progress(factor=running.fraction, text=f"{running.stage or running.state.value} {running.fraction:.0%}")
    row.operator("spade.cancel_install", text="", icon="X")
