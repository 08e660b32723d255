# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors in the panel: one sentence, the fix, and a button that does it where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import bpy

from ..contract.errors import SpadeError
from ..session import current_session
from .layout import PADDING, PADDING_AND_BUTTONS, Layout, wrapped


class Remedy(NamedTuple):
    """A button: the operator that mends it, and what the button says."""

    operator: str
    text: str
    icon: str


_LINES = 3
"""Of text that a box has room for, so that it keeps its height whatever it says."""

_SERVER = (
    Remedy("spade.start_server", "Try Again", "FILE_REFRESH"),
    Remedy("spade.open_preferences", "Preferences", "PREFERENCES"),
)
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "LABEL_SET_MISMATCH": (Remedy("spade.use_model_label_set", "Use the Model's Label Set", "IMPORT"),),
    "UNKNOWN_MODEL": (Remedy("spade.use_served_model", "Use the Server's Model", "CHECKMARK"),),
    "UNKNOWN_STYLE": (Remedy("spade.use_seed_style", "Use the Seed's Style", "LOOP_BACK"),),
    "NO_CAMERA": (Remedy("spade.add_camera", "Add Camera from View", "CAMERA_DATA"),),
    "NOTHING_LABELLED": (
        Remedy("spade.auto_assign", "Label by Name", "SORTALPHA"),
        Remedy("spade.add_example", "Add Example Valley", "WORLD_DATA"),
    ),
    "NOT_SAVED": (Remedy("wm.save_as_mainfile", "Save", "FILE_TICK"),),
    "FORBIDDEN": (Remedy("spade.open_preferences", "Preferences", "PREFERENCES"),),
    "NOT_INSTALLED": (
        Remedy("spade.install_server", "Install Server", "IMPORT"),
        Remedy("spade.open_preferences", "I Have One", "PREFERENCES"),
    ),
    "UNAVAILABLE": _SERVER,
    "DRAINING": _SERVER,
}


def draw_error(
    layout: Layout,
    context: bpy.types.Context,
    error: SpadeError,
    *,
    dismissable: bool = True,
    also: Iterable[SpadeError] = (),
    whole: str = "",
) -> None:
    """The error's box, with every remedy but the button that has just failed; those for other errors `also`.

    One that lasts as long as its cause is not dismissable. `whole`: see `draw_box`.
    """
    failed = current_session().failed_operator
    codes = dict.fromkeys((error.code, *(other.code for other in also)))
    offered = [each for code in codes for each in REMEDIES.get(code, ())]
    remedies = [each for each in offered if each.operator != failed]
    if error.code == "UNAVAILABLE" and current_session().connection.console():
        remedies.append(Remedy("spade.show_console", "", "CONSOLE"))
    texts = [error.message, error.fix]
    draw_box(layout, context, texts, "ERROR", remedies, alert=True, dismissable=dismissable, whole=whole)


def draw_box(
    layout: Layout,
    context: bpy.types.Context,
    texts: Sequence[str],
    icon: str,
    remedies: Sequence[Remedy] = (),
    *,
    alert: bool = False,
    dismissable: bool = False,
    menu: str = "",
    whole: str = "",
) -> None:
    """Sentences and buttons, or a menu, in a box that is as high with as without them; only the first sentence is
    alert.

    whole: the menu that has all of the text where that is too long for the box and is cut; without one nothing is.
    """
    box = layout.box()
    head = box.row(align=True)
    column = head.column(align=True)
    column.scale_y = 0.8
    taken = PADDING_AND_BUTTONS if dismissable else PADDING
    lines = [(line, text is texts[0]) for text in texts for line in wrapped(context, text, taken)]
    is_cut = bool(whole) and len(lines) > _LINES
    if is_cut:
        text, is_first = lines[_LINES - 1]
        lines[_LINES - 1 :] = [(f"{text.rstrip('.,;: ')} …", is_first)]
    lines += [("", False)] * (_LINES - len(lines))
    for number, (line, is_first) in enumerate(lines):
        row = column.row()
        row.alert = alert and is_first
        row.label(text=line, icon="BLANK1" if number else icon)
    if dismissable:
        head.operator("spade.dismiss_error", text="", icon="X", emboss=False)
    row = box.row(align=True)
    for remedy in remedies:
        row.operator(remedy.operator, text=remedy.text, icon=remedy.icon)
    if is_cut:
        row.menu(whole, text="" if remedies else "All of It", icon="THREE_DOTS")
    elif menu:
        row.menu(menu)
    elif not remedies:
        row.label(text="")
