# SPDX-License-Identifier: Apache-2.0
"""Layers and exports in a window: cards without a gap as the camera moves, files for engines by the file browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.window import blender_window
from tests.window.blender_window import HEIGHT, BlenderWindow, module

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

SPADE = "bpy.context.scene.spade"
SESSION = f"{module('session')}.current_session()"
WORK = f"{module('background.running')}.running_work()"
VIEW = "area_of('VIEW_3D').spaces.active"
SHADING = f"{VIEW}.shading.type"
CARDS = "sorted(thing.name for thing in bpy.data.objects if thing.name.startswith('Layer '))"
ROCK = "bpy.data.objects['Rock 3']"
SECONDS = 300
BEHIND_ALL = (255, 0, 255)
SHOW_GAPS = f"""
sky = bpy.context.preferences.themes[0].view_3d.space.gradients
sky.background_type, sky.high_gradient = "SINGLE_COLOR", (1, 0, 1)
{VIEW}.overlay.show_overlays = {VIEW}.show_gizmo = False
"""
FRAME = """
from bpy_extras.view3d_utils import location_3d_to_region_2d as seen
camera, area = bpy.context.scene.camera, area_of('VIEW_3D')
region = region_of(area, 'WINDOW')
corners = [camera.matrix_world @ corner for corner in camera.data.view_frame(scene=bpy.context.scene)]
places = [seen(region, area.spaces.active.region_3d, corner) for corner in corners]
answer = [[region.x + place.x, region.y + place.y] for place in places]
"""


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    monkeypatch.setattr(
        blender_window, "SECONDS_TO_ANSWER", 300.0
    )  # a processor that draws EEVEE answers late


def test_cards_stand_and_a_camera_that_moves_aside_sees_no_gap(window: BlenderWindow, tmp_path):
    window.open_sidebar()
    window.click(*window.find("spade.add_example"))
    window.until("bpy.context.scene.camera.name == 'Valley camera'")
    window.tell(f"{SPADE}.width, {SPADE}.height = 512, 288")
    window.toggle_panel("Place As")
    window.click(*window.find("spade.place_as", "'LAYERS'"))
    window.until(f"{SPADE}.placement == 'LAYERS'")
    window.click(*window.find("spade.generate"))
    window.until(f"len({CARDS}) == 3 and {SESSION}.layers is None", SECONDS)
    assert window.ask(f"{SHADING} == 'MATERIAL'")
    window.tell(SHOW_GAPS)
    for name, step in (("at_rest", 0.0), ("right", 0.6), ("left", -1.2)):
        window.tell(f"bpy.context.scene.camera.location.x += {step}")
        window.pause(12.0)
        window.keep_picture(f"layers_{name}")
        assert gaps(window, tmp_path / "view.png") < 0.005, name
    window.tell(f"bpy.context.scene.camera.location.x += 0.6\n{SHADING} = 'SOLID'")
    window.tell(f"{VIEW}.overlay.show_overlays = True")


def gaps(window: BlenderWindow, file: Path) -> float:
    """The share of the camera's frame, less its border, through which what is behind all is seen."""
    corners = np.array(window.tell(FRAME))
    window.screenshot(file)
    seen = np.asarray(Image.open(file).convert("RGB"))
    left, low = np.ceil(corners.min(0)).astype(int) + 3
    right, high = np.floor(corners.max(0)).astype(int) - 3
    frame = seen[HEIGHT - high : HEIGHT - low, left:right]
    assert frame.shape[1] > 300, "the camera's frame is on the screen"
    return float((frame == BEHIND_ALL).all(axis=2).mean())


def test_a_panorama_is_exported_where_the_file_browser_says(window: BlenderWindow, tmp_path):
    window.tell(f"bpy.ops.wm.save_as_mainfile(filepath={str(tmp_path / 'around.blend')!r})")
    window.click(*window.find("spade.place_as", "'PANORAMA'"))
    window.until(f"{SPADE}.placement == 'PANORAMA'")
    generate = window.find("spade.generate")
    window.tell(f"{SPADE}.width, {SPADE}.height = 512, 256")
    world = window.ask("bpy.context.scene.world.name")
    window.click(*generate)
    window.until(f"bpy.context.scene.world.name != {world!r} and not {SESSION}.board.live", SECONDS)
    window.tell(f"{SHADING} = 'SOLID'")
    export = window.find("spade.export_panorama")
    window.click(*export)
    offered = window.confirm_file()
    assert offered == str(tmp_path / "Scene_panorama.hdr"), "beside the .blend, named as its scene"
    window.until(f"{WORK} is not None", 60)
    window.key("Escape")
    window.until(f"{WORK} is None", 30)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(("Scene_", ".spade"))], (
        "Esc leaves nothing"
    )
    window.click(*export)
    window.confirm_file()
    window.until(f"{WORK} is not None", 60)
    window.until(f"{WORK} is None and {SESSION}.error is None", SECONDS)
    window.keep_picture("export_panorama_done")
    written = sorted(path.name for path in tmp_path.glob("Scene_*"))
    faces = [f"Scene_panorama_{face}.hdr" for face in ("nx", "ny", "nz", "px", "py", "pz")]
    assert written == ["Scene_panorama.hdr", *faces]
    assert window.tell(
        f"image = bpy.data.images.load({str(tmp_path / written[0])!r})\n"
        "answer = [*image.size, max(image.pixels[:4096]) > 0]\n"
        "bpy.data.images.remove(image)"
    ) == [512, 256, True]


def test_a_rock_is_baked_and_exported_as_gltf(window: BlenderWindow, tmp_path):
    window.tell(f"bpy.ops.wm.save_as_mainfile(filepath={str(tmp_path / 'rock.blend')!r})")
    window.click(*window.find("spade.place_as", "'PROJECTION'"))
    window.until(f"{SPADE}.placement == 'PROJECTION'")
    generate = window.find("spade.generate")
    window.click(*generate)
    window.until(f"len({SPADE}.projections) == 1 and not {SESSION}.board.live", SECONDS)
    window.tell(
        f"{SHADING} = 'SOLID'\n"
        "for thing in bpy.context.view_layer.objects: thing.select_set(False)\n"
        f"{ROCK}.select_set(True)\nbpy.context.view_layer.objects.active = {ROCK}"
    )
    window.click(*window.find("spade.bake"))
    window.pause(2.0)
    window.key("Return")
    window.until(f"{ROCK}.material_slots and 'spade_baked' in {ROCK}.material_slots[0].material", SECONDS)
    window.tell(f"{SHADING} = 'SOLID'")
    window.click(*window.find("spade.export_baked"))
    offered = window.confirm_file()
    assert offered == str(tmp_path / "Rock_3.glb")
    window.until(f"{WORK} is not None", 60)
    window.until(f"{WORK} is None and {SESSION}.error is None", SECONDS)
    window.keep_picture("export_baked_done")
    assert (tmp_path / "Rock_3.glb").read_bytes()[:4] == b"glTF"
