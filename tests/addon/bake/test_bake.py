# SPDX-License-Identifier: GPL-3.0-or-later
"""Bake: what is projected becomes textures, byte for byte, in a Blender of its own; the user's materials come back."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
import numpy as np
import pytest
from spade_backdrops.background.running import running_work, start_work, stop_work
from spade_backdrops.bake.baker import Baker
from spade_backdrops.bake.plan import NEW_UV_MAP, lacks_uv_map, plan_bake, take_back_uv_maps
from spade_backdrops.contract.errors import BusyError
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.projected import is_painted
from spade_backdrops.scene.projector import projector_of
from spade_backdrops.session import current_session

from tests.addon.fresh_blender import look
from tests.addon.place.projection import court
from tests.addon.serving import until

ROOT = Path(__file__).resolve().parents[3]
SIZE = 512
CELLS = 64
"""Of the wall, each way: so finely it is known where something stands before it."""


@pytest.fixture
def wall(scene, tmp_path) -> bpy.types.Object:
    """The court's wall with a picture on it, selected, in a saved file whose view changes colours."""
    court.build(scene)
    scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", 1.0
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "court.blend"))
    court.project(scene, court.noise())
    select("Plane.001")
    return bpy.context.object


def select(*names: str) -> None:
    for thing in bpy.context.view_layer.objects:
        thing.select_set(thing.name in names)
    bpy.context.view_layer.objects.active = bpy.data.objects[names[0]]


def texels(image: bpy.types.Image) -> np.ndarray:
    width, height = image.size
    pixels = np.array(image.pixels[:]).reshape(height, width, 4)[::-1, :, :3]
    return np.rint(pixels * 255).astype(int)


@pytest.mark.parametrize("size", [SIZE, pytest.param(2048, marks=pytest.mark.slow)])
def test_every_texel_that_was_seen_has_the_pictures_bytes(scene, wall, tmp_path, size):
    labels = render_label_map(scene, (court.HEIGHT, court.WIDTH)).label_map
    assert bpy.ops.spade.bake(size=str(size)) == {"FINISHED"}
    material = wall.material_slots[0].material
    nodes = {
        node.image.name.split("_")[-1]: node for node in material.node_tree.nodes if node.type == "TEX_IMAGE"
    }
    assert set(nodes) == {"color.png", "roughness.png", "normal.png"}
    for name, node in nodes.items():
        assert node.image.filepath == f"//textures{os.sep}Plane_001_{name}".replace("\\", "/")
        assert (node.image.colorspace_settings.name == "sRGB") == (name == "color.png")
        assert tuple(node.image.size) == (size, size)
    seen, expected = texels(nodes["color.png"].image), expected_texels(scene, wall, size)
    known = expected >= 0
    assert 0.3 < known.all(axis=2).mean() < 1
    np.testing.assert_array_equal(seen[known], expected[known])
    np.testing.assert_array_equal(labels, render_label_map(scene, (court.HEIGHT, court.WIDTH)).label_map)
    assert any(is_painted(each) for each in bpy.data.materials), "other things keep their projection"
    bpy.ops.spade.remove_baked()
    assert not wall.material_slots and not any("(baked)" in each.name for each in bpy.data.materials)


def expected_texels(scene, wall, size: int) -> np.ndarray:
    """What each texel of the wall must be, (S, S, 3); -1 where rounding or the border of a shadow decides."""
    projector = projector_of(scene, scene.camera)
    points = on_wall(wall, size)
    places = projector.seen(points)[0] * (court.WIDTH, court.HEIGHT)
    sure = ((places > 1) & (places < (court.WIDTH - 1, court.HEIGHT - 1))).all(axis=1)
    sure &= np.abs(places % 1 - 0.5).max(axis=1) < 0.45
    coarse = np.reshape(court.are_reached(projector.place, on_wall(wall, CELLS)), (CELLS, CELLS))
    around = np.pad(coarse, 1, mode="edge")
    clear = np.all([around[y : y + CELLS, x : x + CELLS] for y in range(3) for x in range(3)], axis=0)
    sure &= clear.repeat(size // CELLS, axis=0).repeat(size // CELLS, axis=1).ravel()
    column, row = np.floor(places).astype(int).T
    found = np.full((size * size, 3), -1)
    found[sure] = court.noise()[court.HEIGHT - 1 - row[sure], column[sure]]
    return found.reshape(size, size, 3)


def on_wall(wall, size: int) -> np.ndarray:
    """(size * size, 3) points of the world: the middles of the wall's texels, row 0 at the top of its UV map."""
    middles = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(middles, middles[::-1])
    flat = np.stack([(u - 0.5) * 8, (v - 0.5) * 8, np.zeros_like(u)], axis=2).reshape(-1, 3)
    world = np.array(wall.matrix_world)
    return flat @ world[:3, :3].T + world[:3, 3]


def test_things_without_a_uv_map_get_one_on_request(scene, wall):
    select("Cube.001")
    layers = bpy.context.object.data.uv_layers
    while layers:
        layers.remove(layers[0])
    with pytest.raises(RuntimeError, match="has no UV map"):
        bpy.ops.spade.bake(size=str(SIZE))
    plan = plan_bake(bpy.context, SIZE, new_uv_map=True)
    assert plan.things == (("Cube.001", NEW_UV_MAP),) and layers[NEW_UV_MAP].active_render
    uvs = np.array([corner.vector for corner in layers[NEW_UV_MAP].uv])
    assert uvs.min() >= 0 and uvs.max() <= 1 and np.ptp(uvs) > 0.5


def unsaved(wall) -> str:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return "the textures go beside it"


def unselected(wall) -> str:
    wall.select_set(False)
    return "Nothing is selected"


def hidden(wall) -> str:
    wall.hide_render = True
    return "is hidden in renders"


def tiled(wall) -> str:
    for corner in wall.data.uv_layers[0].uv:
        corner.vector = corner.vector * 2
    return "UDIM"


def see_through(wall) -> str:
    wall.material_slots[0].material["spade_original"] = glass = court.material("Glas")
    glass.node_tree.nodes["Principled BSDF"].inputs["Alpha"].default_value = 0.5
    return "see-through"


@pytest.mark.parametrize("how", [unsaved, unselected, hidden, tiled, see_through])
def test_what_cannot_be_baked_is_refused_before_anything_is_done(scene, wall, how):
    reason = how(wall)
    with pytest.raises(RuntimeError, match=reason):
        bpy.ops.spade.bake(size=str(SIZE))
    assert running_work() is None


def test_a_new_uv_map_is_offered_where_a_mesh_has_none(scene, wall):
    assert not lacks_uv_map(wall) and not lacks_uv_map(scene.camera)
    wall.data.uv_layers.remove(wall.data.uv_layers[0])
    assert lacks_uv_map(wall)


def test_what_was_said_of_an_earlier_press_is_over_once_it_bakes(scene, wall):
    wall.select_set(False)
    with pytest.raises(RuntimeError, match="Nothing is selected"):
        bpy.ops.spade.bake(size=str(SIZE))
    assert current_session().error is not None
    wall.select_set(True)
    bpy.ops.spade.bake(size=str(SIZE))
    assert current_session().error is None


def test_one_that_is_ended_leaves_no_process_and_nothing_in_part(scene, wall, tmp_path):
    baker = start_work(lambda: Baker(scene, plan_bake(bpy.context, 4096)))
    process = baker._blender._process
    assert process.poll() is None
    with pytest.raises(BusyError, match="Baking 0 of 1"):
        start_work(lambda: Baker(scene, baker.plan))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)  # another file ends it
    assert running_work() is None
    assert process.poll() is not None and baker.has_ended and not baker.baked
    assert [file.name for file in tmp_path.iterdir()] == ["court.blend"]


def test_things_whose_names_differ_in_a_dot_have_textures_of_their_own(scene, wall, tmp_path):
    bpy.data.objects["Cube"].name = "Plane 001"
    select("Plane.001", "Plane 001")
    bpy.ops.spade.bake(size=str(SIZE), new_uv_map=True, surface=False)
    names = sorted(file.name for file in (tmp_path / "textures").iterdir())
    assert names == ["Plane_001_1_color.png", "Plane_001_color.png"]
    images = [
        bpy.data.objects[name].material_slots[0].material.node_tree for name in ("Plane.001", "Plane 001")
    ]
    assert len({node.image for tree in images for node in tree.nodes if node.type == "TEX_IMAGE"}) == 2


def test_one_that_is_cancelled_leaves_textures_and_uv_maps_as_they_were(scene, wall, tmp_path):
    bpy.ops.spade.bake(size=str(SIZE))
    maps = [layer.name for layer in wall.data.uv_layers]
    textures = {file.name: file.read_bytes() for file in (tmp_path / "textures").iterdir()}
    assert sorted(textures) == [f"Plane_001_{kind}.png" for kind in ("color", "normal", "roughness")]
    bpy.ops.spade.remove_baked()
    court.project(scene, court.noise(1))
    baker = start_work(lambda: Baker(scene, plan_bake(bpy.context, SIZE, new_uv_map=True)))
    until(lambda: baker.baked, baker.step, 60)
    assert NEW_UV_MAP in wall.data.uv_layers, "all is there, and it has not landed yet"
    stop_work()
    take_back_uv_maps(baker.plan)
    assert {file.name: file.read_bytes() for file in (tmp_path / "textures").iterdir()} == textures
    assert [layer.name for layer in wall.data.uv_layers] == maps and wall.data.uv_layers[0].active_render


def test_one_whose_process_is_killed_says_so(scene, wall):
    baker = Baker(scene, plan_bake(bpy.context, 4096))
    baker._blender._process.kill()
    until(lambda: baker.has_ended, baker.step)
    assert baker.error is not None and "ended" in str(baker.error) and not baker._folder.exists()


def test_a_size_that_the_computer_has_no_memory_for_is_refused(scene, wall, monkeypatch):
    monkeypatch.setattr("spade_backdrops.bake.plan._memory", lambda: 8 * 2**30)
    with pytest.raises(
        RuntimeError, match="8192 texels a side takes 12 GB of memory; this computer has 8 GB"
    ):
        bpy.ops.spade.bake(size="8192")
    assert plan_bake(bpy.context, 4096).size == 4096


def test_one_that_runs_out_of_memory_says_what_to_do_and_leaves_nothing_in_part(scene, wall, tmp_path):
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux limits the memory of another process")
    baker = Baker(scene, plan_bake(bpy.context, 4096))
    resource.prlimit(baker._blender.pid, resource.RLIMIT_AS, (2**31, 2**31))
    until(lambda: baker.has_ended, baker.step, 100)
    assert baker.error is not None and baker.error.fix == "Bake smaller, or fewer things at once."
    assert not list(tmp_path.rglob("*.png")) and not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("file_format", ["GLB", "GLTF_SEPARATE"])
def test_a_baked_thing_is_read_back_from_gltf_with_its_textures(scene, wall, tmp_path, file_format):
    wall.data.uv_layers.new(name="Other")
    bpy.ops.spade.bake(size=str(SIZE), new_uv_map=True)
    place, size = wall.matrix_world.to_translation(), wall.dimensions[:]
    assert wall.name in [thing.name for thing in bpy.context.selected_objects]
    target = tmp_path / "engine"
    assert bpy.ops.spade.export_baked(filepath=str(target / "wall"), file_format=file_format) == {"FINISHED"}
    assert len(wall.data.uv_layers) == 3, "the user's mesh is what it was"
    ending = "glb" if file_format == "GLB" else "gltf"
    assert (target / f"wall.{ending}").exists() and not list(target.glob(".*"))
    found = look(
        target,
        f"""
        bpy.ops.preferences.addon_enable(module="io_scene_gltf2")
        bpy.ops.import_scene.gltf(filepath=folder + "/wall.{ending}")
        (thing,) = [each for each in bpy.data.objects if each.type == "MESH"]
        (material,) = thing.data.materials
        shader = material.node_tree.nodes["Principled BSDF"]
        color = shader.inputs["Base Color"].links[0].from_node.image
        width, height = color.size
        normal = shader.inputs["Normal"].links[0].from_node
        answer(
            place=thing.matrix_world.translation[:],
            size=thing.dimensions[:],
            layers=[layer.name for layer in thing.data.uv_layers],
            color=np.rint(np.array(color.pixels[:]).reshape(height, width, 4)[::-1, :, :3] * 255),
            images=[image.size[:] for image in bpy.data.images if image.size[0]],
            linked=[shader.inputs["Roughness"].is_linked, normal.type == "NORMAL_MAP"],
        )
        """,
    )
    np.testing.assert_allclose(found["place"], place, atol=1e-5)
    np.testing.assert_allclose(found["size"], size, atol=1e-5)
    assert len(found["layers"]) == 1, "engines look into the first UV map"
    assert found["images"] == [[SIZE, SIZE]] * 3 and found["linked"] == [True, True]
    nodes = wall.material_slots[0].material.node_tree.nodes
    (color,) = [node.image for node in nodes if node.type == "TEX_IMAGE" and "color" in node.image.name]
    np.testing.assert_array_equal(found["color"], texels(color))


def test_a_texture_that_is_gone_is_missed_before_anything_is_exported(scene, wall, tmp_path):
    bpy.ops.spade.bake(size=str(SIZE), surface=False)
    next(tmp_path.rglob("*_color.png")).unlink()
    with pytest.raises(RuntimeError, match="no longer where it was baked to. Bake again"):
        bpy.ops.spade.export_baked(filepath=str(tmp_path / "wall.glb"))
    assert not list(tmp_path.rglob("*.glb"))


def test_where_little_of_a_thing_is_in_sight_it_is_said(scene, wall, capfd):
    """Of the thing's own texels: how much of the square they take is no matter."""
    for corner in wall.data.uv_layers[0].uv:
        corner.vector = corner.vector * 0.5
    select("Plane.001", "Plane")
    bpy.ops.spade.bake(size=str(SIZE), surface=False)
    said = "".join(capfd.readouterr())
    assert "A projection reaches 16% of the texels of 'Plane'" in said and "'Plane.001'" not in said


@pytest.mark.parametrize("word", ["print(bpy", "export_baked"])
def test_the_examples_in_the_docs_run(scene, wall, tmp_path, word):
    text = (ROOT / "docs" / "addon.md").read_text(encoding="utf-8")
    (example,) = [block for block in text.split("```")[1::2] if "spade.bake" in block and word in block]
    wall.name = "Wall"
    exec(example.removeprefix("python").replace("/path/to", str(tmp_path)).replace("1024", str(SIZE)), {})
    assert wall.active_material.name == "Wall (baked)"
    assert (word == "export_baked") == (tmp_path / "wall.glb").exists()
