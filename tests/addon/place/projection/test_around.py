# SPDX-License-Identifier: GPL-3.0-or-later
"""A panorama on the things around the place that it was painted from: exact from there, and there to walk in."""

from __future__ import annotations

import json
import math

import bpy
import numpy as np
import pytest
from mathutils import Vector
from spade_backdrops.bridge.sight import Projector, Sight
from spade_backdrops.place.image import store_image
from spade_backdrops.place.panorama_world import panorama_of
from spade_backdrops.place.placement import place
from spade_backdrops.place.projection.bare import MEANS
from spade_backdrops.place.projection.group import PICTURE, projector_in
from spade_backdrops.place.projection.sights import depth_of, keep_sight
from spade_backdrops.place.show import show_landed
from spade_backdrops.properties import settings
from spade_backdrops.scene.label_pass import LabelPass, render_label_map
from spade_backdrops.scene.label_rules import scene_label_set
from spade_backdrops.scene.panorama import level, yaw_of
from spade_backdrops.scene.projected import is_painted
from spade_backdrops.scene.projector import projector_around, projector_of

from tests.addon.drawing import drawn
from tests.addon.place.projection import court

HEIGHT, WIDTH = 96, 192


@pytest.fixture
def around(scene) -> bpy.types.Scene:
    return panorama_in(scene, HEIGHT)


def panorama_in(scene, height: int) -> bpy.types.Scene:
    """The court with a panorama as its world."""
    court.build(scene)
    rgb = np.random.default_rng(1).integers(0, 256, (height, 2 * height, 3), np.uint8)
    lay_around(scene, labels_around(scene, height), rgb)
    return scene


def labels_around(scene, height: int = HEIGHT) -> LabelPass:
    settings(scene).placement = "PANORAMA"
    return render_label_map(scene, (height, 2 * height), with_depth=True)


def lay_around(scene, taken: LabelPass, rgb: np.ndarray, means: dict | None = None) -> None:
    """Let a picture be the scene's world. means: the colours of classes in it."""
    facts = {"seed": 1, "wrap": "horizontal", "yaw": yaw_of(scene.camera), "camera": scene.camera.name}
    picture = store_image(rgb, "Rundum", scene, facts)
    picture[MEANS] = json.dumps(means or {})
    keep_sight(picture, Sight(projector_around(scene.camera), taken.fine_depth))
    place(scene, picture)
    show_landed(scene)


def through_the_panoramic_camera(scene, folder) -> np.ndarray:
    lens = bpy.data.cameras.new("Look")
    lens.type, lens.panorama_type = "PANO", "EQUIRECTANGULAR"
    look = bpy.data.objects.new("Look", lens)
    look.matrix_world = level(scene.camera)
    scene.collection.objects.link(look)
    before, scene.camera = scene.camera, look
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.world.node_tree.nodes["Spade Picture"].interpolation = "Closest"
    for entry in settings(scene).projections:
        entry.group.nodes[PICTURE].interpolation = "Closest"
    seen = court.rendered(scene, folder)
    scene.camera = before
    bpy.data.objects.remove(look)
    return seen


def test_a_projector_says_where_a_panoramic_camera_sees_a_point(around):
    projector = projector_around(around.camera)
    place = np.array(around.camera.matrix_world.translation)
    left = level(around.camera).to_3x3() @ Vector((-3.0, 4.0, 0.0))
    (where,), (far,) = projector.seen((place + left)[None])
    assert far == pytest.approx(5.0) and where[0] == pytest.approx(0.25)
    assert where[1] == pytest.approx(0.5 + math.atan2(4, 3) / math.pi)
    assert Projector.from_facts(projector.to_facts()) == projector


def test_from_its_place_things_show_every_pixel_of_it(around, tmp_path):
    picture = panorama_of(around)
    rgb = np.rint(np.array(picture.pixels[:]).reshape(HEIGHT, WIDTH, -1)[::-1, :, :3] * 255).astype(int)
    assert any(thing.hide_render for thing in around.objects if thing.type == "MESH"), "the world shows them"
    assert bpy.ops.spade.panorama_on_blocks() == {"FINISHED"}
    assert not any(thing.hide_render for thing in around.objects if thing.type == "MESH")
    assert any(is_painted(material) for material in bpy.data.materials)
    seen = through_the_panoramic_camera(around, tmp_path)
    assert (np.abs(seen - rgb).max(axis=2) > 1).sum() == 0
    dark = around.world = bpy.data.worlds.new("Nacht")
    dark.use_nodes = True
    dark.node_tree.nodes.clear()
    dark.node_tree.nodes.new("ShaderNodeTexEnvironment").name = "Spade Picture"
    alone = through_the_panoramic_camera(around, tmp_path)
    shown = (alone > 0).any(axis=2)
    assert shown.mean() > 0.4 and (np.abs(alone - rgb).max(axis=2)[shown] > 1).sum() == 0


def test_what_that_place_does_not_see_is_left_bare(scene, tmp_path):
    around = panorama_in(scene, 1024)
    bpy.ops.spade.panorama_on_blocks()
    around.spade.bare = "MATERIAL"
    (entry,) = settings(around).projections
    place = projector_in(entry.group).place
    around.camera.location, around.camera.rotation_euler = (0, 16, 5), (1.4, 0, math.pi)  # behind the wall
    bpy.context.view_layer.update()
    points, rows, columns = points_in_sight(around)
    reached = np.array(court.are_reached(place, points))
    assert 0.2 < reached.mean() < 0.9
    white = bpy.data.images.new("White", 8, 4)
    white.generated_color = (1, 1, 1, 1)
    entry.group.nodes[PICTURE].image = white
    around.world = None
    lit = court.rendered(around, tmp_path)[rows, columns, 0] == 255  # paint is; what it lights is less
    assert (reached & ~lit).mean() < 0.005, "hidden though rays reach it"
    assert (lit & ~reached).mean() < 0.01, "lit though something stands in front"


def points_in_sight(scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the flat camera: see `court.points`."""
    settings(scene).placement = "BACKDROP"
    depth = render_label_map(scene, (court.HEIGHT, court.WIDTH)).depth
    settings(scene).placement = "PANORAMA"
    return court.points(projector_of(scene, scene.camera), depth)


def test_faces_that_materials_label_keep_their_labels_and_are_bare_in_the_colours_of_these(scene, tmp_path):
    """A box whose farther side is snow; that side is seen from behind, where the panorama was not."""
    court.build(scene)
    for thing in [each for each in scene.objects if each.type in ("MESH", "EMPTY")]:
        bpy.data.objects.remove(thing)
    bpy.ops.mesh.primitive_plane_add(size=60)
    bpy.context.object["spade_label"] = "grass"
    bpy.ops.mesh.primitive_cube_add(size=4, location=(0, 4, 2))
    box = bpy.context.object
    for name in ("snow", "rock"):
        box.data.materials.append(court.material(name))
        bpy.data.materials[name]["spade_label"] = name
    for face in box.data.polygons:
        face.material_index = 0 if face.normal.y > 0.9 else 1
    labels = labels_around(scene)
    assert bpy.data.materials["snow"]["spade_label"] == "snow" and len(labels.shares) == 3
    colors = {"snow": (1.0, 0.0, 0.0), "rock": (0.0, 0.0, 1.0), "grass": (0.0, 1.0, 0.0)}
    lay_around(scene, labels, np.full((HEIGHT, WIDTH, 3), 255, np.uint8), colors)
    assert bpy.ops.spade.panorama_on_blocks() == {"FINISHED"}
    after = labels_around(scene)
    np.testing.assert_array_equal(labels.label_map, after.label_map)
    np.testing.assert_array_equal(labels.fine_depth, after.fine_depth)
    assert seen_from(scene, (0, -8, 3), 0.0, tmp_path) == (255, 255, 255), "rock that the panorama has seen"
    assert seen_from(scene, (0, 16, 3), math.pi, tmp_path) == (255, 0, 0), "snow that it has not"


def seen_from(scene, place, yaw: float, folder) -> tuple[int, ...]:
    """The colour in the middle of what a camera sees."""
    scene.camera.location, scene.camera.rotation_euler = place, (1.5, 0, yaw)
    bpy.context.view_layer.update()
    return tuple(court.rendered(scene, folder)[court.HEIGHT // 2, court.WIDTH // 2].tolist())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_eevee_shows_the_same_as_cycles_from_its_place_and_from_beside_it(scene, tmp_path):
    """A soft picture: between texels EEVEE mixes light, and Cycles bytes."""
    court.build(scene)
    names = {entry.id: entry.name for entry in scene_label_set(scene).classes}
    taken = labels_around(scene, 512)
    rows, columns = np.mgrid[0:512, 0:1024] * math.tau / 64
    rgb = np.rint(127.5 + 100 * np.sin(np.stack([rows, columns, rows + columns], axis=2))).astype(np.uint8)
    lay_around(
        scene, taken, rgb, {names[each]: (each / 100, 0.5, 0.25) for each in taken.shares if each in names}
    )
    bpy.ops.spade.panorama_on_blocks()
    for x in (0.0, 4.0):
        scene.camera.location.x = x
        bpy.context.view_layer.update()
        court.render_exactly(scene)
        cycles = court.rendered(scene, tmp_path)
        court.render_exactly_with_eevee(scene)
        differing = (np.abs(court.rendered(scene, tmp_path) - cycles) > 2).any(axis=2)
        assert differing.mean() < 0.002


def test_pressed_again_and_taken_away_the_users_materials_are_back(around, snapshot):
    before = snapshot()
    bpy.ops.spade.panorama_on_blocks()
    assert "On the Blocks" in drawn("SPADE_PT_placement") and "Bake to Textures" in drawn(
        "SPADE_PT_placement"
    )
    bpy.ops.spade.panorama_on_blocks(on=False)
    assert not any(is_painted(material) for material in bpy.data.materials)
    assert not settings(around).projections and panorama_of(around) is not None
    assert snapshot() == before
    bpy.ops.spade.panorama_on_blocks()
    bpy.ops.spade.take_away()
    assert panorama_of(around) is None and not any(is_painted(each) for each in bpy.data.materials)


def test_the_next_panorama_lies_on_the_blocks_as_well(around):
    bpy.ops.spade.panorama_on_blocks()
    first = panorama_of(around)
    rgb = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    second = store_image(rgb, "Heller", around, {"seed": 2, "wrap": "horizontal"})
    taken = render_label_map(around, (HEIGHT, WIDTH), with_depth=True)
    keep_sight(second, Sight(projector_around(around.camera), taken.fine_depth))
    place(around, second)
    (entry,) = settings(around).projections
    assert entry.group.nodes[PICTURE].image == second == panorama_of(around) != first


def test_a_panorama_of_an_unknown_place_is_refused_with_the_fix(around):
    picture = panorama_of(around)
    for name in ("spade_depth", "spade_projector"):
        del picture[name]
    with pytest.raises(RuntimeError, match="painted. Generate anew, or turn On the Blocks off"):
        bpy.ops.spade.panorama_on_blocks()
    bpy.ops.spade.take_away()
    with pytest.raises(RuntimeError, match="no panorama"):
        bpy.ops.spade.panorama_on_blocks()


def test_where_a_panorama_was_only_chosen_a_flat_picture_is_projected_as_ever(scene):
    depths = []
    for chosen in ("BACKDROP", "PANORAMA"):
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        court.build(bpy.context.scene)
        place(bpy.context.scene, store_image(court.noise(), "Picture", bpy.context.scene, {"seed": 1}))
        bpy.ops.spade.place_as(placement=chosen)
        bpy.ops.spade.place_as(placement="PROJECTION")
        (entry,) = settings(bpy.context.scene).projections
        assert not projector_in(entry.group).is_around
        depths.append(depth_of(entry))
    np.testing.assert_array_equal(*depths)
