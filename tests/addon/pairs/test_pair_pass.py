# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture and labels from one render, and the user's scene as it was."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Matrix  # noqa: E402
from PIL import Image  # noqa: E402
from spade_backdrops.pairs import pair_pass  # noqa: E402
from spade_backdrops.pairs.camera_sampler import CameraSampler, View  # noqa: E402
from spade_backdrops.pairs.daylight import Daylight  # noqa: E402
from spade_backdrops.pairs.pair_pass import Shot, render_pair  # noqa: E402
from spade_backdrops.scene.label_pass import render_label_map  # noqa: E402
from spade_backdrops.scene.label_rules import assign, scene_label_set  # noqa: E402

SHAPE = (48, 64)


def ids(scene):
    return {entry.name: entry.id for entry in scene_label_set(scene).classes}


def picture(path):
    with Image.open(path) as opened:
        assert opened.mode == "RGB"
        return np.asarray(opened)


def painted(pixels, name, color):
    """A material that glows in a colour, whatever the light."""
    material = pixels.shader("ShaderNodeEmission")
    material.name = name
    material.node_tree.nodes["Emission"].inputs["Color"].default_value = (*color, 1.0)
    return material


def test_picture_and_labels_show_the_same_thing_in_every_pixel(scene, view, pixels, tmp_path):
    """A wide filter, depth of field, motion blur and many samples: all of the user's, none moves a label."""
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    random = np.random.default_rng(0)
    for number, name in enumerate(("rock", "grass", "tree", "water", "snow", "rock")):
        left, top = int(random.integers(0, 40)), int(random.integers(0, 30))
        material = painted(pixels, f"m{number}", random.uniform(0.2, 0.8, 3))
        box = pixels.box(f"b{number}", (left, top, left + 20, top + 15), 10.0 - number, (material,))
        assign(scene, material if number % 2 else box, name)
    view.data.dof.use_dof, view.data.dof.aperture_fstop = True, 0.01
    scene.render.use_motion_blur = scene.render.use_border = True
    scene.cycles.samples, scene.cycles.filter_width, scene.cycles.sample_offset = 3, 3.0, 5
    scene.frame_set(4)
    pair = render_pair(scene, Shot(view, 4), SHAPE, 16, tmp_path / "p.png")
    expected = render_label_map(scene, SHAPE)
    np.testing.assert_array_equal(pair.labels.label_map, expected.label_map)
    rgb = picture(tmp_path / "p.png").astype(int)
    assert rgb.shape == (48, 64, 3)
    borders = np.zeros(SHAPE, bool)
    label_map = pair.labels.label_map
    borders[:, 1:] |= label_map[:, 1:] != label_map[:, :-1]
    borders[1:] |= label_map[1:] != label_map[:-1]
    steps = np.zeros(SHAPE, bool)
    steps[:, 1:] |= np.abs(rgb[:, 1:] - rgb[:, :-1]).max(-1) > 25
    steps[1:] |= np.abs(rgb[1:] - rgb[:-1]).max(-1) > 25
    near = borders.copy()
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        near |= np.roll(borders, (dy, dx), (0, 1))
    assert (steps & ~near).sum() < 0.25 * steps.sum(), "colours change where labels do"


def test_the_users_file_is_as_it_was_even_when_the_render_fails(valley, snapshot, tmp_path, monkeypatch):
    valley.camera.data.dof.use_dof = True
    valley.objects["Sun"].pass_index = 5
    before = snapshot()
    view, day = CameraSampler(valley).sample(np.random.default_rng(0)), Daylight(0.5, 1.0, 2.0, 0.5)
    shot = Shot(valley.camera, 7, view, day)
    render_pair(valley, shot, (18, 32), 1, tmp_path / "p.png", with_instances=True)
    assert snapshot() == before

    def broken(scene):
        raise RuntimeError("the renderer is gone")

    monkeypatch.setattr(pair_pass, "render_still", broken)
    with pytest.raises(RuntimeError):
        render_pair(valley, shot, (18, 32), 1, tmp_path / "p.png")
    assert snapshot() == before


def test_copies_of_one_thing_are_different_instances(scene, view, pixels, tmp_path):
    source = pixels.source_collection("Tree", (0, 0, 6, 6))
    assign(scene, source.objects[0], "tree")
    for corner in ((4, 4), (20, 4), (4, 20)):
        pixels.instance(source, corner)
    assign(scene, pixels.box("Rock", (40, 10, 50, 20)), "rock")
    pair = render_pair(scene, Shot(view, 1), SHAPE, 2, tmp_path / "p.png", with_instances=True)
    plain = render_pair(scene, Shot(view, 1), SHAPE, 2, tmp_path / "p.png")
    np.testing.assert_array_equal(pair.labels.label_map, plain.labels.label_map)
    numbers = {int(pair.instances[y, x]) for y, x in ((6, 6), (6, 22), (22, 6), (12, 45))}
    assert len(numbers) == 4 and pair.instances[0, 0] == 0 and 0 not in numbers
    assert all((pair.instances == number).sum() in (36, 100) for number in numbers)


def test_behind_any_number_of_transparent_surfaces_photo_labels_and_instances_agree(
    scene, view, pixels, tmp_path
):
    """Things of alpha 0 are nothing; through the holes of twelve leaf cards the same is seen in all three."""
    scene.view_settings.view_transform, scene.view_settings.look = "Standard", "None"
    scene.cycles.transparent_max_bounces = 3
    red, green = painted(pixels, "red", (1, 0, 0)), painted(pixels, "green", (0, 1, 0))
    assign(scene, pixels.box("Left", (8, 8, 24, 40), 40, (red,)), "rock")
    assign(scene, pixels.box("Right", (24, 8, 56, 40), 40, (green,)), "rock")
    clear, leaf = pixels.principled("Clear", Alpha=0.0), pixels.cut_out("leaf")
    blue = leaf.node_tree.nodes["Principled BSDF"].inputs
    blue["Base Color"].default_value = (0, 0, 0, 1)
    blue["Emission Color"].default_value, blue["Emission Strength"].default_value = (0, 0, 1, 1), 1.0
    for number in range(12):
        assign(scene, pixels.box(f"Nothing {number}", (4, 4, 40, 44), 5 + number, (clear,)), "tree")
        assign(scene, pixels.box(f"Leaf {number}", (40, 16, 56, 24), 20 + number, (leaf,)), "tree")
    pair = render_pair(scene, Shot(view, 1), SHAPE, 4, tmp_path / "p.png", with_instances=True)
    expected = render_label_map(scene, SHAPE, with_objects=True)
    np.testing.assert_array_equal(pair.labels.label_map, expected.label_map)
    np.testing.assert_array_equal(pair.instances, expected.instance_map)
    assert len(np.unique(pair.instances)) == 4, "two rocks, the leaf in front, and nothing"
    seen = picture(tmp_path / "p.png").argmax(-1)
    inside = np.zeros(SHAPE, bool)  # a pixel's light comes from around it, too
    inside[1:-1, 1:-1] = True
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        inside &= np.roll(pair.instances, step, axis) == pair.instances
    for (y, x), color in (((20, 10), 0), ((30, 30), 1), ((17, 41), 2), ((17, 46), 1), ((21, 46), 2)):
        part = inside & (pair.instances == pair.instances[y, x])
        assert part.any() and (seen[part] == color).all(), (y, x)
    label = ids(scene)
    assert pair.labels.label_map[30, 30] == label["rock"] and pair.labels.label_map[17, 41] == label["tree"]


def test_a_view_moves_the_picture_and_zoom_narrows_it(scene, view, pixels, tmp_path):
    box = pixels.box("Box", (30, 20, 40, 30))
    assign(scene, box, "rock")
    bpy.context.view_layer.update()
    camera = scene.camera.matrix_world
    shifted = View(Matrix.Translation((5.0, 0.0, 0.0)) @ camera.to_3x3().to_4x4())
    shifted.matrix.translation += camera.translation
    found = render_pair(scene, Shot(view, 1, shifted), SHAPE, 1, tmp_path / "p.png").labels.label_map
    rows, columns = np.nonzero(found == ids(scene)["rock"])
    assert (columns.min(), columns.max()) == (25, 34) and (rows.min(), rows.max()) == (20, 29)
    zoomed = View(camera.copy(), zoom=2.0)
    found = render_pair(scene, Shot(view, 1, zoomed), SHAPE, 1, tmp_path / "p.png").labels.label_map
    assert (found == ids(scene)["rock"]).sum() == 400
