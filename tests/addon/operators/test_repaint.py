# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of a picture is painted again; outside it and its feather every byte is the old picture's."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops.bridge.repaint import Repaint, feathered
from spade_backdrops.history.records import request_of, results
from spade_backdrops.place.backdrop import picture_of
from spade_backdrops.place.image import provenance_of
from spade_backdrops.session import current_session
from spade_backdrops.style.reference import rgb_of

from tests.addon.operators.test_style import painted, spade

__all__ = ["spade"]


def again(**words) -> tuple[np.ndarray, np.ndarray]:
    """What is shown, and where it is new."""
    assert bpy.ops.spade.paint_region(**words) == {"FINISHED"}
    job = current_session().board.last_placed
    picture = picture_of(bpy.context.scene, bpy.context.scene.camera)
    return rgb_of(picture), job.request.repaint.share


def test_a_feather_lies_outside_and_falls_evenly():
    mask = np.zeros((40, 60), bool)
    mask[10:20, 10:30] = True
    share = feathered(mask, 8)
    assert (share[mask] == 255).all() and not share[30:].any() and not share[:2].any()
    assert share[20:28, 20].tolist() == [round(255 * (1 - step / 8)) for step in range(1, 8)] + [0]
    assert (feathered(mask, 0) == np.where(mask, 255, 0)).all()
    old, new = np.random.default_rng(0).integers(0, 256, (2, 40, 60, 3), np.uint8)
    made = Repaint(old, share, "").composited(new)
    assert np.array_equal(made[share == 0], old[share == 0]) and np.array_equal(made[mask], new[mask])


def test_a_class_is_painted_again_and_the_rest_keeps_its_bytes(spade):
    spade.natural_edges, spade.seed = 0.0, 4
    old = painted()
    shown, share = again(by="CLASS", class_name="sky", seed=90, feather=0.05)
    labels = current_session().board.last_placed.request.label_map
    assert (share[labels == 0] == 255).all() and (share == 0).any()
    assert np.array_equal(shown[share == 0], old[share == 0])
    assert set(((shown[labels == 0].astype(int) - old[labels == 0]) % 256).ravel().tolist()) == {86}


def test_the_history_keeps_it_as_a_step_and_paints_it_again_exactly(spade, tmp_path):
    old = painted()
    shown, share = again(by="CLASS", class_name="sky", seed=90)
    step, first = results()
    assert np.array_equal(rgb_of(first), old)
    assert provenance_of(step)["region_of"] == first.name and provenance_of(step)["seed"] == 90
    name = step.name
    bpy.ops.spade.remove_result(name=first.name)
    path = str(tmp_path / "schritt.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    repaint = request_of(bpy.data.images[name], bpy.context.scene).repaint
    assert np.array_equal(repaint.share, share) and np.array_equal(repaint.base, old)
    assert bpy.ops.spade.paint_again(name=name) == {"FINISHED"}
    assert [each.name for each in results()] == [name], "it is the same picture"
    assert np.array_equal(rgb_of(bpy.data.images[name]), shown)


def test_selected_objects_and_masks_are_regions(spade):
    old = painted()
    for thing in bpy.context.scene.objects:
        thing.hide_set(False)  # Show has hidden it; the outliner selects it all the same
        thing.select_set(thing.name == "House")
    shown, share = again(by="SELECTED", seed=90, feather=0.0)
    labels = current_session().board.last_placed.request.label_map
    building = labels == labels[share == 255][0]
    assert 0.005 < (share == 255).mean() < 0.5 and building[share == 255].mean() > 0.9
    assert np.array_equal(shown[share == 0], old[share == 0])
    mask = bpy.data.images.new("Maske", 64, 64)
    pixels = np.zeros((64, 64, 4), np.float32)
    pixels[:32] = 1  # Blender counts from below
    mask.pixels.foreach_set(pixels.ravel())
    _, share = again(by="MASK", mask="Maske", seed=91, feather=0.0)
    half = share.shape[0] // 2
    assert (share[half + 1 :] == 255).all() and not share[: half - 1].any()


def test_what_cannot_be_painted_again_is_said_in_words(spade):
    with pytest.raises(RuntimeError, match="No picture is placed"):
        bpy.ops.spade.paint_region(by="CLASS", class_name="sky")
    painted()
    for words, said in (
        ({"by": "CLASS", "class_name": "carpet"}, "no class 'carpet'"),
        ({"by": "CLASS", "class_name": "waterfall"}, "region is empty"),
        ({"by": "MASK", "mask": "Nichts"}, "no image 'Nichts'"),
    ):
        with pytest.raises(RuntimeError, match=said):
            bpy.ops.spade.paint_region(**words)
