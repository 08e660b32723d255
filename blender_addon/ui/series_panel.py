# SPDX-License-Identifier: GPL-3.0-or-later
"""Many pictures: the frames of an animation, and a batch over cameras, view layers and scenes."""

from __future__ import annotations

from itertools import zip_longest

import bpy

from ..animation.animator import Animator
from ..animation.running import last_animation, running_animation
from ..batch.plan import Row, RowState, rows_of
from ..batch.running import last_rows, running_batch
from ..properties import settings
from ..session import current_session
from .layout import Layout, layout_of, wrapped
from .panel import CATEGORY, state_text

_ROWS = 12
"""Of the table that are shown; the first that are not through come first."""
_ICONS = {
    RowState.WAITING: "DOT",
    RowState.TAKING: "SORTTIME",
    RowState.PAINTING: "BRUSH_DATA",
    RowState.KEPT: "CHECKMARK",
    RowState.DONE: "CHECKMARK",
    RowState.CANCELLED: "X",
    RowState.FAILED: "ERROR",
}
_THROUGH = (RowState.KEPT, RowState.DONE)


class SPADE_PT_animation(bpy.types.Panel):
    """Frames that hold still: what was seen before stays as it was painted."""

    bl_label = "Animation"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_parent_id = "SPADE_PT_backdrop"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context) -> None:
        layout, scene = layout_of(self), context.scene
        animator = running_animation()
        row = layout.row(align=True)
        if animator is not None:
            row.progress(factor=animator.fraction, text=progress_text(animator))
            row.operator("spade.stop_animation", text="", icon="X")
            layout.label(text="Esc stops; what is there stays.", icon="INFO")
        else:
            count = len(range(scene.frame_start, scene.frame_end + 1, scene.frame_step))
            row.operator("spade.animate", text=f"Paint {count} Frames", icon="RENDER_ANIMATION")
            draw_last(layout, scene)
        choices = layout.column()
        choices.enabled = animator is None
        choices.use_property_split = True
        choices.use_property_decorate = False
        choices.prop(settings(scene), "key_every")
        choices.prop(settings(scene), "frames_as")
        choices.prop(settings(scene), "frames_folder")


class SPADE_PT_batch(bpy.types.Panel):
    """A picture for each of many cameras."""

    bl_label = "Batch"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_parent_id = "SPADE_PT_backdrop"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context) -> None:
        layout, spade = layout_of(self), settings(context.scene)
        batch = running_batch()
        rows = batch.plan.rows if batch is not None else rows_of(context)
        head = layout.row(align=True)
        if batch is not None:
            total = max(len(rows), 1)
            head.progress(factor=batch.done / total, text=f"{batch.done} of {len(rows)}")
            head.operator("spade.stop_batch", text="", icon="X")
        else:
            button = head.row(align=True)
            button.enabled = bool(rows)
            button.operator("spade.batch", text=f"Paint {len(rows)} Pictures", icon="RENDERLAYERS")
        choices = layout.column(align=True)
        choices.enabled = batch is None
        choices.use_property_split = True
        choices.use_property_decorate = False
        for name in ("batch_cameras", "batch_layers", "batch_scenes"):
            choices.prop(spade, name)
        known = last_rows()
        draw_table(layout, context, [known.get(row.key, row) for row in rows])


def draw_last(layout: Layout, scene: bpy.types.Scene) -> None:
    """How the last animation of a scene has ended; a line without words where there was none."""
    last = last_animation()
    if last is None or last.error is not None or last.plan.scene_uid != scene.session_uid:
        layout.label(text="")
    elif last.done < len(last.plan.frames):
        layout.label(text=f"Stopped: {last.done} of {len(last.plan.frames)} are there", icon="PAUSE")
    else:
        layout.label(text=f"Done in {last.seconds:.0f} s", icon="CHECKMARK")


def progress_text(animator: Animator) -> str:
    """How many frames are there, and about how long the others will take."""
    total, connection = len(animator.plan.frames), current_session().connection
    if connection.is_starting:
        return f"Server: {state_text(connection).lower()}"
    if not animator.painted_count:
        return f"{animator.done} of {total}"
    left = animator.seconds / animator.done * (total - animator.done) if animator.done else 0.0
    time = f"{left / 60:.0f} min" if left > 90 else f"{left:.0f} s"
    return f"{animator.done} of {total}, {time} left"


def draw_table(layout: Layout, context: bpy.types.Context, rows: list[Row]) -> None:
    """A line a picture: of what, and where it is; why it failed below it, once for several that failed alike."""
    several = len({row.scene for row in rows}) > 1, len({row.layer for row in rows}) > 1
    skipped = max(0, min(sum(row.state in _THROUGH for row in rows), len(rows) - _ROWS))
    table = layout.column(align=True)
    shown = rows[skipped : skipped + _ROWS]
    for row, following in zip_longest(shown, shown[1:]):
        parts = [row.scene] * several[0] + [row.layer] * several[1] + [row.camera]
        line = table.split(factor=0.65)
        line.label(text=" / ".join(parts), icon=_ICONS[row.state])
        line.label(text=row.state.value)
        if row.error is not None and (following is None or following.error is not row.error):
            for text in wrapped(context, str(row.error)):
                table.label(text=text, icon="BLANK1")
    if len(rows) > _ROWS:
        table.label(text=f"and {len(rows) - _ROWS} more", icon="BLANK1")


CLASSES = (SPADE_PT_animation, SPADE_PT_batch)
