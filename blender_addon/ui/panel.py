# SPDX-License-Identifier: GPL-3.0-or-later
"""The main panel: Generate on top, then what to generate, and what came of it."""

from __future__ import annotations

import bpy

from ..bridge.connection import Connection
from ..bridge.jobs import Job, JobState
from ..contract.errors import SpadeError
from ..place.caveats import caveats
from ..place.image import PROVENANCE, generated_images, provenance_of
from ..place.picture import hindrance, scene_of
from ..place.viewport import shows_pictures
from ..properties import SHOWN, settings
from ..scene.label_rules import scene_label_set
from ..scene.view import label_map_shape
from ..session import current_session
from ..style.settings import chosen_names
from .layout import PADDING_AND_BUTTONS, Layout, layout_of, wrapped
from .remedies import draw_error

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
        _draw_errors(layout, context)
        for job in current_session().board.finished[-1:]:
            _draw_kept(layout, context, job)
        draw_settings(layout, scene)


def draw_action(layout: Layout, job: Job | None) -> None:
    """The one big button, or how far its work is and a way to stop it."""
    row = layout.row(align=True)
    row.scale_y = 1.6
    if job is None:
        row.operator("spade.generate", icon="IMAGE_BACKGROUND")
        return
    row.progress(factor=job.fraction, text=_doing(job))
    row.operator("spade.cancel", text="", icon="X")


class SPADE_MT_pictures(bpy.types.Menu):
    """The pictures painted in this file, the newest first; undo takes none of them away."""

    bl_idname = "SPADE_MT_pictures"
    bl_label = "Pictures"

    def draw(self, context) -> None:
        for image in reversed(generated_images()):
            made = str(provenance_of(image).get("made", ""))[:16].replace("T", " ")
            text = f"{image.name}   {made}"
            layout_of(self).operator("spade.place_again", text=text, icon="IMAGE_DATA").name = image.name


def draw_pictures(layout: Layout, context: bpy.types.Context) -> None:
    """What is shown of blocks and picture, the file's pictures, and that the last press is done."""
    if not any(PROVENANCE in image for image in bpy.data.images):
        return
    row = layout.row(align=True)
    for what, text, _ in SHOWN:
        row.operator("spade.show", text=text, depress=settings(context.scene).show == what).what = what
    view = context.space_data
    look = row.row(align=True)
    look.enabled = isinstance(view, bpy.types.SpaceView3D) and not shows_pictures(view)
    look.operator("spade.show_backdrop", text="", icon="HIDE_OFF")
    row.menu("SPADE_MT_pictures", text="", icon="RENDERLAYERS")
    notes = layout.column(align=True)
    notes.active, notes.scale_y = False, 0.8
    if settings(context.scene).show != "BLOCKS":
        for note in caveats(context.scene):
            for number, line in enumerate(wrapped(context, note)):
                notes.label(text=line, icon="BLANK1" if number else "INFO")
    board = current_session().board
    last = board.last_placed
    if last is None or last.request.scene_uid != context.scene.session_uid or board.live:
        return
    done = layout.row()
    done.active = False
    took = f"Done in {last.seconds['total']:.1f} s"
    done.label(text=took if last.is_new else f"{took}: nothing had changed", icon="CHECKMARK")


def _draw_errors(layout: Layout, context: bpy.types.Context) -> None:
    """What went wrong, and before it does: a size too large for the server, labels that the model does not know."""
    session, scene = current_session(), context.scene
    error = session.error
    if error is not None:
        draw_error(layout, context, error)
    wanted = session.wanted_label_set
    if wanted is not None and wanted.scene_uid == scene.session_uid:
        layout.label(text="Asking for the model's label set", icon="SORTTIME")
        return
    wanted_here = settings(scene)
    foreseen: list[SpadeError | None] = [
        session.connection.too_large(label_map_shape(scene)),
        session.connection.missing_style(wanted_here.model, chosen_names(wanted_here)),
    ]
    try:
        label_set = scene_label_set(scene)
    except SpadeError:
        pass  # The label panel says why.
    else:
        foreseen.append(session.connection.mismatch(wanted_here.model, label_set))
    for problem in foreseen:
        if problem is not None and (error is None or error.code != problem.code):
            draw_error(layout, context, problem, dismissable=False)


def _doing(job: Job) -> str:
    if job.state is not JobState.RUNNING:
        connection = current_session().connection
        return f"Server: {state_text(connection).lower()}" if connection.is_starting else job.state.value
    return f"{job.stage.capitalize() or job.state.value} {job.fraction:.0%}"


def _draw_kept(layout: Layout, context: bpy.types.Context, job: Job) -> None:
    """A picture that could not land: why, and what to do with it."""
    scene = scene_of(job.request)
    if scene is None:
        why = f"A picture is ready, but its scene '{job.request.scene_name}' is gone."
    elif job.error is not None:
        why = "A picture is ready and kept."
    else:
        why = f"The picture is ready and lands {hindrance() or 'now'}."
    box = layout.box()
    column = box.column(align=True)
    column.scale_y = 0.8
    for number, line in enumerate(wrapped(context, why, PADDING_AND_BUTTONS)):
        column.label(text=line, icon="IMAGE_DATA" if number == 0 else "BLANK1")
    if scene is None or job.error is not None:
        row = box.row(align=True)
        row.operator("spade.place_kept", icon="CHECKMARK")
        row.operator("spade.discard_kept", icon="TRASH")


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
    draw_seed(layout, wanted, "seed")


def draw_seed(layout: Layout, wanted, name: str) -> None:
    """A seed, and the button that draws another."""
    row = layout.row(align=True)
    row.prop(wanted, name)
    row.operator("spade.new_seed", text="", icon="FILE_REFRESH").which = name


CLASSES = (SPADE_MT_pictures, SPADE_PT_backdrop)
