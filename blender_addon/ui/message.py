# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on has to say, one thing at a time, in a box that keeps its height: no button jumps under the mouse."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import bpy

from ..background.running import running_work
from ..bridge.jobs import Job
from ..contract.errors import NotSavedError, SpadeError
from ..live.ending import current_live
from ..place.caveats import caveats
from ..place.picture import hindrance, scene_of
from ..place.placement import placed_picture, shows_or_has_pictures
from ..properties import settings
from ..scene.label_overview import overview
from ..scene.label_rules import scene_label_set
from ..scene.view import label_map_shape
from ..session import current_session
from ..style.class_styles import chosen_names, paints_parts
from .layout import Layout, layout_of
from .remedies import Remedy, draw_box, draw_error

_KEPT = (
    Remedy("spade.place_kept", "Place Here", "CHECKMARK"),
    Remedy("spade.discard_kept", "Discard", "TRASH"),
)
_MENU_LETTERS = 60
_WHOLE = "SPADE_MT_whole_message"
_EXAMPLE = (Remedy("spade.add_example", "Add Example Valley", "WORLD_DATA"),)


def draw_message(layout: Layout, context: bpy.types.Context, next_step: str = "") -> None:
    """The most urgent: an error, what would become one, a picture that waits, then how things stand.

    `next_step`: what to say where all is well and nothing is painted yet; by default what the scene asks for.
    """
    session, scene = current_session(), context.scene
    is_over = isinstance(session.error, NotSavedError) and bpy.data.filepath
    if session.error is not None and not is_over:
        # What lasts is mended from here, too.
        draw_error(layout, context, session.error, also=_foreseen(scene), whole=_WHOLE)
        return
    wanted = session.wanted_label_set
    if wanted is not None and wanted.scene_uid == scene.session_uid:
        draw_box(layout, context, ["Asking for the model's label set"], "SORTTIME")
        return
    for problem in _foreseen(scene):
        draw_error(layout, context, problem, dismissable=False, whole=_WHOLE)
        return
    for job in session.board.finished[-1:]:
        _draw_kept(layout, context, job)
        return
    if current_live() is not None:
        draw_box(
            layout,
            context,
            ["Live: move, label, choose a style.", "Generate keeps a picture, Esc ends it."],
            "PLAY",
        )
        return
    if session.board.live_in(scene.session_uid) is not None:
        said = "The picture comes by itself."
        if session.layers is not None:
            said = "The picture is there; what it hides comes."
        draw_box(layout, context, [said, "Blender is yours meanwhile."], "INFO")
        return
    if (work := running_work()) is not None:
        draw_box(layout, context, [f"{work.doing}. Esc cancels it.", "Blender is yours meanwhile."], "INFO")
        return
    if session.said:
        draw_box(layout, context, [session.said], "INFO")
        return
    _draw_state(layout, context, next_step)


def _foreseen(scene: bpy.types.Scene) -> Iterator[SpadeError]:
    """What Generate would refuse: a size too large for the server, labels or styles that the model does not know."""
    connection, wanted = current_session().connection, settings(scene)
    found: list[SpadeError | None] = [
        connection.too_large(label_map_shape(scene)),
        connection.missing_style(wanted.model, chosen_names(wanted)),
        connection.one_style(wanted.model) if paints_parts(wanted) else None,
    ]
    try:
        found.append(connection.mismatch(wanted.model, scene_label_set(scene)))
    except SpadeError:
        pass  # The label panel says why.
    return (problem for problem in found if problem is not None)


def _draw_kept(layout: Layout, context: bpy.types.Context, job: Job) -> None:
    """A picture that could not land: why, and what to do with it."""
    scene = scene_of(job.request)
    if scene is None:
        why = f"A picture is ready, but its scene '{job.request.scene_name}' is gone."
    elif job.error is not None:
        why = "A picture is ready and kept."
    else:
        draw_box(layout, context, [f"The picture is ready and lands {hindrance() or 'now'}."], "IMAGE_DATA")
        return
    draw_box(layout, context, [why], "IMAGE_DATA", _KEPT)


def _draw_state(layout: Layout, context: bpy.types.Context, next_step: str) -> None:
    """That the last press is done, and what cannot be kept of it; or what comes next."""
    scene, last = context.scene, current_session().board.last_placed
    if last is not None and last.request.scene_uid == scene.session_uid:
        took = f"Done in {last.seconds['total']:.1f} s"
        done = took if last.is_new else f"{took}: nothing had changed"
        if last.notes:
            done = f"{took}. What painted it then is no longer here: see History"
        # Its sentences are many: they would push the buttons below down.
        menu = "SPADE_MT_caveats" if _caveats(scene) else ""
        draw_box(layout, context, [done], "CHECKMARK", menu=menu)
    elif next_step:
        draw_box(layout, context, [next_step], "INFO")
    elif scene.camera is not None and placed_picture(scene, scene.camera) is not None:
        menu = "SPADE_MT_caveats" if _caveats(scene) else ""
        draw_box(layout, context, ["The picture of this camera is there."], "CHECKMARK", menu=menu)
    elif _has_labels(scene):
        draw_box(layout, context, ["Generate paints what the camera sees."], "INFO")
    else:
        hint = "Nothing has a label yet: label your blocks, or try it with an example."
        draw_box(layout, context, [hint], "INFO", _EXAMPLE)


class SPADE_MT_caveats(bpy.types.Menu):
    """What Blender's view and camera do to the picture that cannot be undone."""

    bl_idname = "SPADE_MT_caveats"
    bl_label = "Not Quite as Painted"

    def draw(self, context) -> None:
        _draw_sentences(layout_of(self), _caveats(context.scene), "INFO")


class SPADE_MT_whole_message(bpy.types.Menu):
    """All that an error says, where the panel has no room for it."""

    bl_idname = _WHOLE
    bl_label = "All of the Message"

    def draw(self, context) -> None:
        found = current_session().error or next(_foreseen(context.scene), None)
        if found is not None:
            _draw_sentences(layout_of(self), [found.message, found.fix], "ERROR")


def _draw_sentences(layout: Layout, sentences: list[str], icon: str) -> None:
    for sentence in sentences:
        for number, line in enumerate(textwrap.wrap(sentence, _MENU_LETTERS)):
            layout.label(text=line, icon="BLANK1" if number else icon)


def _caveats(scene: bpy.types.Scene) -> list[str]:
    is_seen = settings(scene).show != "BLOCKS" and shows_or_has_pictures(scene)
    return caveats(scene) if is_seen else []


def _has_labels(scene: bpy.types.Scene) -> bool:
    try:
        return bool(overview(scene).table.given)
    except SpadeError:
        return True  # The label panel says why they cannot be read.


CLASSES = (SPADE_MT_caveats, SPADE_MT_whole_message)
