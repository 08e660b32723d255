# SPDX-License-Identifier: GPL-3.0-or-later
"""The server panel: whether pictures can come, and how long the last one took."""

from __future__ import annotations

import bpy

from ..bridge.connection import Connection, ConnectionState
from ..bridge.jobs import Job
from ..install.drawing import draw_progress
from ..install.installer import current_installer
from ..preferences import is_missing
from ..properties import settings
from ..session import current_session
from .layout import Layout, layout_of, wrapped
from .panel import CATEGORY, state_text

ICONS = {
    ConnectionState.OFF: "RADIOBUT_OFF",
    ConnectionState.STARTING: "SORTTIME",
    ConnectionState.CONNECTING: "SORTTIME",
    ConnectionState.WARMING: "SORTTIME",
    ConnectionState.READY: "CHECKMARK",
    ConnectionState.LOST: "ERROR",
}


class SPADE_PT_server(bpy.types.Panel):
    """Where pictures are painted."""

    bl_label = "Server"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context) -> None:
        connection = current_session().connection
        row = layout_of(self).row()
        if (running := current_installer().running) is not None:
            row.label(text=f"{running.state.value} {running.fraction:.0%}", icon="IMPORT")
            return
        row.alert = connection.state is ConnectionState.LOST
        row.active = connection.state is not ConnectionState.OFF
        row.label(text=state_text(connection), icon=ICONS[connection.state])

    def draw(self, context) -> None:
        layout = layout_of(self)
        connection = current_session().connection
        _draw_state(layout, context, connection)
        split = layout.column()
        split.use_property_split = True
        split.use_property_decorate = False
        split.prop(settings(context.scene), "model_pick")
        model = connection.model_named(settings(context.scene).model)
        if model is not None and model.file:
            checkpoint = layout.row()
            checkpoint.active = False
            checkpoint.label(text=f"Paints with {model.file}", icon="FILE")
        _draw_terms(layout, context, connection)
        last = current_session().board.last_placed
        if last is not None:
            _draw_times(layout, last)


def _draw_state(layout: Layout, context: bpy.types.Context, connection: Connection) -> None:
    """What can be done about the server; why it cannot be reached, where it cannot."""
    installer, is_off = current_installer(), connection.state in (ConnectionState.OFF, ConnectionState.LOST)
    if installer.running is not None:
        draw_progress(layout.row(align=True), installer.running)
    elif is_off and is_missing():
        layout.operator("spade.install_server", icon="IMPORT")
    elif is_off and installer.update:
        layout.operator("spade.install_server", text=f"Update to {installer.update}", icon="FILE_REFRESH")
    row = layout.row(align=True)
    if is_off:
        row.operator("spade.start_server", icon="PLAY")
    else:
        owned = connection.server is not None
        row.operator("spade.stop_server", text="Stop Server" if owned else "Disconnect", icon="PAUSE")
    row.operator("spade.show_console", text="", icon="CONSOLE")
    row.operator("spade.save_diagnostics", text="", icon="FILE_ARCHIVE")
    row.operator("spade.open_preferences", text="", icon="PREFERENCES")
    if connection.state is ConnectionState.LOST and connection.error is not None:
        reason = layout.column(align=True)
        reason.scale_y = 0.8
        for number, line in enumerate(wrapped(context, str(connection.error))):
            reason.label(text=line, icon="BLANK1" if number else "ERROR")


def _draw_terms(layout: Layout, context: bpy.types.Context, connection: Connection) -> None:
    """Whose weights paint and enlarge, and on what terms."""
    wanted, welcome = settings(context.scene), connection.welcome
    auto = welcome.upscalers[:1] if welcome is not None and wanted.upscale else ()
    column = layout.column(align=True)
    column.active = False
    column.scale_y = 0.8
    for terms in connection.terms(wanted.model, auto[0] if auto else ""):
        for number, line in enumerate(wrapped(context, terms) if terms else ()):
            column.label(text=line, icon="BLANK1" if number else "INFO")


def _draw_times(layout: Layout, job: Job) -> None:
    total, labels, run = job.seconds["total"], job.request.label_seconds, job.seconds["run"]
    column = layout.column(align=True)
    column.active = False
    column.scale_y = 0.8
    height, width = job.request.label_map.shape
    column.label(text=f"Last picture: {width} × {height} in {total:.1f} s", icon="TIME")
    column.label(text=f"labels {labels:.1f} s, painting {run:.1f} s", icon="BLANK1")


CLASSES = (SPADE_PT_server,)
