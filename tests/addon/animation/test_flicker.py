# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded model in the example valley: frames hold still where one seed for all of them flickers."""

from __future__ import annotations

import math

import bpy
import numpy as np
import pytest
from mathutils import Vector
from spade_backdrops.animation import running
from spade_backdrops.animation.animator import name_of
from spade_backdrops.properties import settings
from spade_backdrops.scene.png import rgb_in
from spade_backdrops.session import current_session

from tests.addon.serving import painting_command

FRAMES, SIDE = 6, 256
STEP_M, TURN = Vector((0.163, 0.0, -0.163)), math.radians(0.25)
"""A frame: in the camera's own directions, and about the vertical."""
MOST, OF_FIXED = 0.0069, 0.5
"""How much frames may differ, 0..1, less the motion; and by how much of what frames of one seed differ."""


@pytest.fixture
def valley_walk(scene, stored_preferences, tmp_path):
    stored_preferences.server, stored_preferences.server_command = "LOCAL", painting_command()
    current_session().dismiss()
    bpy.ops.spade.add_example()
    scene.render.resolution_x = scene.render.resolution_y = SIDE
    scene.frame_start, scene.frame_end = 1, FRAMES
    camera = scene.camera
    place, turn = camera.location.copy(), camera.rotation_euler.copy()
    step = camera.matrix_world.to_quaternion() @ STEP_M
    for frame in range(1, FRAMES + 1):
        camera.location = place + step * (frame - 1)
        camera.rotation_euler.z = turn.z + TURN * (frame - 1)
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)
    spade = settings(scene)
    spade.width = spade.height = SIDE
    spade.seed = 7
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "tal.blend"))
    return scene


def frames() -> list[np.ndarray]:
    """What the press gives, (H, W, 3) float in 0..1."""
    assert bpy.ops.spade.animate() == {"FINISHED"}
    animator = running.last_animation()
    paths = [animator.frames.path(name_of(frame)) for frame in animator.plan.frames]
    return [rgb_in(path.read_bytes()) / 255.0 for path in paths]


def flicker(pictures: list[np.ndarray], views: list, of=None) -> float:
    """The mean difference of each frame and the one before, moved as the camera has: pixels that both see.

    of: a part, of its pixels alone, moved as it has.
    """
    found = []
    for before, after, old, new in zip(pictures, pictures[1:], views, views[1:], strict=False):
        height, width = new.shape
        points = new.points(np.arange(height * width))
        shown = np.array([each.numbered({of: 1}) == (of is not None) for each in (old, new)])
        if of is not None:
            way = new.way_to(old, of)
            points = points @ way[:3, :3].T + way[:3, 3]
        spots, ahead = old.projector.seen(points)
        x, y = spots[:, 0] * width - 0.5, (1 - spots[:, 1]) * height - 0.5
        inside = (x >= 0) & (x <= width - 1.001) & (y >= 0) & (y <= height - 1.001)
        left, top = np.floor(np.where(inside, x, 0)).astype(int), np.floor(np.where(inside, y, 0)).astype(int)
        nearest = np.rint(np.where(inside, y, 0)).astype(int), np.rint(np.where(inside, x, 0)).astype(int)
        seen = inside & (old.labels[nearest] == new.labels.ravel())
        seen &= shown[1] & shown[0].reshape(height, width)[nearest]
        seen &= np.abs(np.minimum(old.depth[nearest], 1e5) / ahead - 1) < 0.03
        part, down = (np.where(inside, x - left, 0)[:, None], np.where(inside, y - top, 0)[:, None])
        lower, upper = (
            before[top + row, left] * (1 - part) + before[top + row, left + 1] * part for row in (1, 0)
        )
        moved = upper * (1 - down) + lower * down
        found.append(np.abs(moved - after.reshape(-1, 3))[seen].mean())
    return float(np.mean(found))


@pytest.mark.timeout(600)
def test_frames_hold_still(valley_walk, views_of):
    ours = frames()
    settings(valley_walk).key_every = 1  # every frame painted as a whole, with one seed
    fixed = frames()
    seen = views_of(valley_walk, list(range(1, FRAMES + 1)), ours[0].shape[:2])
    views = [seen[frame] for frame in range(1, FRAMES + 1)]
    still, restless = flicker(ours, views), flicker(fixed, views)
    assert still < MOST and still < OF_FIXED * restless, (still, restless)


@pytest.mark.timeout(600)
def test_a_copy_that_moves_takes_its_picture_along_and_holds_still(valley_walk, views_of):
    pine = next(
        thing for thing in valley_walk.objects if thing.instance_type == "COLLECTION" and "ine" in thing.name
    )
    for frame in range(1, FRAMES + 1):
        pine.location.x += 0.4
        pine.rotation_euler.z += 0.02
        pine.keyframe_insert("location", frame=frame)
        pine.keyframe_insert("rotation_euler", frame=frame)
    bpy.ops.wm.save_mainfile()
    ours = frames()
    settings(valley_walk).key_every = 1
    fixed = frames()
    seen = views_of(valley_walk, list(range(1, FRAMES + 1)), ours[0].shape[:2])
    views = [seen[frame] for frame in range(1, FRAMES + 1)]
    (crown,) = [part for part in views[-1].moved if part[0] == "Pine crown"]
    still, restless = flicker(ours, views, crown), flicker(fixed, views, crown)
    assert still < MOST and still < OF_FIXED * restless, (still, restless)
