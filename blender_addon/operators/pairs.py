# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering training pairs, for Blender without a window: `spade dataset render` starts it there.

It says what it does on standard output, one line of JSON after a mark: {"kind": "progress", "done", "of"},
{"kind": "finished", "rendered", "folder"}, or {"kind": "failed", "code", "message", "fix"}.
"""

from __future__ import annotations

import json
import os
import select
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from ..contract.errors import CancelledError, SpadeError
from ..contract.limits import LARGEST_SIDE
from ..pairs.pair_set import KEPT, KEYED, PLACED, RANDOM, PairSet
from ..scene import label_rules
from ..scene.view import label_map_shape
from .reports_errors import ReportsErrors

MARK = "spade-pairs: "


class SPADE_OT_render_pairs(ReportsErrors, bpy.types.Operator):
    """Render photographs of the scene with their label maps, to train a model on"""

    bl_idname = "spade.render_pairs"
    bl_label = "Render Training Pairs"

    directory: StringProperty(name="Folder", description="Where the data set is written", subtype="DIR_PATH")
    count: IntProperty(name="Pictures", description="How many to render", default=100, min=1)
    seed: IntProperty(name="Seed", description="Another seed gives other cameras and lights", min=0)
    width: IntProperty(
        name="Width", description="0 takes the size of the scene's label maps", max=LARGEST_SIDE
    )
    height: IntProperty(
        name="Height", description="0 takes the size of the scene's label maps", max=LARGEST_SIDE
    )
    samples: IntProperty(name="Samples", description="Of each pixel, in Cycles", default=64, min=1)
    cameras: EnumProperty(
        name="Cameras",
        description="Where the pictures are taken from",
        items=(
            (RANDOM, "Random", "Around the scene's camera, above the ground and outside of things"),
            (KEYED, "Keyed", "The scene's camera over its frame range"),
            (PLACED, "Placed", "Each camera of the scene in turn"),
        ),
    )
    lights: EnumProperty(
        name="Lights",
        description="What lights them",
        items=(
            (RANDOM, "Random", "Another time of day each time"),
            (KEPT, "Kept", "As they are in the scene"),
        ),
    )
    spread: FloatProperty(
        name="Spread",
        description="How far a random camera may go; 0 fits it to the view",
        unit="LENGTH",
        min=0.0,
    )
    instances: BoolProperty(name="Instance Maps", description="Write which object each pixel shows, too")
    val_every: IntProperty(
        name="Set Aside",
        description="Every Nth picture is for validation; 0 for none",
        default=10,
        min=0,
    )
    label_by_name: BoolProperty(
        name="Label by Name", description="Label what has no label by its name, for these pictures only"
    )
    leave_with_input: BoolProperty(
        name="Leave with Input", description="Stop when standard input ends: whoever asked is gone"
    )

    def run(self, context) -> None:
        scene = context.scene
        if self.label_by_name:
            label_rules.auto_assign(scene)
        height, width = label_map_shape(scene)
        wanted = PairSet(
            count=self.count,
            shape=(self.height or height, self.width or width),
            seed=self.seed,
            samples=self.samples,
            cameras=self.cameras,
            lights=self.lights,
            spread=self.spread,
            instances=self.instances,
            val_every=self.val_every,
        )
        folder = Path(bpy.path.abspath(self.directory))
        rendered = wanted.render(scene, folder, self._report_progress)
        say(kind="finished", rendered=rendered, folder=str(folder))
        self.report({"INFO"}, f"Rendered {rendered} pairs into {folder.name}")

    def show_error(self, problem: SpadeError) -> set[str]:
        say(kind="failed", code=problem.code, message=problem.message, fix=problem.fix)
        return super().show_error(problem)

    def _report_progress(self, done: int, of: int) -> None:
        say(kind="progress", done=done, of=of)
        if self.leave_with_input and input_has_ended():
            raise CancelledError("The program that asked for the pictures is gone.")


def input_has_ended() -> bool:
    """Whether standard input was closed from the other side. Windows cannot tell."""
    if os.name == "nt":
        return False
    ready, _, _ = select.select([0], [], [], 0)
    return bool(ready) and not os.read(0, 1)


def say(**event: object) -> None:
    """One event for whoever started Blender."""
    print(MARK + json.dumps(event), flush=True)


CLASSES = (SPADE_OT_render_pairs,)
