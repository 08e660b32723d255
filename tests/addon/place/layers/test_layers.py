# SPDX-License-Identifier: GPL-3.0-or-later
"""Cards in a real scene: the picture at rest, no holes when the camera moves, and everything as it was afterwards."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from spade_backdrops.history.records import results
from spade_backdrops.place.backdrop import backdrop_of, picture_of
from spade_backdrops.place.caveats import caveats
from spade_backdrops.place.layers.cards import layer_cards, layers_of
from spade_backdrops.place.layers.kept import cards_in, numbers_in
from spade_backdrops.place.placement import placed_picture
from spade_backdrops.properties import settings
from spade_backdrops.style.reference import rgb_of

from tests.addon.place.projection import court as yard

HOLE = (255, 0, 255)


def as_it_is(scene) -> None:
    """As it stands."""


def shifted(scene) -> None:
    scene.camera.data.shift_x, scene.camera.data.shift_y = 0.2, -0.1


def upright_sensor(scene) -> None:
    scene.camera.data.sensor_fit, scene.camera.data.sensor_height = "VERTICAL", 20


def oblong_pixels(scene) -> None:
    scene.render.pixel_aspect_y = 1.7


def flat(scene) -> None:
    scene.camera.data.type, scene.camera.data.ortho_scale, scene.camera.data.shift_x = "ORTHO", 14, 0.1


def scaled(scene) -> None:
    """A camera sees as if it had no scale."""
    scene.camera.scale = (1, 2, 3)


@pytest.mark.parametrize("how", [as_it_is, shifted, upright_sensor, oblong_pixels, flat, scaled])
def test_at_rest_not_one_pixel_differs_from_the_picture(court, tmp_path, how):
    how(court)
    bpy.context.view_layer.update()
    bpy.ops.spade.generate()
    (picture,) = results()
    assert len(layer_cards(court)) == 3 and not any(card.hide_render for card in layer_cards(court))
    uncover(court)
    seen = yard.rendered(court, tmp_path)
    assert np.abs(seen - rgb_of(picture).astype(int)).max() <= 1, "what lies between pixels is rounded"
    take_whole_pixels(court)
    np.testing.assert_array_equal(yard.rendered(court, tmp_path), rgb_of(picture))


def test_the_view_and_the_exposure_are_undone(court, tmp_path):
    court.view_settings.view_transform, court.view_settings.exposure = "AgX", 1.5
    bpy.ops.spade.generate()
    (picture,) = results()
    off = np.abs(yard.rendered(court, tmp_path) - rgb_of(picture).astype(int)).max(axis=2)
    assert np.quantile(off, 0.99) <= 4, "but for what AgX cannot show"
    court.view_settings.view_transform = "Standard"
    assert np.abs(yard.rendered(court, tmp_path) - rgb_of(picture).astype(int)).max() <= 1, "it follows"


def test_usual_filters_show_nothing_of_the_cuts(court, tmp_path):
    """What is half seen along outlines is mixed with what was painted behind, which is the same but for its light."""
    bpy.ops.spade.generate()
    court.cycles.samples, court.cycles.pixel_filter_type, court.cycles.filter_width = (
        64,
        "BLACKMAN_HARRIS",
        1.5,
    )
    layered = yard.rendered(court, tmp_path)
    bpy.ops.spade.show(what="BOTH")
    bpy.ops.spade.place_as(placement="BACKDROP")
    bpy.ops.spade.show(what="PICTURE")
    assert np.abs(layered - yard.rendered(court, tmp_path)).mean() < 0.5


@pytest.mark.parametrize("way", [(1, 0), (-1, 0), (0, 1), (0, -1), (0.7, -0.7)])
def test_no_card_leaves_a_hole_when_the_nearest_moves_by_a_twentieth_of_the_width(court, tmp_path, way):
    bpy.ops.spade.generate()
    step_aside(court, way, 0.05)
    assert holes(court, tmp_path) < 0.005
    assert caveats(court) == []


def test_near_cards_pass_before_far_ones(court, tmp_path):
    """Each card is painted in a colour of its own, and found again where its distance says."""
    bpy.ops.spade.generate()
    (picture,) = results()
    _, distances = numbers_in(picture)
    before = [share_of(court, number, tmp_path) for number in range(3)]
    step_aside(court, (1, 0), 0.05)
    for number, distance in enumerate(distances):
        moved = share_of(court, number, tmp_path) - before[number]
        assert moved == pytest.approx(-0.05 * distances[0] / distance, abs=1.5 / yard.WIDTH)


def share_of(scene, number: int, folder) -> float:
    """Where the left border of what a card alone shows is, of the picture's width, by its own column of magenta."""
    cards = layer_cards(scene)
    image = cards[number].active_material.node_tree.nodes["Spade Picture"].image
    mark = bpy.data.images.new("Mark", *image.size, alpha=True)
    pixels = np.zeros((image.size[1], image.size[0], 4), np.float32)
    pixels[:, image.size[0] // 2 : image.size[0] // 2 + 4] = (1, 0, 1, 1)
    mark.pixels.foreach_set(pixels.ravel())
    mark.alpha_mode = "STRAIGHT"
    nodes = [card.active_material.node_tree.nodes["Spade Picture"] for card in cards]
    shown = [node.image for node in nodes]
    for node in nodes:
        node.image = mark if node == nodes[number] else bpy.data.images.new("None", 1, 1, alpha=True)
        node.image.pixels[3] = node.image.pixels[3] * (node == nodes[number])
    columns = np.nonzero((yard.rendered(scene, folder) == HOLE).all(axis=2).any(axis=0))[0]
    for node, image in zip(nodes, shown, strict=True):
        node.image = image
    return float(columns.mean()) / yard.WIDTH


def test_what_stands_between_the_layers_hides_the_farther_and_is_hidden_by_the_nearer(court, tmp_path):
    bpy.ops.spade.generate()
    _, distances = numbers_in(results()[0])
    bpy.ops.mesh.primitive_plane_add(size=60)  # without a label
    bpy.context.object.matrix_world = court.camera.matrix_world @ Matrix.Translation(
        (0, 0, -(distances[1] + distances[2]) / 2)
    )
    uncover(court)
    take_whole_pixels(court)
    image = cards_in(results()[0])[1]
    alpha = np.array(image.pixels[:]).reshape(image.size[1], image.size[0], 4)
    seen, picture = yard.rendered(court, tmp_path), rgb_of(results()[0])
    same = (seen == picture).all(axis=2)
    rows, columns = (alpha.shape[0] - yard.HEIGHT) // 2, (alpha.shape[1] - yard.WIDTH) // 2
    second = alpha[::-1][rows:-rows, columns:-columns, 3] > 0
    assert same[second].all() and (~same).mean() > 0.2


def test_cards_show_through_their_own_camera_alone(court):
    bpy.ops.spade.generate()
    other = bpy.data.objects.new("Other", court.camera.data.copy())
    court.collection.objects.link(other)
    first, court.camera = court.camera, other
    bpy.context.view_layer.update()
    assert all(card.hide_render and card.hide_viewport for card in layer_cards(court))
    court.camera = first
    bpy.context.view_layer.update()
    assert not any(card.hide_render or card.hide_viewport for card in layer_cards(court))


@pytest.mark.parametrize(
    ("what", "shows"), [("BLOCKS", (False, False)), ("BOTH", (False, True)), ("PICTURE", (True, True))]
)
def test_show_blocks_picture_and_both(court, what, shows):
    bpy.ops.spade.generate()
    bpy.ops.spade.show(what=what)
    backdrop = backdrop_of(court, court.camera)
    assert (not any(card.hide_render for card in layer_cards(court)), not backdrop.hide_render) == shows
    assert bpy.data.objects["Cube"].hide_render == (what == "PICTURE")


def test_the_camera_may_move_and_turn_a_little_and_it_is_said_when_it_is_too_far(court):
    bpy.ops.spade.generate()
    camera = court.camera
    assert caveats(court) == []
    camera.rotation_euler.z += 0.6
    bpy.context.view_layer.update()
    assert any("beyond the layers" in each for each in caveats(court))
    camera.rotation_euler.z -= 0.6
    camera.data.lens *= 2  # nearer, as to what stands there
    bpy.context.view_layer.update()
    assert caveats(court) == []
    camera.data.lens /= 4
    bpy.context.view_layer.update()
    assert any("beyond the layers" in each for each in caveats(court))


def test_one_click_gives_everything_back(court):
    hidden = {thing.name: (thing.hide_render, thing.hide_viewport) for thing in court.objects}
    meshes, materials = set(bpy.data.meshes), set(bpy.data.materials)
    bpy.ops.spade.generate()
    bpy.ops.spade.take_away()
    assert {thing.name: (thing.hide_render, thing.hide_viewport) for thing in court.objects} == hidden
    assert set(bpy.data.meshes) == meshes and set(bpy.data.materials) == materials
    assert len(results()) == 1 and len(cards_in(results()[0])) == 3, "the history keeps it"
    bpy.ops.spade.place_again(name=results()[0].name)
    assert layers_of(court, court.camera) == results()[0]


@pytest.mark.parametrize("other", ["BACKDROP", "BACKGROUND_IMAGE", "PROJECTION"])
def test_switching_leaves_no_card_and_brings_them_back(court, other):
    bpy.ops.spade.generate()
    (picture,) = results()
    bpy.ops.spade.place_as(placement=other)
    assert not layer_cards(court) and placed_picture(court, court.camera) == picture
    bpy.ops.spade.place_as(placement="LAYERS")
    assert len(layer_cards(court)) == 3 and placed_picture(court, court.camera) == picture
    assert not settings(court).projections and not court.camera.data.background_images


def test_a_picture_without_layers_is_on_the_backdrop_until_it_is_generated_again(court):
    settings(court).placement = "BACKDROP"
    settings(court).natural_edges = 0
    bpy.ops.spade.generate()
    (picture,) = results()
    bpy.ops.spade.place_as(placement="LAYERS")
    assert picture_of(court, court.camera) == picture and not layer_cards(court)
    assert any("no layers yet" in each for each in caveats(court))
    bpy.ops.spade.generate()
    assert results() == [picture] and layers_of(court, court.camera) == picture and caveats(court) == []


def test_they_go_with_undo_redo_save_and_load(court, tmp_path):
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.spade.generate()
    bpy.ops.ed.undo()
    assert not layer_cards(bpy.context.scene) and placed_picture(bpy.context.scene, bpy.context.scene.camera)
    bpy.ops.ed.undo()
    assert placed_picture(bpy.context.scene, bpy.context.scene.camera) is None
    (picture,) = results()
    assert len(cards_in(picture)) == 3, "undo loses no result, nor what was painted behind it"
    assert [image.alpha_mode for image in cards_in(picture)] == ["STRAIGHT"] * 3
    bpy.ops.ed.redo()
    bpy.ops.ed.redo()
    assert len(layer_cards(bpy.context.scene)) == 3
    file = str(tmp_path / "layers.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)
    scene = bpy.context.scene
    uncover(scene)
    np.testing.assert_array_equal(yard.rendered(scene, tmp_path), rgb_of(results()[0]))
    bpy.ops.spade.take_away()
    assert not layer_cards(scene) and not bpy.data.objects["Cube"].hide_render


def test_what_is_removed_from_the_history_takes_its_layers_along(court):
    bpy.ops.spade.generate()
    (picture,) = results()
    bpy.ops.spade.take_away()
    bpy.ops.spade.remove_result(name=picture.name)
    assert not [image for image in bpy.data.images if image.name.startswith(".Layer")]


def test_labels_are_those_of_the_blocks_while_cards_stand_there(court):
    from spade_backdrops.scene.label_pass import render_label_map

    before = render_label_map(court, (yard.HEIGHT, yard.WIDTH)).label_map
    bpy.ops.spade.generate()
    np.testing.assert_array_equal(render_label_map(court, (yard.HEIGHT, yard.WIDTH)).label_map, before)
    bpy.ops.spade.generate()
    assert len(results()) == 1 and len(layer_cards(court)) == 3, "the same press again adds nothing"


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_eevee_shows_the_same(court, tmp_path):
    bpy.ops.spade.generate()
    court.render.engine = "BLENDER_EEVEE" if bpy.app.version >= (5, 0) else "BLENDER_EEVEE_NEXT"
    court.eevee.taa_render_samples, court.render.filter_size = 1, 0.01
    take_whole_pixels(court)
    off = np.abs(yard.rendered(court, tmp_path) - rgb_of(results()[0]).astype(int)).max(axis=2)
    assert (off > 1).mean() < 0.002
    step_aside(court, (1, 0), 0.05)
    assert holes(court, tmp_path) < 0.005


def step_aside(scene, way: tuple[float, float], share: float) -> None:
    """Move the camera so that the nearest card moves by a share of the picture's width."""
    projector, distances = numbers_in(placed_picture(scene, scene.camera))
    length = share * distances[0] / projector.scale[0]
    right, up = (scene.camera.matrix_world.col[axis].xyz.normalized() for axis in (0, 1))
    scene.camera.location += (right * way[0] + up * way[1]) * length
    bpy.context.view_layer.update()


def holes(scene, folder) -> float:
    """The share of the picture where no card is."""
    uncover(scene)
    return float((yard.rendered(scene, folder) == HOLE).all(axis=2).mean())


def take_whole_pixels(scene) -> None:
    """Else what is a rounding off a pixel's centre is mixed."""
    for card in layer_cards(scene):
        card.active_material.node_tree.nodes["Spade Picture"].interpolation = "Closest"


def uncover(scene) -> None:
    """Let the backdrop not be seen, and what is not covered by cards be magenta."""
    backdrop_of(scene, scene.camera).visible_camera = False
    scene.world = bpy.data.worlds.new("Holes")
    if scene.world.node_tree is None:
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (1, 0, 1, 1)
