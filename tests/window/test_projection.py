# SPDX-License-Identifier: Apache-2.0
"""Projection in a window: painted on the blocks, from another place, behind things, baked, and taken off again."""

from __future__ import annotations

import pytest

from tests.server.trivial import SLOW
from tests.window import blender_window
from tests.window.blender_window import PICTURES, BlenderWindow, module

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SPADE = "bpy.context.scene.spade"
HIDDEN = f"[each.hidden for each in {SPADE}.projections]"
LIVE = f"{module('session')}.current_session().board.live"
SHADING = "area_of('VIEW_3D').spaces.active.shading.type"
LOOKS = "area_of('VIEW_3D').spaces.active.region_3d.view_perspective"
WORLD = "bpy.context.scene.world"
SLOTS = (
    "sorted((thing.name, slot.link, slot.name) for thing in bpy.data.objects for slot in thing.material_slots"
    " if 'spade_backdrop' not in thing and thing.name != 'Rock 3')"
)
"""The user's own, but for the rock that is baked: it keeps its textures."""
SCENE = "[[each.name for each in kind] for kind in (bpy.data.objects, bpy.data.cameras, bpy.data.images)]"
ROCK = "bpy.data.objects['Rock 3']"
SECONDS = 400


def test_every_button_of_projection_does_what_it_says(window: BlenderWindow, tmp_path):
    blender_window.SECONDS_TO_ANSWER = 300.0  # a processor that draws EEVEE answers late
    window.open_sidebar()
    window.click(*window.find("spade.add_example"))
    window.until("bpy.context.scene.camera.name == 'Valley camera'")
    slots = window.ask(SLOTS)
    window.tell(f"{SPADE}.width, {SPADE}.height = 512, 288")
    window.toggle_panel("Place As")
    window.click(*window.find("spade.place_as", "'PROJECTION'"))
    window.until(f"{SPADE}.placement == 'PROJECTION'")
    generates(window)
    projects_from_view(window)
    for moment in ("each.is_live", "each.state.name == 'RUNNING'"):
        cancels_one_from_view(window, moment)
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
        window.pause(8.0)
        window.keep_picture(name)
    window.tell(f"{SHADING} = 'SOLID'")


def generates(window: BlenderWindow) -> None:
    window.click(*window.find("spade.generate"))
    window.until(f"{HIDDEN} == [0]", SECONDS)
    assert window.ask(f"{LOOKS} == 'CAMERA' and {SHADING} == 'MATERIAL'")
    assert window.ask(f"'spade_sky' in {WORLD} and area_of('VIEW_3D').spaces.active.shading.use_scene_world")
    looks_like(window, "projection_generated")


def projects_from_view(window: BlenderWindow) -> None:
    """From 5 m aside, where the view looks freely."""
    window.tell(
        "view = area_of('VIEW_3D').spaces.active.region_3d\n"
        "view.view_perspective = 'PERSP'\n"
        "view.view_matrix = (bpy.context.scene.camera.matrix_world"
        " @ __import__('mathutils').Matrix.Translation((5, 0, 0))).inverted()"
    )
    looks_like(window, "projection_aside")
    window.click(*window.find("spade.project_from_view"))
    window.until(f"{HIDDEN} == [0, 0] and not {LIVE} and {SHADING} == 'MATERIAL'", SECONDS)
    assert window.ask(LOOKS) == "PERSP", "the designer stays where he stands"
    looks_like(window, "projection_from_view")


def cancels_one_from_view(window: BlenderWindow, moment: str) -> None:
    """Esc as soon as there is a job, and while it is painted: the scene and the view are as they were."""
    window.tell(f"{SPADE}.seed, {SHADING} = {SLOW + 20_000}, 'SOLID'")
    before = window.ask(SCENE)
    window.click(*window.find("spade.project_from_view"))
    window.until(f"[{moment} for each in {LIVE}] == [True]", 60)
    assert window.ask(SCENE) != before, "there is a camera for it"
    window.key("Escape")
    window.until(f"not {LIVE} and {SCENE} == {before!r}", 60)
    assert window.ask(f"{HIDDEN} == [0, 0] and {SHADING} == 'SOLID' and {LOOKS} == 'PERSP'")
    window.tell(f"{SPADE}.seed = 0")


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
    window.tell(
        "for thing in bpy.context.view_layer.objects: thing.select_set(False)\n"
        f"{ROCK}.select_set(True)\nbpy.context.view_layer.objects.active = {ROCK}"
    )
    window.click(*window.find("spade.bake"))
    window.pause(2.0)
    window.keep_picture("projection_bake")
    window.key("Return")  # a new UV map is ticked, for the rock has none
    window.until(f"'spade_baked' in {ROCK}.material_slots[0].material", SECONDS)
    looks_like(window, "projection_baked")
