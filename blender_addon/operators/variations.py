# SPDX-License-Identifier: GPL-3.0-or-later
"""Variations of the same labels, and picking one."""

from __future__ import annotations

import bpy
from bpy.props import EnumProperty, IntProperty

from ..bridge.jobs import Job
from ..bridge.variations import Variations
from ..contract.errors import BadOptionError, CancelledError
from ..history import thumbnails
from ..place.viewport import pressed_in
from ..properties import settings
from ..scene_job import submit_scene
from ..session import current_session
from ..sidebar import redraw
from ..timer import run_until, wake
from .reports_errors import ReportsErrors
from .waiting import SCRIPT_PATIENCE_S, take_wanted_objects, too_late, wait_for_picture

GRIDS = (
    ("TWO", "2 × 2", "Four pictures: with the scene's seed and the three that follow it"),
    ("THREE", "3 × 3", "Nine pictures: with the scene's seed and the eight that follow it"),
)
SIDES = {"TWO": 2, "THREE": 3}


class SPADE_OT_vary(ReportsErrors, bpy.types.Operator):
    """Paint what the camera sees with several seeds, small, to pick one"""

    bl_idname = "spade.vary"
    bl_label = "Variations"

    grid: EnumProperty(name="Grid", description="How many to paint", items=GRIDS)

    @classmethod
    def description(cls, context, properties) -> str:
        return next(text for name, _, text in GRIDS if name == properties.grid)

    def invoke(self, context, event):
        return self.reporting_errors(self.start, context)

    def start(self, context) -> None:
        """Take the labels, once for all; the timer does the rest."""
        self.submit(context)
        wake()

    def run(self, context) -> None:
        """The way of scripts: return when all are there."""
        varied = self.submit(context, objects_later=True)
        job = current_session().board.live_in(context.scene.session_uid)
        if job is not None:
            take_wanted_objects(context, job)
        if not run_until(lambda: not varied.is_live, SCRIPT_PATIENCE_S * len(varied.seeds)):
            varied.stop()
            raise too_late()
        if varied.error is not None:
            raise varied.error
        if len(varied.pictures) < len(varied.seeds):
            raise CancelledError("The variations were cancelled.", fix="Press Variations again.")

    def submit(self, context, objects_later: bool = False) -> Variations:
        """The label pass, and the first of the pictures."""
        thumbnails.forget()
        job = submit_scene(context, objects_later=objects_later)
        return current_session().vary(job, SIDES[self.grid] ** 2)


class SPADE_OT_pick_variation(ReportsErrors, bpy.types.Operator):
    """Place this one: the picture that Generate paints with this seed"""

    bl_idname = "spade.pick_variation"
    bl_label = "Pick"

    seed: IntProperty(name="Seed", description="Whose picture to place; it becomes the scene's seed", min=0)

    def invoke(self, context, event):
        return self.reporting_errors(self.start, context)

    def start(self, context) -> None:
        """Have it painted whole; the timer places it."""
        self.pick(context).pressed_in = pressed_in(context)
        wake()

    def run(self, context) -> None:
        """The way of scripts: return when it is placed."""
        wait_for_picture(self.pick(context))

    def pick(self, context) -> Job:
        """The job of the whole picture. Raises SpadeError."""
        session = current_session()
        varied = session.variations
        if varied is None or self.seed not in varied.pictures:
            raise BadOptionError(
                f"There is no variation with the seed {self.seed}.", "Press Variations first."
            )
        settings(context.scene).seed = self.seed
        session.dismiss()
        session.connect()
        return varied.pick(self.seed)


class SPADE_OT_close_variations(ReportsErrors, bpy.types.Operator):
    """Let go of the variations; what was picked stays"""

    bl_idname = "spade.close_variations"
    bl_label = "Close Variations"

    def run(self, context) -> None:
        current_session().close_variations()
        redraw()


CLASSES = (SPADE_OT_vary, SPADE_OT_pick_variation, SPADE_OT_close_variations)
