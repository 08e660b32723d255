# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors in the panel: one sentence, the fix, and a button that does it where there is one."""

from __future__ import annotations

from typing import NamedTuple

import bpy

from ..contract.errors import SpadeError
from ..session import current_session
from .layout import PADDING_AND_BUTTONS, Layout, wrapped


class Remedy(NamedTuple):
    """A button: the operator that mends it, and what the button says."""

    operator: str
    text: str
    icon: str


_SERVER = (
    Remedy("spade.start_server", "Try Again", "FILE_REFRESH"),
    Remedy("spade.open_preferences", "Preferences", "PREFERENCES"),
)
_AGAIN = (Remedy("spade.generate", "Try Again", "FILE_REFRESH"),)
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "LABEL_SET_MISMATCH": (Remedy("spade.use_model_label_set", "Use the Model's Label Set", "IMPORT"),),
    "UNKNOWN_MODEL": (Remedy("spade.use_served_model", "Use the Server's Model", "CHECKMARK"),),
    "UNKNOWN_STYLE": (Remedy("spade.use_seed_style", "Use the Seed's Style", "LOOP_BACK"),),
    "NO_CAMERA": (Remedy("spade.add_camera", "Add Camera from View", "CAMERA_DATA"),),
    "NOTHING_LABELLED": (Remedy("spade.auto_assign", "Label by Name", "SORTALPHA"),),
    "FORBIDDEN": (Remedy("spade.open_preferences", "Preferences", "PREFERENCES"),),
    "NOT_INSTALLED": (
        Remedy("spade.install_server", "Install Server", "IMPORT"),
        Remedy("spade.open_preferences", "I Have One", "PREFERENCES"),
    ),
    "UNAVAILABLE": _SERVER,
    "DRAINING": _SERVER,
    "BUSY": _AGAIN,
    "WARMING": _AGAIN,
    "DEADLINE": _AGAIN,
}


def draw_error(
    layout: Layout, context: bpy.types.Context, error: SpadeError, *, dismissable: bool = True
) -> None:
    """The error's box; one that lasts as long as its cause is not dismissable."""
    box = layout.box()
    head = box.row(align=True)
    column = head.column(align=True)
    column.scale_y = 0.8
    column.alert = True
    for number, line in enumerate(wrapped(context, error.message, PADDING_AND_BUTTONS)):
        column.label(text=line, icon="ERROR" if number == 0 else "BLANK1")
    if dismissable:
        head.operator("spade.dismiss_error", text="", icon="X", emboss=False)
    column = box.column(align=True)
    column.scale_y = 0.8
    for line in wrapped(context, error.fix):
        column.label(text=line)
    remedies = REMEDIES.get(error.code, ())
    if remedies:
        row = box.row(align=True)
        for remedy in remedies:
            row.operator(remedy.operator, text=remedy.text, icon=remedy.icon)
        if error.code == "UNAVAILABLE" and current_session().connection.console():
            row.operator("spade.show_console", text="", icon="CONSOLE")
