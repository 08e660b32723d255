# SPDX-License-Identifier: Apache-2.0
"""The sky of a projection stays where it was painted, for every view, and the scene has the light of its own world."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops.bridge.sight import Projector
from spade_backdrops.place.backdrop import backdrop_of
from spade_backdrops.place.image import store_image
from spade_backdrops.place.placement import place, remove_placement
from spade_backdrops.place.projection.projections import remove_projections
from spade_backdrops.place.projection.sky import colors_by_height
from spade_backdrops.place.show import show, show_landed
from spade_backdrops.properties import settings
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.projected import sky_of
from spade_backdrops.scene.projector import projector_of

from tests.addon.place.projection import court


def laid(scene: bpy.types.Scene, rgb: np.ndarray, exactly: bool = True) -> bpy.types.Image:
    """As court.project, with its sky; exactly: without anything between two pixels of the picture."""
    settings(scene).placement = "PROJECTION"
    picture = store_image(rgb, "Picture", scene, {"seed": 1})
    place(scene, picture)
    show_landed(scene)
    trees = [entry.group for entry in settings(scene).projections]
    world = sky_of(scene)
    trees += [world.node_tree] if world is not None else []
    for node in [node for tree in trees for node in tree.nodes if node.type == "TEX_IMAGE"]:
        node.interpolation = "Closest" if exactly and node.image == picture else node.interpolation
    return picture


def hide_all_but(scene: bpy.types.Scene, shown: bpy.types.Object) -> None:
    for thing in scene.objects:
        thing.hide_render = thing != shown


def red_world(scene: bpy.types.Scene) -> bpy.types.World:
    scene.world = bpy.data.worlds.new("Red")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (1.0, 0.0, 0.0, 1.0)
    return scene.world


def sky_in(scene: bpy.types.Scene) -> np.ndarray:
    return render_label_map(scene, (court.HEIGHT, court.WIDTH)).depth >= 1e9


def test_through_its_camera_every_pixel_is_the_pictures_and_no_backdrop_is_needed(scene, camera, tmp_path):
    picture = court.noise()
    laid(scene, picture)
    assert backdrop_of(scene, camera).hide_render
    differing = (court.rendered(scene, tmp_path) != picture).any(axis=2)
    assert sky_in(scene).mean() > 0.2
    assert differing.sum() == 0


def test_when_the_camera_turns_and_walks_the_sky_stays_where_it_was(scene, camera, tmp_path):
    picture = court.noise()
    laid(scene, picture)
    before, was_sky = projector_of(scene, camera), sky_in(scene)
    camera.rotation_euler.z += 0.2
    camera.location.x += 1.0
    bpy.context.view_layer.update()
    seen = court.rendered(scene, tmp_path)
    rows, columns = np.nonzero(sky_in(scene))
    places, _ = before.seen(before.place + directions(projector_of(scene, camera), rows, columns))
    cells = places * (court.WIDTH, court.HEIGHT)
    inside = ((places > 0) & (places < 1)).all(1) & (np.abs(cells % 1 - 0.5).max(axis=1) < 0.4)
    column, row = np.floor(cells[inside]).astype(int).T
    row = court.HEIGHT - 1 - row
    same = (seen[rows[inside], columns[inside]] == picture[row, column]).all(axis=1)
    assert inside.sum() > 1000
    assert same[was_sky[row, column]].mean() > 0.999


def test_beyond_the_picture_the_sky_has_its_mean_colours_or_the_users_world(scene, camera, tmp_path):
    red_world(scene)
    laid(scene, np.full((court.HEIGHT, court.WIDTH, 3), (40, 90, 160), np.uint8))
    camera.rotation_euler = (1.57, 0, 1.9)
    bpy.context.view_layer.update()
    high = (slice(0, 20), slice(0, None))
    assert np.abs(court.rendered(scene, tmp_path)[high] - (40, 90, 160)).max() <= 5, "nearly, as what is bare"
    settings(scene).bare = "MATERIAL"
    bpy.context.view_layer.update()
    assert np.abs(court.rendered(scene, tmp_path)[high] - (255, 0, 0)).max() <= 1


def test_the_view_and_the_exposure_are_undone(scene, camera, tmp_path):
    scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", 1.5
    laid(scene, np.full((court.HEIGHT, court.WIDTH, 3), (120, 140, 90), np.uint8))
    assert np.abs(court.rendered(scene, tmp_path) - (120, 140, 90)).max() <= 2


def test_things_without_a_label_are_lit_as_before(scene, camera, tmp_path):
    red_world(scene).node_tree.nodes["Background"].inputs["Strength"].default_value = 0.4
    scene.cycles.samples = 64
    bpy.ops.mesh.primitive_uv_sphere_add(location=(-4, 0, 4), radius=1.5)
    statue = bpy.context.object
    laid(scene, court.noise())
    hide_all_but(scene, statue)  # painted things light others by what is painted on them
    under_ours = court.rendered(scene, tmp_path)
    remove_placement(scene, camera)
    hide_all_but(scene, statue)
    alone = court.rendered(scene, tmp_path)
    on_statue = (alone != alone[0, 0]).any(axis=2)
    for axis in (0, 1):  # but for its outline
        on_statue &= np.roll(on_statue, 1, axis) & np.roll(on_statue, -1, axis)
    assert on_statue.sum() > 200
    np.testing.assert_allclose(under_ours[on_statue].mean(0), alone[on_statue].mean(0), atol=1.0)


@pytest.mark.parametrize("has_world", [True, False])
def test_the_users_world_comes_back_and_nothing_is_left(scene, camera, has_world):
    world = red_world(scene) if has_world else None
    scene.world = world
    count = len(bpy.data.worlds)
    picture = laid(scene, court.noise())
    assert scene.world != world and sky_of(scene) is not None
    place(scene, picture)
    assert len(bpy.data.worlds) == count + 1
    remove_projections(scene)
    assert scene.world == world and len(bpy.data.worlds) == count
    place(scene, picture)
    remove_placement(scene, camera)
    assert scene.world == world and len(bpy.data.worlds) == count


def test_a_world_that_was_chosen_meanwhile_stays(scene, camera):
    laid(scene, court.noise())
    chosen = red_world(scene)
    remove_projections(scene)
    assert scene.world == chosen


def test_show_blocks_shows_the_users_world(scene, camera, tmp_path):
    red_world(scene)
    laid(scene, court.noise())
    show(scene, "BLOCKS")
    assert (court.rendered(scene, tmp_path)[sky_in(scene)] == (255, 0, 0)).all()


def with_fog(scene, camera) -> None:
    tree = red_world(scene).node_tree
    fog = tree.nodes.new("ShaderNodeVolumePrincipled")
    end = next(node for node in tree.nodes if node.type == "OUTPUT_WORLD")
    tree.links.new(fog.outputs[0], end.inputs["Volume"])


def flat(scene, camera) -> None:
    camera.data.type, camera.data.ortho_scale = "ORTHO", 30


def without_film(scene, camera) -> None:
    scene.render.film_transparent = True


@pytest.mark.parametrize("how", [with_fog, flat, without_film])
def test_where_a_world_cannot_show_it_the_backdrop_does(scene, camera, how):
    how(scene, camera)
    bpy.context.view_layer.update()
    laid(scene, court.noise())
    assert not backdrop_of(scene, camera).hide_render


def test_indoors_the_world_stays_what_it_is(scene, camera):
    camera.rotation_euler = (0.3, 0, 0)
    bpy.context.view_layer.update()
    assert not sky_in(scene).any()
    world = red_world(scene)
    laid(scene, court.noise())
    assert scene.world == world


def test_mean_colours_are_those_of_the_sky_at_that_height():
    rows = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, -1.0, 0.0, 0.0))  # looks along +y
    projector = Projector(rows, (0.5, 0.5), (0.5, 0.5))
    rgb, depth = np.zeros((64, 64, 3), np.uint8), np.full((64, 64), 1e9, np.float32)
    rgb[:32], rgb[32:48], depth[48:] = (0, 0, 255), (255, 255, 255), 5.0
    stops = colors_by_height(rgb, depth, projector)
    assert [height for height, _ in stops] == sorted(height for height, _ in stops)
    assert -0.5 < stops[0][0] < -0.3 and 0.5 < stops[-1][0] < 0.8
    assert all(
        np.allclose(color, (1, 1, 1) if height < -0.05 else (0, 0, 1))
        for height, color in stops
        if abs(height) > 0.05
    )
    assert colors_by_height(rgb, np.zeros_like(depth), projector) == []


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_eevee_shows_the_same(scene, camera, tmp_path):
    picture = court.noise()
    laid(scene, picture)
    court.render_exactly_with_eevee(scene)
    seen = court.rendered(scene, tmp_path)
    differing = (np.abs(seen - picture) > 1).any(axis=2)
    assert differing.mean() < 0.002, "what is off lies where a border crosses a pixel's centre"


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_enlarged_the_sky_is_smooth_and_eevee_gets_done_without_a_graphics_card(scene, camera, tmp_path):
    """World probes see the plane through the projector, where places run to infinity: no filter may follow them."""
    wave = np.abs(np.arange(court.WIDTH) * 8 % 400 - 200).astype(np.uint8)
    laid(scene, np.broadcast_to(wave[None, :, None], (court.HEIGHT, court.WIDTH, 3)).copy(), exactly=False)
    camera.data.lens *= 4
    camera.rotation_euler.x += 0.2
    bpy.context.view_layer.update()
    sky = sky_in(scene)
    court.render_exactly_with_eevee(scene)
    steps = np.abs(np.diff(court.rendered(scene, tmp_path)[..., 0], axis=1))[sky[:, 1:] & sky[:, :-1]]
    assert len(steps) > 5000 and steps.mean() > 1
    assert steps.max() <= 4, "of 8 from pixel to pixel of the picture"


def directions(projector: Projector, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(N, 3) unit vectors of the world through the centres of pixels."""
    places = np.stack([(columns + 0.5) / court.WIDTH, 1 - (rows + 0.5) / court.HEIGHT], axis=1)
    own = np.concatenate([(places - projector.center) / projector.scale, -np.ones((len(rows), 1))], axis=1)
    ways = own @ np.array(projector.rows)[:, :3]
    return ways / np.linalg.norm(ways, axis=1, keepdims=True)
