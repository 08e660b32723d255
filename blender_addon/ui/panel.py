# SPDX-License-Identifier: GPL-3.0-or-later
"""The main panel: Generate on top, then what to generate, and what came of it."""

from __future__ import annotations

import bpy

from ..bridge.connection import Connection
from ..bridge.jobs import Job, JobState
from ..live.ending import current_live
from ..overlay.settings import overlay_settings
from ..place.placement import shows_or_has_pictures
from ..place.viewport import shows_pictures
from ..properties import SHOWN, settings
from ..scene.view import label_map_shape
from ..session import current_session
from .layout import Layout, layout_of
from .message import draw_message

CATEGORY = "Backdrops"


def state_text(connection: Connection) -> str:
    """The server's state in one or two words, with the seconds it has taken so far."""
    if connection.is_starting and connection.waited_s >= 1:
        return f"{connection.state.value} {connection.waited_s:.0f} s"
    return connection.state.value


class SPADE_PT_backdrop(bpy.types.Panel):
    """Paint a backdrop for the camera."""

    bl_label = "Backdrop"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY

    def draw(self, context) -> None:
        layout, scene = layout_of(self), context.scene
        draw_action(layout, current_session().board.live_in(scene.session_uid))
        draw_pictures(layout, context)
        draw_message(layout, context)
        draw_settings(layout, scene)


def draw_action(layout: Layout, job: Job | None) -> None:
    """The one big button, or how far its work is and a way to stop it."""
    row = layout.row(align=True)
    row.scale_y = 1.6
    is_live = current_live() is not None
    if job is None or (is_live and not job.lands):
        row.operator("spade.generate", icon="IMAGE_BACKGROUND")
        row.operator("spade.live", text="", icon="PAUSE" if is_live else "PLAY", depress=is_live)
        return
    draw_progress(row, job)


def draw_progress(row: Layout, job: Job) -> None:
    """How far a job is, and a way to stop it: in the place of the button that began it."""
    row.progress(factor=job.fraction, text=_doing(job))
    row.operator("spade.cancel", text="", icon="X")


def draw_pictures(layout: Layout, context: bpy.types.Context) -> None:
    """What is shown of blocks and picture; there from the start, so that nothing moves."""
    row = layout.row(align=True)
    if current_live() is not None:
        row.prop(overlay_settings(context), "live_opacity", slider=True)
        return
    has_pictures = shows_or_has_pictures(context.scene)
    row.enabled = has_pictures
    for what, text, _ in SHOWN:
        is_shown = has_pictures and settings(context.scene).show == what
        row.operator("spade.show", text=text, depress=is_shown).what = what
    view = context.space_data
    look = row.row(align=True)
    look.enabled = isinstance(view, bpy.types.SpaceView3D) and not shows_pictures(view, context.scene)
    look.operator("spade.show_backdrop", text="", icon="HIDE_OFF")


def _doing(job: Job) -> str:
    varied = current_session().variations
    if varied is not None and not job.lands and job.state is JobState.RUNNING:
        return f"Variation {len(varied.pictures) + 1} of {len(varied.seeds)}"
    layers = current_session().layers
    if layers is not None and not job.lands and job.state is JobState.RUNNING:
        number, count = layers.place
        return f"Behind it, {number} of {count}"
    if job.state is not JobState.RUNNING:
        connection = current_session().connection
        return f"Server: {state_text(connection).lower()}" if connection.is_starting else job.state.value
    return f"{job.stage.capitalize() or job.state.value} {job.fraction:.0%}"


def draw_settings(layout: Layout, scene: bpy.types.Scene) -> None:
    wanted = settings(scene)
    layout.use_property_split = True
    layout.use_property_decorate = False
    size = layout.column(align=True)
    size.prop(wanted, "width")
    size.prop(wanted, "height")
    height, width = label_map_shape(scene)
    camera = size.row(heading="Match Camera")
    camera.prop(wanted, "match_camera", text=f"{width} × {height}" if wanted.match_camera else "")
    layout.prop(wanted, "upscale", text="Enlarge")
    detail = layout.row()
    detail.enabled = wanted.upscale
    detail.prop(wanted, "detail", slider=True)
    preview = layout.row()
    welcome = current_session().connection.welcome
    preview.enabled = welcome is None or bool(welcome.preview)
    preview.prop(wanted, "preview")
    edges = layout.row()
    edges.enabled = wanted.placement != "LAYERS"  # cards are cut where blocks end
    edges.prop(wanted, "natural_edges", slider=True)
    draw_seed(layout, wanted, "seed")


def draw_seed(layout: Layout, wanted, name: str) -> None:
    """A seed, and the button that draws another."""
    row = layout.row(align=True)
    row.prop(wanted, name)
    row.operator("spade.new_seed", text="", icon="FILE_REFRESH").which = name


CLASSES = (SPADE_PT_backdrop,)
