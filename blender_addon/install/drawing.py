# SPDX-License-Identifier: GPL-3.0-or-later
"""What is installed, drawn: for the sidebar and for the preferences."""

from __future__ import annotations

from typing import Any

from .installation import Installation
from .installer import current_installer

DEVICES = {"cpu": "the processor", "cuda": "the NVIDIA GPU", "mps": "Apple's GPU"}


def draw_installed(layout: Any) -> None:
    """What is installed, and what can be done about it."""
    installer = current_installer()
    if installer.running is not None:
        draw_progress(layout.row(align=True), installer.running)
        return
    installed = installer.installed
    if installed is None:
        layout.operator("spade.install_server", icon="IMPORT")
        return
    row = layout.row(align=True)
    if installed.works:
        text = (
            f"Server {installed.version}, PyTorch {installed.torch}, on {DEVICES.get(installed.device, '?')}"
        )
        row.label(text=text, icon="CHECKMARK")
    else:
        row.alert = True
        row.label(text="The Blender it was made with is gone", icon="ERROR")
    row = layout.row(align=True)
    if installer.update or not installed.works:
        text = f"Update to {installer.update}" if installed.works else "Install Again"
        row.operator("spade.install_server", text=text, icon="FILE_REFRESH")
    row.operator("spade.remove_server", icon="TRASH")


def draw_progress(row: Any, running: Installation) -> None:
    """How far an installation is, and a way to stop it."""
    row.progress(
        factor=running.fraction, text=f"{running.stage or running.state.value} {running.fraction:.0%}"
    )
    row.operator("spade.cancel_install", text="", icon="X")
