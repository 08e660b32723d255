# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports for engines: files are read back by a Blender that knows nothing of the add-on, and lie as the scene does."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path

import bpy
import numpy as np
import pytest
from spade_backdrops.background.running import running_work, start_work
from spade_backdrops.contract.errors import CannotWriteError
from spade_backdrops.engine.exporter import Exporter
from spade_backdrops.engine.panorama import aligned_light
from spade_backdrops.engine.plan import plan_tile
from spade_backdrops.place.colors import find_colors
from spade_backdrops.place.image import store_image
from spade_backdrops.place.panorama_world import match_world
from spade_backdrops.place.placement import place
from spade_backdrops.properties import settings
from spade_backdrops.session import current_session
from spade_backdrops.style.reference import rgb_of

from tests.addon.drawing import drawn
from tests.addon.fresh_blender import look

HEIGHT, WIDTH = 64, 128
YAW = -math.pi / 2 + 20 * math.tau / WIDTH
"""Of the camera: 20 columns to the left of what looks along +X."""
_AROUND = """
def around(file, yaw, height):
    scene = bpy.context.scene
    world = scene.world = bpy.data.worlds.new("World")
    world.use_nodes = True
    nodes = world.node_tree.nodes
    texture = nodes.new("ShaderNodeTexEnvironment")
    texture.image, texture.interpolation = bpy.data.images.load(folder + "/" + file), "Closest"
    world.node_tree.links.new(texture.outputs["Color"], nodes["Background"].inputs["Color"])
    eye = bpy.data.objects.new("Eye", bpy.data.cameras.new("Eye"))
    scene.collection.objects.link(eye)
    scene.camera = eye
    eye.data.type, eye.data.panorama_type = "PANO", "EQUIRECTANGULAR"
    eye.rotation_euler = (np.pi / 2, 0, yaw)
    return seen(2 * height, height)


def seen(width, height):
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 0.01
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
    scene.render.filepath = folder + "/seen.exr"
    bpy.ops.render.render(write_still=True)
    return pixels("seen.exr")
"""


@pytest.fixture
def panorama(scene) -> bpy.types.Scene:
    """A scene whose world is a panorama in large soft patches, from dark to white."""
    scene.view_settings.view_transform = "Standard"
    coarse = np.random.default_rng(3).uniform(0, 300, (4, 8, 3)).clip(0, 255)
    y, x = np.mgrid[:HEIGHT, :WIDTH] * 4 / HEIGHT
    top, left, down, right = y.astype(int), x.astype(int), (y % 1)[..., None], (x % 1)[..., None]
    below, beside = np.minimum(top + 1, 3), (left + 1) % 8
    upper = coarse[top, left] * (1 - right) + coarse[top, beside] * right
    lower = coarse[below, left] * (1 - right) + coarse[below, beside] * right
    rgb = (upper * (1 - down) + lower * down).astype(np.uint8)
    place(scene, store_image(rgb, "Rundum", scene, {"wrap": "horizontal", "yaw": YAW}))
    return scene


@pytest.mark.parametrize("view", ["Standard", "AgX", "Raw"])
def test_the_light_in_the_files_is_what_the_world_gives(panorama, tmp_path, view):
    panorama.view_settings.view_transform = view
    find_colors(panorama)
    match_world(panorama)
    light = aligned_light(panorama)
    assert light.max() > 2, "brighter than the white of the picture"
    tree = panorama.world.node_tree
    for link in [each for each in tree.links if each.from_node.type == "LIGHT_PATH"]:
        tree.links.remove(link)  # the camera sees what things are lit by
    tree.nodes["Mix Shader"].inputs[0].default_value = 0.0
    given = np.roll(_seen_here(panorama, tmp_path), -20, axis=1)
    np.testing.assert_allclose(given.clip(0), light, rtol=0.01, atol=0.003)


def _seen_here(scene, folder: Path) -> np.ndarray:
    """The world through a panoramic camera turned by YAW: (H, W, 3) linear light."""
    eye = bpy.data.objects.new("Eye", bpy.data.cameras.new("Eye"))
    scene.collection.objects.link(eye)
    scene.camera, eye.rotation_euler = eye, (math.pi / 2, 0, YAW)
    eye.data.type, eye.data.panorama_type = "PANO", "EQUIRECTANGULAR"
    scene.world.node_tree.nodes["Spade Picture"].interpolation = "Closest"
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 0.01
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.render.filepath = str(folder / "here.exr")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    pixels = np.array(image.pixels[:]).reshape(HEIGHT, WIDTH, -1)[::-1, :, :3]
    bpy.data.images.remove(image)
    return pixels


def test_a_panorama_is_read_back_and_lies_as_the_scene_does(panorama, tmp_path):
    for file_format, name in (("HDR", "/rundum.hdr"), ("EXR", "/rundum")):
        done = bpy.ops.spade.export_panorama(
            filepath=str(tmp_path) + name, file_format=file_format, cubemap=False
        )
        assert done == {"FINISHED"}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["rundum.exr", "rundum.hdr"]
    found = look(
        tmp_path,
        _AROUND + 'answer(exr=pixels("rundum.exr"), hdr=pixels("rundum.hdr"), '
        f'seen=around("rundum.exr", {YAW}, {HEIGHT}))',
    )
    light = aligned_light(panorama)
    np.testing.assert_array_equal(np.float32(found["exr"]), light)
    near = np.maximum(light.max(axis=2, keepdims=True) / 256, 1e-6)
    assert (np.abs(np.array(found["hdr"]) - light) <= near).all()
    # Without a word of where to turn it: what its camera saw is where it was.
    np.testing.assert_allclose(found["seen"], np.roll(light, 20, axis=1), rtol=1e-5)


def test_the_faces_of_the_cube_show_what_is_seen_that_way(panorama, tmp_path):
    assert bpy.ops.spade.export_panorama(filepath=str(tmp_path / "w.exr"), file_format="EXR") == {"FINISHED"}
    script = """
    from mathutils import Matrix, Vector
    around("w.exr", 0.0, 8)
    eye = bpy.context.scene.camera
    eye.data.type, eye.data.lens_unit, eye.data.angle = "PERSP", "FOV", np.pi / 2
    bpy.context.scene.world.node_tree.nodes["Environment Texture"].interpolation = "Linear"
    ways = dict(px=(-1, 0, 0), nx=(1, 0, 0), py=(0, 0, 1), ny=(0, 0, -1), pz=(0, -1, 0), nz=(0, 1, 0))
    found = {}
    for name, way in ways.items():
        ahead = Vector(way)
        up = Vector((0, 0, 1)) if not ahead.z else Vector((0, ahead.z, 0))
        eye.matrix_world = Matrix((ahead.cross(up), up, -ahead)).transposed().to_4x4()
        found[name], found["seen_" + name] = pixels("w_" + name + ".exr"), seen(32, 32)
    answer(**found)
    """
    found = look(tmp_path, _AROUND + textwrap.dedent(script))
    for name in ("px", "nx", "py", "ny", "pz", "nz"):
        face, seen = np.array(found[name]), np.array(found[f"seen_{name}"])
        assert face.shape == (HEIGHT // 2, HEIGHT // 2, 3)
        off = np.abs(face - seen) / (seen + 0.05)
        assert np.median(off) < 0.02 and off.mean() < 0.05, name


@pytest.fixture
def tile(scene) -> bpy.types.Scene:
    rgb = np.random.default_rng(5).integers(0, 256, (32, 32, 3), np.uint8)
    place(scene, store_image(rgb, "Kachel", scene, {"wrap": "both"}))
    return scene


def test_a_tile_is_three_pictures_whose_sides_meet(tile, tmp_path):
    assert bpy.ops.spade.export_tile(filepath=str(tmp_path / "Gras.png")) == {"FINISHED"}
    found = look(
        tmp_path,
        """
        kinds = ("albedo", "normal", "roughness")
        answer(**{kind: pixels(f"Gras_{kind}.png", is_data=True) * 255 for kind in kinds})
        """,
    )
    colors = rgb_of(settings(tile).tile_material.node_tree.nodes["Spade Picture"].image)
    np.testing.assert_array_equal(np.rint(found["albedo"]), colors)
    brightness = colors @ np.array([0.2126, 0.7152, 0.0722]) / 255
    np.testing.assert_allclose(
        np.array(found["roughness"])[..., 0] / 255, 0.95 - 0.4 * brightness, atol=0.003
    )
    # Moved by half of itself, a tile has the same normals: its sides are nowhere.
    moved = store_image(np.roll(colors, (16, 16), (0, 1)), "Versetzt", tile, {"wrap": "both"})
    place(tile, moved)
    assert bpy.ops.spade.export_tile(filepath=str(tmp_path / "zwei"), y_down=True) == {"FINISHED"}
    other = look(tmp_path, 'answer(normal=pixels("zwei_normal.png", is_data=True) * 255)')
    first, second = np.rint(found["normal"]), np.roll(np.rint(other["normal"]), (16, 16), (0, 1))
    np.testing.assert_array_equal(second[..., (0, 2)], first[..., (0, 2)])
    np.testing.assert_array_equal(second[..., 1], 255 - first[..., 1])


@pytest.mark.parametrize(
    ("operator", "words", "reason"),
    [
        ("export_panorama", {"filepath": "/tmp/x.hdr"}, "no panorama. Place As Panorama"),
        ("export_tile", {"filepath": "/tmp/x.png"}, "no tile yet. Place As Tile"),
        ("export_baked", {"filepath": "/tmp/x.glb"}, "baked textures. Select the things, and Bake"),
    ],
)
def test_what_is_not_there_is_refused_with_the_fix(scene, operator, words, reason):
    with pytest.raises(RuntimeError, match=reason):
        getattr(bpy.ops.spade, operator)(**words)
    assert running_work() is None


def test_the_panel_says_what_was_written_until_something_else_is_pressed(tile, tmp_path):
    bpy.ops.spade.export_tile(filepath=str(tmp_path / "engine" / "Gras.png"))
    assert "Wrote 3 files into 'engine'." in drawn("SPADE_PT_backdrop")
    with pytest.raises(RuntimeError, match="no panorama"):
        bpy.ops.spade.export_panorama(filepath=str(tmp_path / "Gras.hdr"))
    assert "no panorama" in " ".join(drawn("SPADE_PT_backdrop"))
    bpy.ops.spade.dismiss_error()
    assert "Wrote" not in " ".join(drawn("SPADE_PT_backdrop"))


def test_places_that_take_no_files_are_refused(tile, tmp_path):
    (tmp_path / "file").write_text("")
    for path, reason in (
        ("", "No file is named"),
        (str(tmp_path / "file" / "gras.png"), "Choose a folder that you may write to"),
    ):
        with pytest.raises(RuntimeError, match=reason):
            bpy.ops.spade.export_tile(filepath=path)
    with pytest.raises(CannotWriteError, match="Save it first"):
        plan_tile(tile, "//gras.png", False)
    assert running_work() is None


def test_one_that_is_ended_leaves_the_folder_as_it_was(tile, tmp_path):
    (tmp_path / "gras_albedo.png").write_text("mine")
    current_session().dismiss()
    work = start_work(lambda: Exporter(tile, plan_tile(tile, str(tmp_path / "gras.png"), False)))
    assert len(list(tmp_path.iterdir())) == 2 and "Exporting" in work.doing
    assert "Exporting 0%. Esc cancels it." in drawn("SPADE_PT_backdrop")
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)  # another file ends it
    assert running_work() is None and work._blender._process.poll() is not None
    (left,) = tmp_path.iterdir()
    assert left.read_text() == "mine"
