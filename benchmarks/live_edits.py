# SPDX-License-Identifier: Apache-2.0
"""Runs inside a Blender with a window that paints live: edits the valley, and notes when each edit is on the screen.

A picture counts as seen when Blender has drawn it and taken its turn again, so after the drawing was handed to the
screen.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import Any

import bpy

LOOK_S, PATIENCE_S, LONGEST_REST_S = 0.004, 30.0, 2.5
ADDON = "bl_ext.user_default.spade_backdrops"
ending: Any = sys.modules[f"{ADDON}.live.ending"]
drawing: Any = sys.modules[f"{ADDON}.live.drawing"]
rules: Any = sys.modules[f"{ADDON}.scene.label_rules"]


class Edits:
    """`moves` moves of a house, or edits of all kinds for so many seconds, each after a rest of up to LONGEST_REST_S.

    found: of each that was measured, the seconds to the request, to the picture, to the screen. missed: edits of which
    no picture came. spent: seconds of the main thread that live painting has taken since `began`.
    """

    def __init__(self, moves: int, seconds: float, seed: int = 1) -> None:
        self.began, self.spent = time.monotonic(), 0.0
        self.found: list[tuple[float, float, float]] = []
        self.missed: list[str] = []
        self.made = 0
        self._moves, self._end = moves, time.monotonic() + seconds
        self._random = random.Random(seed)
        self._edit, self._edited_at, self._next_at = "", 0.0, time.monotonic()
        self._drawn: Any = None
        _time(ending, "step", self)
        _time(ending.timer, "step", self)
        _time(drawing, "_draw_live", self)
        bpy.types.SpaceView3D.draw_handler_add(self._note_drawn, (), "WINDOW", "POST_PIXEL")
        bpy.app.timers.register(self._look)

    @property
    def is_done(self) -> bool:
        return not self._edit and self.made >= self._moves and time.monotonic() >= self._end

    def _note_drawn(self) -> None:
        self._drawn = drawing._texture and drawing._texture[0]

    def _look(self) -> float | None:
        now = time.monotonic()
        if self._edit:
            shown = self._drawn
            if shown is not None and shown.asked_at > self._edited_at:
                asked, came = shown.asked_at - self._edited_at, shown.seconds
                self.found.append((asked, asked + came, now - self._edited_at))
                self._edit = ""
            elif now - self._edited_at > PATIENCE_S:
                self.missed.append(self._edit)
                self._edit = ""
            if not self._edit:
                self._next_at = now + self._random.uniform(0.0, LONGEST_REST_S)
        elif self.is_done:
            return None
        elif now >= self._next_at:
            edit: Callable[[random.Random], None] = (
                move_house if self.made < self._moves else self._random.choice(EDITS)
            )
            edit(self._random)
            self.made += 1
            self._edit, self._edited_at = edit.__name__, time.monotonic()
        return LOOK_S


def _time(owner: Any, name: str, edits: Edits) -> None:
    """Count what a function takes of the main thread."""
    whole = getattr(owner, name)

    def timed(*words: Any) -> Any:
        began = time.thread_time()
        try:
            return whole(*words)
        finally:
            edits.spent += time.thread_time() - began

    setattr(owner, name, timed)


def move_house(chance: random.Random) -> None:
    house = bpy.data.objects["House walls"]
    house["stood"] = stood = house.get("stood", house.location.x)
    house.location.x = stood + chance.uniform(-4.0, 4.0)  # never where it was: the server remembers pictures


def scale_rock(chance: random.Random) -> None:
    rock = bpy.data.objects["Rock 1"]
    rock.scale = [chance.uniform(0.8, 2.5)] * 3


def move_camera(chance: random.Random) -> None:
    camera = bpy.context.scene.camera
    camera.rotation_euler.z = chance.uniform(-0.05, 0.05)


def relabel(chance: random.Random) -> None:
    scene, river = bpy.context.scene, bpy.data.objects["River"]
    rules.assign(scene, river, "road" if river.get("spade_label") == "water" else "water")


def add_or_delete(chance: random.Random) -> None:
    """A large rock comes, or goes."""
    block = bpy.data.objects.get("Block")
    if block is not None:
        mesh = block.data
        bpy.data.objects.remove(block)
        bpy.data.meshes.remove(mesh)
        return
    shape: Any = bpy.data.objects["Rock 2"].data
    block = bpy.data.objects.new("Block", shape.copy())
    block.location, block.scale = bpy.data.objects["House walls"].location, (5, 5, 5)
    bpy.context.scene.collection.objects.link(block)
    rules.assign(bpy.context.scene, block, "rock")


def another_seed(chance: random.Random) -> None:
    bpy.context.scene.spade.seed = chance.randrange(1_000_000)


EDITS = (move_house, scale_rock, move_camera, relabel, add_or_delete, another_seed)
