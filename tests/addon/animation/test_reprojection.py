# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames out of other frames: what was seen is where it belongs, what was not is left, things take theirs along."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Vector
from spade_backdrops.animation.reprojection import Source, bicubic, faded, known_of
from spade_backdrops.animation.sources import Sources
from spade_backdrops.scene.label_rules import assign

NEAR_M = 45.0
"""Farther away the test's pattern is finer than pixels."""


def pattern(points: np.ndarray) -> np.ndarray:
    """(N, 3) bytes of colour for (N, 3) points: soft waves through space."""
    return np.rint(127.5 + 100 * np.sin(points / 1.7)).astype(np.uint8)


def painted(view) -> np.ndarray:
    """A view's picture, if the world had that pattern."""
    return pattern(view.points(np.arange(view.labels.size))).reshape(*view.shape, 3)


def test_what_was_seen_comes_back_where_it_belongs(walk, views_of):
    views = views_of(walk, [1, 3])
    known = known_of(views[3], [Source(1, views[1], painted(views[1]))])
    sure = known.is_known & (views[3].depth < NEAR_M)
    wrong = np.abs(known.rgb - painted(views[3]))[sure].max(axis=1)
    assert sure.mean() > 0.2 and np.median(wrong) < 2 and np.quantile(wrong, 0.98) < 12
    assert known.taken == {1: pytest.approx(known.is_known.sum(), rel=0.01)}


def test_what_was_hidden_or_outside_is_left_to_be_painted(walk, views_of):
    views = views_of(walk, [1, 5])
    known = known_of(views[5], [Source(1, views[1], painted(views[1]))])
    pixels = np.arange(views[5].labels.size)
    points = views[5].points(pixels)
    solid = views[5].depth.ravel() < 1e3
    inside = outside_of(views[1], points, margin=0.01) == 0
    seen = np.array([is_seen(views[1].projector.place, point) if ok else False
                     for point, ok in zip(points, solid & inside, strict=True)])  # fmt: skip
    is_known = known.is_known.ravel()
    judged = solid & inside
    assert (~seen & judged).mean() > 0.005, "something is hidden"
    assert (is_known & ~seen & judged).mean() < 0.005, "leaks"
    assert (~is_known & seen & judged).mean() < 0.01, "painted although it was seen"
    beyond = outside_of(views[1], points, margin=-0.02) == 1
    assert beyond.any() and not is_known[beyond].any()


def outside_of(view, points, margin: float) -> np.ndarray:
    """1 where points are beyond a frame made narrower by a margin."""
    spots, ahead = view.projector.seen(points)
    with np.errstate(invalid="ignore"):
        inside = (ahead > 0) & (spots > margin).all(axis=1) & (spots < 1 - margin).all(axis=1)
    return np.where(inside, 0, 1)


def is_seen(place: np.ndarray, point: np.ndarray) -> bool:
    way = Vector(point) - Vector(place)
    hit, where, *_ = bpy.context.scene.ray_cast(
        bpy.context.evaluated_depsgraph_get(), Vector(place), way.normalized()
    )
    return bool(hit) and (where - Vector(place)).length > way.length * 0.99 - 0.02


def test_sky_turns_with_the_camera_and_does_not_move_with_it(walk, views_of):
    walk.camera.keyframe_insert("rotation_euler", frame=1)
    walk.camera.rotation_euler.z += 0.1
    walk.camera.keyframe_insert("rotation_euler", frame=3)
    views = views_of(walk, [1, 3])
    height, width = views[1].shape
    columns = np.broadcast_to(np.arange(width, dtype=np.uint8)[None, :, None], (height, width, 3))
    known = known_of(views[3], [Source(1, views[1], np.ascontiguousarray(columns))])
    sky = known.is_known & (views[3].depth > 1e5)
    place = (0.5 - (width / 2 - 0.5 - np.arange(width)) / width, 0.1)
    scale = views[1].projector.scale[0]
    direction = np.arctan((place[0] - 0.5) / scale) - 0.1  # where each column looks, seen from frame 1
    expected = (np.tan(direction) * scale + 0.5) * width - 0.5
    row, column = np.nonzero(sky)
    assert sky.mean() > 0.1 and np.abs(known.rgb[row, column, 0] - expected[column]).max() < 1.0


TRUCK = ("Truck", 0.0)


def moving_box(scene):
    """A box before the camera that goes and turns from frame 1 to 3."""
    bpy.ops.mesh.primitive_cube_add(size=3, location=(1, -8, 3))
    box = bpy.context.object
    box.name = "Truck"
    assign(scene, box, "building")
    box.keyframe_insert("location", frame=1)
    box.keyframe_insert("rotation_euler", frame=1)
    box.location.x, box.rotation_euler.z = 3, 0.5
    box.keyframe_insert("location", frame=3)
    box.keyframe_insert("rotation_euler", frame=3)
    return box


def on_truck(view, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pixels that show the truck, and the pattern as it would lie on it."""
    pixels = np.flatnonzero(view.numbered({TRUCK: 1}))
    inverse = np.linalg.inv(now)
    return pixels, pattern(view.points(pixels) @ inverse[:3, :3].T + inverse[:3, 3])


def test_a_thing_that_moves_takes_its_picture_along(walk, views_of):
    moving_box(walk)
    views = views_of(walk, [1, 2, 3])
    assert not views[1].moved and set(views[3].moved) == {TRUCK}
    rest, now = (getattr(views[3].moved[TRUCK], name).matrix for name in ("rest", "now"))
    local = np.linalg.inv(rest)
    at_first = views[1].points(np.arange(views[1].labels.size)) @ local[:3, :3].T + local[:3, 3]
    source = Source(1, views[1], pattern(at_first).reshape(*views[1].shape, 3))
    known = known_of(views[3], [source])
    pixels, expected = on_truck(views[3], now)
    is_known = known.is_known.ravel()[pixels]
    wrong = np.abs(known.rgb.reshape(-1, 3)[pixels][is_known] - expected[is_known]).max(axis=1)
    assert pixels.size > 200 and is_known.mean() > 0.6 and np.median(wrong) < 4
    swum = np.abs(pattern(views[3].points(pixels))[is_known] - expected[is_known].astype(int)).max(axis=1)
    assert np.median(swum) > 40, "what stood still in space would be another picture"
    between = known_of(views[2], [source])
    pixels, _ = on_truck(views[2], views[2].moved[TRUCK].now.matrix)
    assert between.is_known.ravel()[pixels].mean() > 0.75


def test_a_thing_that_changes_its_shape_is_painted_anew(walk, views_of):
    box = moving_box(walk)
    box.animation_data_clear()
    box.shape_key_add(name="Rest")
    key = box.shape_key_add(name="Wide")
    key.data[0].co.x += 0.4
    key.value = 0.0
    key.keyframe_insert("value", frame=1)
    key.value = 1.0
    key.keyframe_insert("value", frame=3)
    views = views_of(walk, [1, 3])
    assert views[3].moved[TRUCK].now.shape != views[3].moved[TRUCK].rest.shape
    known = known_of(views[3], [Source(1, views[1], painted(views[1]))])
    shown = views[3].numbered({TRUCK: 1}).reshape(views[3].shape) > 0
    assert shown.mean() > 0.02 and not known.is_known[shown].any()


def test_the_first_frame_that_knows_a_pixel_counts(walk, views_of):
    views = views_of(walk, [1, 2, 3])
    red, blue = (
        Source(frame, views[frame], np.full((*views[frame].shape, 3), color, np.uint8))
        for frame, color in ((1, (200, 0, 0)), (2, (0, 0, 200)))
    )
    known = known_of(views[3], [red, blue])
    only = known_of(views[3], [red])
    is_red = np.abs(known.rgb - (200, 0, 0)).max(axis=2) < 0.01
    assert is_red[only.is_known].mean() > 0.995, "but for single pixels that only rounding left"
    more = known.is_known & ~only.is_known
    assert more.any() and (known.rgb[more][:, 2] > 0).all() and set(known.taken) == {1, 2}


def test_a_key_to_come_fades_in_by_its_share_and_fills_what_it_alone_knows(walk, views_of):
    views = views_of(walk, [1, 3, 5])
    before = Source(1, views[1], np.full((*views[1].shape, 3), 100, np.uint8))
    after = Source(5, views[5], np.full((*views[5].shape, 3), 200, np.uint8))
    known = known_of(views[3], [before])
    both = faded(known, views[3], after, 0.25)
    theirs = known_of(views[3], [after]).is_known
    shared = known.is_known & theirs & (both.rgb[..., 0] > 101)
    assert shared.mean() > 0.5 and np.abs(both.rgb[shared] - 125).max() < 0.01
    alone = ~known.is_known & both.is_known
    assert alone.any() and np.allclose(both.rgb[alone], 200)


def test_what_is_painted_goes_over_into_what_is_known_without_touching_what_is_not(walk, views_of):
    views = views_of(walk, [1, 5])
    known = known_of(views[5], [Source(1, views[1], np.full((*views[1].shape, 3), 40, np.uint8))])
    rgb = known.painted(np.full((*views[5].shape, 3), 240, np.uint8))
    assert (rgb[~known.is_known] == 240).all()
    far = np.abs(np.diff(known.is_known.astype(int), axis=1)).sum() > 0
    assert far and (rgb == 40).mean() > 0.5
    assert ((rgb > 40) & (rgb < 240)).any(), "a soft border"


def test_between_pixels_is_nothing_that_neither_has():
    rgb = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    rows, columns = np.mgrid[0:12, 0:16]
    spots = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(float)
    assert np.array_equal(bicubic(rgb, spots).reshape(12, 16, 3), rgb)
    flat = np.full((12, 16, 3), 77, np.uint8)
    assert np.allclose(bicubic(flat, spots + 0.3), 77)


def test_memory_lets_go_of_what_the_last_frame_had_least_of(walk, views_of):
    views = views_of(walk, [1, 2, 3])
    size = views[1].labels.size
    sources = Sources(most_bytes=30 * size)
    for frame in (1, 2, 3):
        sources.add(Source(frame, views[frame], painted(views[frame])), frame == 1)
        sources.forget({1: 900, 2: 10})
    assert [source.frame for source in sources.before(4)] == [1, 2]
    assert sources.key(1).frame == 1
