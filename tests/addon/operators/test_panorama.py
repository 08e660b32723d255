# SPDX-License-Identifier: GPL-3.0-or-later
"""Panoramas: labels all around, a world that lies where they were taken, and the user's own world kept."""

from __future__ import annotations

import math

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector
from spade_backdrops.contract.errors import NothingLabelledError
from spade_backdrops.contract.labels import load_label_set
from spade_backdrops.history.records import request_of, results
from spade_backdrops.label_image.image import is_label_image
from spade_backdrops.place.image import provenance_of, store_image
from spade_backdrops.place.panorama_world import SUN, panorama_of, sun_in
from spade_backdrops.place.placement import place, switch_placement
from spade_backdrops.place.projection.group import picture_in, projector_in
from spade_backdrops.place.projection.sights import depth_of
from spade_backdrops.place.zenith import calmed
from spade_backdrops.properties import settings
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.panorama import yaw_of
from spade_backdrops.scene.view import label_map_shape
from spade_backdrops.session import current_session
from spade_backdrops.style.reference import rgb_of

from tests.addon.drawing import drawn
from tests.addon.serving import command

LABELS = load_label_set("landscape")
SKY, GRASS = (LABELS.match(name).id for name in ("sky", "grass"))
SIZE = (64, 128)


@pytest.fixture
def around(yard):
    """The yard, looked at all around."""
    switch_placement(yard, "PANORAMA")
    yard.view_settings.view_transform = "Standard"
    return yard


def turn(scene, yaw: float, pitch: float = 0.0, roll: float = 0.0) -> None:
    turned = Matrix.Rotation(yaw, 3, "Z") @ Matrix.Rotation(math.pi / 2 + pitch, 3, "X")
    scene.camera.rotation_euler = (turned @ Matrix.Rotation(roll, 3, "Z")).to_euler()
    bpy.context.view_layer.update()


def world_seen(scene, size=SIZE) -> np.ndarray:
    """The world through a levelled panoramic camera at the scene's own: (H, W, 3) uint8."""
    for thing in scene.objects:
        thing.hide_render = True
    lens = bpy.data.cameras.new("Look")
    lens.type, lens.panorama_type = "PANO", "EQUIRECTANGULAR"
    look = bpy.data.objects.new("Look", lens)
    look.location = scene.camera.matrix_world.to_translation()
    look.rotation_euler = (math.pi / 2, 0, yaw_of(scene.camera))
    scene.collection.objects.link(look)
    before, scene.camera = scene.camera, look
    nodes = scene.world.node_tree.nodes
    nodes["Spade Picture"].interpolation = "Closest"
    render = scene.render
    render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 0.01
    render.resolution_y, render.resolution_x, render.resolution_percentage = *size, 100
    render.dither_intensity = 0
    file = bpy.app.tempdir + "look.png"
    render.filepath, render.image_settings.file_format = file, "PNG"
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(file)
    rgb = rgb_of(image)
    bpy.data.images.remove(image)
    scene.camera = before
    for thing in scene.objects:
        thing.hide_render = False
    return rgb


def panorama(scene, yaw: float, seed: int = 0) -> bpy.types.Image:
    rgb = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)
    facts = {"seed": seed, "model": "landscape", "camera": "Eye", "wrap": "horizontal", "yaw": yaw}
    return store_image(rgb, "Rundum", scene, facts)


def test_a_panorama_is_twice_as_wide_as_high_whatever_the_render(around):
    spade = settings(around)
    spade.width = spade.height = 512
    height, width = label_map_shape(around)
    assert width == 2 * height and width % 64 == 0 and abs(height * width - 512 * 512) < 0.2 * 512 * 512


def test_labels_are_level_whatever_the_camera_does_and_nothing_stays_behind(around):
    cameras, objects = len(bpy.data.cameras), len(bpy.data.objects)
    turn(around, 0.7)
    level = render_label_map(around, SIZE).label_map
    turn(around, 0.7, pitch=0.3, roll=0.2)
    found = render_label_map(around, SIZE)
    assert (found.label_map != level).mean() < 1e-3 and found.label_map.shape == SIZE
    assert (len(bpy.data.cameras), len(bpy.data.objects)) == (cameras, objects)
    assert around.camera.name == "Eye"
    across = (level[:, 0] != level[:, -1]).mean()
    assert across <= (level[:, 1:] != level[:, :-1]).mean(0).max(), "it goes on behind the camera"
    turn(around, 0.7 + math.pi / 2)
    quarter = render_label_map(around, SIZE).label_map
    assert (np.roll(quarter, -SIZE[1] // 4, 1) != level).mean() < 0.01, "turning left moves things right"


def test_below_the_horizon_there_is_no_sky_but_ground(around):
    bpy.data.objects["Grass"].scale = (0.1, 0.1, 1)
    bpy.context.view_layer.update()
    found = render_label_map(around, SIZE).label_map
    assert not (found[SIZE[0] // 2 :] == SKY).any() and (found[: SIZE[0] // 4] == SKY).any()
    assert (found[SIZE[0] // 2 :] == GRASS).mean() > 0.5
    for thing in list(around.objects):
        if thing.type == "MESH" and thing.name != "Mountain":
            bpy.data.objects.remove(thing)
    bpy.data.objects["Mountain"].location.z = 60
    bpy.context.view_layer.update()
    with pytest.raises(NothingLabelledError, match="no ground around"):
        render_label_map(around, SIZE)


@pytest.mark.parametrize("yaw", [0.0, 1.1, -2.5])
def test_the_world_lies_where_the_labels_were_taken(around, yaw):
    turn(around, yaw, pitch=0.2)
    image = panorama(around, yaw_of(around.camera))
    assert yaw_of(around.camera) == pytest.approx(yaw, abs=1e-6)
    place(around, image)
    seen = world_seen(around)
    assert (np.abs(seen.astype(int) - rgb_of(image)).max(2) > 1).sum() == 0


def test_the_picture_comes_through_the_view_of_the_scene(around):
    around.view_settings.view_transform = "AgX"
    around.view_settings.exposure = 1.0
    image = store_image(
        np.random.default_rng(0).integers(60, 180, (*SIZE, 3), np.uint8),
        "Weich",
        around,
        {"wrap": "horizontal"},
    )
    place(around, image)
    from spade_backdrops.place.colors import find_colors
    from spade_backdrops.place.panorama_world import match_world

    find_colors(around)
    match_world(around)
    turn(around, 0.0)
    different = np.abs(world_seen(around).astype(int) - rgb_of(image))
    assert np.median(different) <= 1 and different.mean() < 2


def test_the_users_world_is_kept_and_comes_back(around, tmp_path):
    own = around.world = bpy.data.worlds.new("Himmel")
    place(around, panorama(around, 0.0, 1))
    place(around, panorama(around, 0.0, 2))
    assert around.world != own and provenance_of(panorama_of(around))["seed"] == 2
    assert sum("Spade Panorama" in world.name for world in bpy.data.worlds) == 1
    path = str(tmp_path / "welt.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    scene = bpy.context.scene
    assert panorama_of(scene) is not None
    bpy.ops.spade.take_away()
    assert scene.world.name == "Himmel" and panorama_of(scene) is None
    flat = store_image(np.zeros((36, 64, 3), np.uint8), "Flach", scene, {"seed": 9})
    place(scene, next(each for each in bpy.data.images if each.name.startswith("Rundum")))
    settings(scene).placement = "BACKDROP"
    place(scene, flat)
    assert scene.world.name == "Himmel", "a flat picture takes its place"


def test_the_zenith_is_calm_and_what_is_below_stays_to_the_byte():
    rgb = np.random.default_rng(0).integers(0, 256, (180, 360, 3), np.uint8)
    calm = calmed(rgb)
    assert np.array_equal(calm[50:], rgb[50:])
    assert (calm[:15] == calm[:15, :1]).all(), "a row has one colour from 75 degrees on"
    spread = calm.astype(float).std(1).mean(1)
    assert (np.diff(spread[15:50]) > -3).all() and spread[20] < 10 < spread[49]
    steps = np.abs(calm.astype(int) - np.roll(calm, 1, 1)).mean((0, 2))
    assert steps[0] <= steps[1:].max()


def test_the_sun_stands_where_the_sky_is_brightest(around):
    rgb = np.full((128, 256, 3), 60, np.uint8)
    rgb[28:36, 60:68] = (255, 220, 160)
    direction, color = sun_in(rgb, 0.5)
    azimuth, elevation = 0.5 + (0.5 - 64 / 256) * 2 * math.pi, math.pi / 2 - 32 / 128 * math.pi
    wanted = Vector(
        (
            -math.sin(azimuth) * math.cos(elevation),
            math.cos(azimuth) * math.cos(elevation),
            math.sin(elevation),
        )
    )
    assert direction.angle(wanted) < math.radians(3) and color[0] == 1 > color[1] > color[2]
    place(around, store_image(rgb, "Sonne", around, {"wrap": "horizontal", "yaw": 0.5}))
    for _ in range(2):
        assert bpy.ops.spade.add_sun() == {"FINISHED"}
    (sun,) = [each for each in around.objects if SUN in each]
    bpy.context.view_layer.update()
    assert (sun.matrix_world.to_quaternion() @ Vector((0, 0, 1))).angle(direction) < 1e-3


@pytest.fixture
def spade(around, stored_preferences):
    stored_preferences.server, stored_preferences.server_command = "LOCAL", command()
    current_session().dismiss()
    settings(around).width = settings(around).height = 64
    return settings(around)


def test_generate_paints_all_around_and_the_history_knows_how(spade):
    scene = bpy.context.scene
    turn(scene, 0.4, pitch=0.1)
    assert bpy.ops.spade.generate() == {"FINISHED"}
    job = current_session().board.last_placed
    assert job.request.wrap == (False, True) and job.request.yaw == pytest.approx(0.4)
    (result,) = results()
    assert panorama_of(scene) == result and np.array_equal(rgb_of(result), calmed(job.rgb))
    facts = provenance_of(result)
    assert (facts["wrap"], facts["yaw"]) == ("horizontal", pytest.approx(0.4))
    again = request_of(result, scene)
    assert (again.wrap, again.yaw) == ((False, True), pytest.approx(0.4))
    turn(scene, 2.0)
    assert bpy.ops.spade.paint_again(name=result.name) == {"FINISHED"}
    assert results() == [result] and panorama_of(scene) == result
    assert "Add Sun" in drawn("SPADE_PT_placement")


def test_on_the_blocks_a_panorama_lies_from_where_its_labels_were_taken(spade):
    scene = bpy.context.scene
    bpy.ops.spade.generate()
    place = scene.camera.matrix_world.to_translation()
    scene.camera.location.x += 5
    assert bpy.ops.spade.panorama_on_blocks() == {"FINISHED"}
    (entry,) = spade.projections
    projector = projector_in(entry.group)
    assert projector.is_around and np.allclose(projector.place, place, atol=1e-4)
    spade.seed += 1
    bpy.ops.spade.generate()
    (entry,) = spade.projections
    assert projector_in(entry.group).place[0] == pytest.approx(place.x + 5, abs=1e-4)
    assert picture_in(entry.group) == panorama_of(scene) == results()[0]


def test_a_panorama_of_painted_labels_lies_from_the_place_of_the_press_too(spade):
    """The labels are painted by hand; how far things are is found when it is laid on them."""
    scene = bpy.context.scene
    bpy.ops.spade.paint_labels()
    (image,) = [each for each in bpy.data.images if is_label_image(each)]
    width, height = image.size
    assert width == 2 * height
    assert bpy.ops.spade.generate_painted(image=image.name) == {"FINISHED"}
    place, before = scene.camera.matrix_world.to_translation(), snapshot_of(scene)
    depth = render_label_map(scene, (height, width), with_depth=True).fine_depth
    scene.camera.location.x += 5
    bpy.ops.spade.place_as(placement="BACKDROP")  # the world stays, and so does the button
    assert bpy.ops.spade.panorama_on_blocks() == {"FINISHED"}
    (entry,) = spade.projections
    assert np.allclose(projector_in(entry.group).place, place, atol=1e-4)
    np.testing.assert_allclose(depth_of(entry), np.minimum(depth, 1e6), rtol=1e-3)
    assert snapshot_of(scene) == before


def snapshot_of(scene) -> tuple:
    return (
        len(scene.objects),
        len(bpy.data.objects),
        len(bpy.data.cameras),
        scene.camera.name,
        len(bpy.data.scenes),
    )


def test_a_tile_is_a_material_that_repeats(spade):
    scene = bpy.context.scene
    bpy.ops.spade.place_as(placement="TILE")
    scene.camera = None
    spade.tile_class, spade.tile_width = "sand", 2.0
    assert bpy.ops.spade.generate() == {"FINISHED"}
    job = current_session().board.last_placed
    assert job.request.wrap == (True, True) and set(job.request.label_map.ravel()) == {
        LABELS.match("sand").id
    }
    nodes = spade.tile_material.node_tree.nodes
    assert nodes["Spade Picture"].image == results()[0] and nodes["Spade Picture"].extension == "REPEAT"
    assert nodes["Spade Size"].inputs["Scale"].default_value[0] == pytest.approx(0.5)
    for thing in scene.objects:
        thing.select_set(thing.name in ("Grass", "Rock"))
    assert bpy.ops.spade.use_tile() == {"FINISHED"}
    assert bpy.data.objects["Rock"].active_material == spade.tile_material
    spade.tile_class = "carpet"
    with pytest.raises(RuntimeError, match="'carpet', which the label set does not have"):
        bpy.ops.spade.generate()
    assert "Use on Selected" in drawn("SPADE_PT_placement")
