# SPDX-License-Identifier: Apache-2.0
"""Projection in a window: painted on the blocks, from another place, behind things, baked, and taken off again."""

from __future__ import annotations

import pytest

from tests.window.blender_window import (
    LOOKS,
    PICTURES,
    SESSION,
    SHADING,
    SPADE,
    VIEW,
    BlenderWindow,
)
from tests.window.conftest import painting_held

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

HIDDEN = f"[each.hidden for each in {SPADE}.projections]"
LIVE = f"{SESSION}.board.live"
WORLD = "bpy.context.scene.world"
SLOTS = (
    "sorted((thing.name, slot.link, slot.name) for thing in bpy.data.objects for slot in thing.material_slots"
    " if 'spade_backdrop' not in thing and thing.name != 'Rock 3')"
)
"""The user's own, but for the rock that is baked: it keeps its textures."""
PROJECTED = f"[[each.camera.name, each.group.name] for each in {SPADE}.projections]"
CAMERAS = "sorted(bpy.data.cameras.keys())"
SCENE = "[[each.name for each in kind] for kind in (bpy.data.objects, bpy.data.cameras, bpy.data.images)]"
ROCK = "bpy.data.objects['Rock 3']"
SECONDS = 400


def test_every_button_of_projection_does_what_it_says(window: BlenderWindow, tmp_path):
    window.open_valley()
    slots = window.ask(SLOTS)
    window.tell(f"{SPADE}.width, {SPADE}.height = 512, 288")
    window.toggle_panel("Place As")
    window.click(*window.find("spade.place_as", "'PROJECTION'"))
    window.until(f"{SPADE}.placement == 'PROJECTION'")
    generates(window)
    projects_from_view(window)
    cancels_one_from_view(window, "['TAKING']")
    cancels_one_from_view(window, "['SENT'], ['QUEUED'], ['RUNNING']")
    undoes_while_one_is_painted(window)
    fills_what_is_hidden(window)
    shows_the_users_material_where_it_is_bare(window)
    bakes(window, str(tmp_path / "projected.blend"))
    window.click(*window.find("spade.remove_projections"))
    window.until(f"{HIDDEN} == []", SECONDS)
    assert window.ask(SLOTS) == slots
    assert window.ask(f"{WORLD} is None or 'spade_sky' not in {WORLD}")
    looks_like(window, "projection_removed")


def looks_like(window: BlenderWindow, name: str) -> None:
    """Keep a picture of the view as it shows materials, and go back to what a processor draws sooner."""
    if PICTURES:
        window.tell(f"{SHADING} = 'MATERIAL'")
        window.keep_picture(name)
    window.tell(f"{SHADING} = 'SOLID'")


def generates(window: BlenderWindow) -> None:
    window.click(*window.find("spade.generate"))
    window.until(f"{HIDDEN} == [0]", SECONDS)
    assert window.ask(f"{LOOKS} == 'CAMERA' and {SHADING} == 'MATERIAL'")
    assert window.ask(f"'spade_sky' in {WORLD} and {VIEW}.shading.use_scene_world")
    looks_like(window, "projection_generated")


def projects_from_view(window: BlenderWindow) -> None:
    stands_aside(window, 5.0)
    looks_like(window, "projection_aside")
    window.click(*window.find("spade.project_from_view"))
    window.until(f"{HIDDEN} == [0, 0] and not {LIVE} and {SHADING} == 'MATERIAL'", SECONDS)
    assert window.ask(LOOKS) == "PERSP", "the designer stays where he stands"
    looks_like(window, "projection_from_view")


def stands_aside(window: BlenderWindow, metres: float) -> None:
    """Let the view look freely from so far to the right of the camera."""
    window.tell(
        f"view = {VIEW}.region_3d\n"
        "view.view_perspective = 'PERSP'\n"
        "view.view_matrix = (bpy.context.scene.camera.matrix_world"
        f" @ __import__('mathutils').Matrix.Translation(({metres}, 0, 0))).inverted()"
    )


def cancels_one_from_view(window: BlenderWindow, moments: str) -> None:
    """Esc while labels are taken, or it is painted: the scene and the view are as before, and were so all the time."""
    window.tell(f"{SPADE}.seed, {SHADING} = 5, 'SOLID'")
    before, hidden = window.ask(SCENE), window.ask(HIDDEN)
    window.click(*window.find("spade.project_from_view"))
    window.until(f"{LIVE} and [each.state.name for each in {LIVE}] in ({moments},)", 60)
    with painting_held():
        assert window.ask(SCENE) == before, "a camera comes with the picture"
        window.key("Escape")
        window.until(f"not {LIVE} and {SCENE} == {before!r}", 60)
    assert window.ask(f"{HIDDEN} == {hidden} and {SHADING} == 'SOLID' and {LOOKS} == 'PERSP'")
    window.tell(f"{SPADE}.seed = 0")


def undoes_while_one_is_painted(window: BlenderWindow) -> None:
    """Ctrl+Z takes an edit back; the picture lands where the designer stood, and no other is touched."""
    stands_aside(window, -4.0)
    window.tell(f"bpy.ops.ed.undo_push(message='before')\n{ROCK}.location.z += 1")
    window.tell("bpy.ops.ed.undo_push(message='Move')")
    before, lifted, cameras = window.ask(PROJECTED), window.ask(f"{ROCK}.location.z"), window.ask(CAMERAS)
    button = window.find("spade.project_from_view")
    left, bottom, width, height = window.region("WINDOW")
    window.click(*button)
    window.until(f"len({LIVE}) == 1", 60)
    window.move(left + width // 3, bottom + height // 4)
    window.key("ctrl+z")
    window.until(f"{ROCK}.location.z < {lifted} - 0.9", 60)
    assert window.ask(f"len({LIVE})") == 1, "it is still being painted"
    window.until(f"len({PROJECTED}) > {len(before)} and not {LIVE}", SECONDS)
    assert window.ask(PROJECTED)[:-1] == before, "what was projected from elsewhere stays"
    there = window.ask(f"list({SPADE}.projections[-1].camera.matrix_world.translation)")
    eye = window.ask(f"list({VIEW}.region_3d.view_matrix.inverted().translation)")
    assert max(abs(one - other) for one, other in zip(there, eye, strict=True)) < 1e-3
    looks_like(window, "projection_from_view_undone")
    window.move(left + width // 3, bottom + height // 4)
    window.key("ctrl+z")
    window.until(f"{PROJECTED} == {before!r} and {CAMERAS} == {cameras!r}", 60)


def fills_what_is_hidden(window: BlenderWindow) -> None:
    window.click(*window.find("spade.fill_hidden"))
    window.until(f"{HIDDEN} == [0, 0, 1, 2, 3] and not {LIVE} and {SHADING} == 'MATERIAL'", SECONDS)
    looks_like(window, "projection_filled")


def shows_the_users_material_where_it_is_bare(window: BlenderWindow) -> None:
    window.tell(f"{SPADE}.bare = 'MATERIAL'")
    looks_like(window, "projection_own_material")
    window.tell(f"{SPADE}.bare = 'MEAN'")
    looks_like(window, "projection_mean_colour")


def bakes(window: BlenderWindow, file: str) -> None:
    window.tell(f"bpy.ops.wm.save_as_mainfile(filepath={file!r})")
    window.select("Rock 3")
    window.click(*window.find("spade.bake"))
    window.pause(2.0)
    window.keep_picture("projection_bake")
    window.key("Return")  # a new UV map is ticked, for the rock has none
    window.until(f"'spade_baked' in {ROCK}.material_slots[0].material", SECONDS)
    looks_like(window, "projection_baked")
