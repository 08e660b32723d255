# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a scene's animation is to be painted: checked in words, and taken down, before anything is."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..bridge.jobs import SceneRequest
from ..contract.errors import BadOptionError, NotSavedError
from ..picture_folder import digest_of
from ..properties import settings
from ..scene.label_rules import scene_label_set
from ..scene.scene_file import only_here
from ..scene.view import label_map_shape
from ..scene.visible import active_view_layer
from ..scene_job import ready_to_paint, scene_request

LOOK_AHEAD = 8
"""Frames: what comes into sight on the way to a frame is painted there, in one piece, and taken back from it."""
OF_NO_SCENE = -1
"""As a request's scene: its job is beside those of the scenes, and no press takes its place."""


@dataclass(frozen=True)
class Step:
    """A frame. key: whether all of it is painted. towards: the key to come that it goes over into, by share."""

    frame: int
    key: bool = False
    towards: int | None = None
    share: float = 0.0


@dataclass(frozen=True, eq=False)
class AnimationPlan:
    """frames: in the order of time. request: for a frame, without labels; scene_uid: Blender's session uid of the scene
    it is of. scene, layer: full name, and name. key_every: frames from one key to the next; 0 for one key alone.
    """

    frames: range
    request: SceneRequest
    shape: tuple[int, int]
    scene: str
    scene_uid: int
    layer: str
    key_every: int
    folder: Path

    @property
    def steps(self) -> list[Step]:
        """The frames in the order in which they are made: keys before those that go over into them, and every few
        frames one before those on the way to it.
        """
        every = self.key_every or len(self.frames)
        keys = list(self.frames)[::every]
        found = [Step(keys[0], key=True)]
        for number in range(len(keys)):
            following = keys[number + 1] if number + 1 < len(keys) else None
            if following is not None:
                found.append(Step(following, key=True))
            between = [
                Step(frame, towards=following, share=place / every if following else 0.0)
                for place, frame in enumerate(self.frames[number * every :][1:every], start=1)
            ]
            for first in range(0, len(between), LOOK_AHEAD):
                *on_the_way, last = between[first : first + LOOK_AHEAD]
                found += [last, *on_the_way]
        return found

    def made_with(self, model_digest: str) -> dict[str, Any]:
        """What all of its frames are made with; others make other frames, in a folder of their own."""
        wanted = self.request
        return {
            "scene": self.scene,
            "layer": self.layer,
            "first": self.frames[0],
            "step": self.frames.step,
            "key_every": self.key_every,
            "size": [self.shape[1], self.shape[0]],
            "model": wanted.model,
            "model_digest": model_digest,
            "label_set": wanted.label_set.digest,
            "seed": wanted.seed,
            "style": digest_of(wanted.style, wanted.strength, wanted.placed_styles, wanted.softness),
            "upscale": wanted.upscale,
            "precision": wanted.precision,
        }

    def folder_for(self, made_with: dict[str, Any]) -> Path:
        """The folder of frames that are made so."""
        name = re.sub(r"[^\w-]+", "_", self.scene).strip("_") or "Scene"
        return self.folder / f"{name}_{digest_of(sorted(made_with.items()))[:8]}"


def plan_animation(context: bpy.types.Context) -> AnimationPlan:
    """The frames of the scene's range, as it is set now. Raises BadOptionError, NotSavedError, and what a press
    of Generate does."""
    scene = context.scene
    spade = settings(scene)
    if spade.placement in ("PANORAMA", "TILE"):
        raise BadOptionError(
            "The frames of a panorama or a tile cannot be made.", "Choose another way in Place As."
        )
    if spade.placement == "PROJECTION" and spade.frames_as == "PLACE":
        raise BadOptionError(
            "Frames are shown behind the blocks or before them, and not on them.",
            "Choose Backdrop or Camera in Place As, or Image Only for the frames.",
        )
    folder = frames_folder(scene)
    frames = range(scene.frame_start, scene.frame_end + 1, scene.frame_step)
    shape = label_map_shape(scene)
    style = ready_to_paint(scene, shape)
    if (why := only_here(scene)) is not None:
        raise BadOptionError(
            f"Frames are labelled by a second Blender, which would see another scene: {why}.",
            "Save painted textures, bake simulations into the file, or key what Python drives.",
        )
    label_set = scene_label_set(scene)
    none_yet = np.full(shape, label_set.ignore_id, label_set.dtype)
    # Natural edges would paint the rims of things on what is behind them, where they stay as the camera goes on.
    request = replace(scene_request(scene, none_yet, style, time.monotonic()), natural_edges=0.0)
    return AnimationPlan(
        frames, request, shape, scene.name_full, scene.session_uid, active_view_layer(scene).name,
        spade.key_every, folder,
    )  # fmt: skip


def frames_folder(scene: bpy.types.Scene) -> Path:
    """Where pictures of this scene are written as files. Raises NotSavedError where the file has none."""
    wanted = settings(scene).frames_folder
    if wanted.startswith("//") and not bpy.data.filepath:
        raise NotSavedError("This file is not saved.", "Save it first: the frames go beside it.")
    return Path(bpy.path.abspath(wanted))
