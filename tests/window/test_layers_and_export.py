# SPDX-License-Identifier: Apache-2.0
"""Layers and exports in a window: cards without a gap as the camera moves, files for engines by the file browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.window.blender_window import HEIGHT, SESSION, SHADING, SPADE, VIEW, BlenderWindow, module

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

WORK = f"{module('background.running')}.running_work()"
CARDS = "sorted(thing.name for thing in bpy.data.objects if thing.name.startswith('Layer '))"
ROCK = "bpy.data.objects['Rock 3']"
UV_MAPS = f"[(layer.name, layer.active_render) for layer in {ROCK}.data.uv_layers]"
CLASS = "grass"
STAND_STILL = f"""
import os, signal
blender = {module("scene.background_blender")}.BackgroundBlender
blender.begin = begin = blender.__init__
def begin_and_stop(self, *words):
    begin(self, *words)
    os.kill(self.pid, signal.SIGSTOP)
blender.__init__ = begin_and_stop
"""
"""The next Blender in the background does nothing: whatever the hand does comes before it is done."""
GO_ON = f"blender = {module('scene.background_blender')}.BackgroundBlender\nblender.__init__ = blender.begin"
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


def test_cards_stand_and_a_camera_that_moves_aside_sees_no_gap(window: BlenderWindow, tmp_path):
    window.open_valley()
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
        window.until_drawn()
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
    ends_by_esc(window, tmp_path, lambda: window.confirm_file() == str(tmp_path / "Scene_panorama.hdr"))
    window.click(*export)
    window.confirm_file()
    window.until(f"{WORK} is None and {SESSION}.said.startswith('Wrote 7 files into')", SECONDS)
    window.keep_picture("export_panorama_done")
    written = sorted(path.name for path in tmp_path.glob("Scene_*"))
    faces = [f"Scene_panorama_{face}.hdr" for face in ("nx", "ny", "nz", "px", "py", "pz")]
    assert written == ["Scene_panorama.hdr", *faces]
    assert window.tell(
        f"image = bpy.data.images.load({str(tmp_path / written[0])!r})\n"
        "answer = [*image.size, max(image.pixels[:4096]) > 0]\n"
        "bpy.data.images.remove(image)"
    ) == [512, 256, True]


def ends_by_esc(window: BlenderWindow, folder: Path, confirm: Callable[[], object]) -> None:
    """Esc while another Blender works: it is gone, so is all that it wrote, and the panel says so."""
    before = sorted(folder.rglob("*"))
    window.tell(STAND_STILL)
    assert confirm(), "it is offered beside the .blend, named as what is in it"
    window.until(f"{WORK} is not None", 60)
    window.tell(GO_ON)
    other = window.ask(f"{WORK}._blender.pid")
    assert Path(f"/proc/{other}").exists() and len(sorted(folder.rglob("*"))) > len(before)
    window.keep_picture(f"export_works_{folder.name}")
    window.key("Escape")
    window.until(f"{WORK} is None", 10)
    assert window.ask(f"{SESSION}.said") == "Cancelled: no file was written."
    assert not Path(f"/proc/{other}").exists() and sorted(folder.rglob("*")) == before
    window.keep_picture(f"export_cancelled_{folder.name}")


def test_a_tile_is_exported_as_a_set_of_pictures(window: BlenderWindow, tmp_path):
    window.tell(f"bpy.ops.wm.save_as_mainfile(filepath={str(tmp_path / 'ground.blend')!r})")
    window.click(*window.find("spade.place_as", "'TILE'"))
    window.until(f"{SPADE}.placement == 'TILE'")
    window.tell(f"{SPADE}.width, {SPADE}.height, {SPADE}.tile_class = 256, 256, {CLASS!r}")
    window.keep_picture("tile_to_come")
    window.click(*window.find("spade.generate"))
    window.until(f"{SPADE}.tile_material is not None and not {SESSION}.board.live", SECONDS)
    window.tell(f"{SHADING} = 'SOLID'")
    window.keep_picture("tile")
    export = window.find("spade.export_tile")
    window.click(*export)
    ends_by_esc(window, tmp_path, lambda: window.confirm_file() == str(tmp_path / f"{CLASS}.png"))
    window.click(*export)
    window.confirm_file()
    window.until(f"{WORK} is None and {SESSION}.said.startswith('Wrote 3 files into')", SECONDS)
    window.keep_picture("export_tile_done")
    written = sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".blend")
    assert written == [f"{CLASS}_{kind}.png" for kind in ("albedo", "normal", "roughness")]
    for name in written:
        pixels = np.asarray(Image.open(tmp_path / name).convert("RGB")).astype(int)
        assert pixels.shape == (256, 256, 3)
        for axis in (0, 1):
            steps = np.abs(np.diff(pixels, axis=axis, append=pixels.take([0], axis))).mean(axis=(1 - axis, 2))
            assert steps[-1] <= steps[:-1].max(), f"the sides of {name} meet as its inner columns do"


def test_a_rock_is_baked_and_exported_as_gltf(window: BlenderWindow, tmp_path):
    window.tell(f"bpy.ops.wm.save_as_mainfile(filepath={str(tmp_path / 'rock.blend')!r})")
    window.click(*window.find("spade.place_as", "'PROJECTION'"))
    window.until(f"{SPADE}.placement == 'PROJECTION'")
    generate = window.find("spade.generate")
    window.click(*generate)
    window.until(f"len({SPADE}.projections) == 1 and not {SESSION}.board.live", SECONDS)
    window.tell(f"{SHADING} = 'SOLID'")
    window.select("Rock 3")
    bake, maps = window.find("spade.bake"), window.ask(UV_MAPS)
    window.click(*bake)
    window.pause(2.0)
    ends_by_esc(window, tmp_path, lambda: window.key("Return") is None)
    assert window.ask(UV_MAPS) == maps, "the new UV map is gone again"
    window.click(*bake)
    window.pause(2.0)
    window.key("Return")
    window.until(f"{ROCK}.material_slots and 'spade_baked' in {ROCK}.material_slots[0].material", SECONDS)
    window.tell(f"{SHADING} = 'SOLID'")
    window.keep_picture("baked")
    export = window.find("spade.export_baked")
    window.click(*export)
    ends_by_esc(window, tmp_path, lambda: window.confirm_file() == str(tmp_path / "Rock_3.glb"))
    window.click(*export)
    window.confirm_file()
    window.until(f"{WORK} is None and {SESSION}.said.startswith('Wrote 1 file into')", SECONDS)
    window.keep_picture("export_baked_done")
    assert (tmp_path / "Rock_3.glb").read_bytes()[:4] == b"glTF"
