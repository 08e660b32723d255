# SPDX-License-Identifier: GPL-3.0-or-later
"""What a picture was made of is in the file with it, once, and the same request comes out again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from spade_backdrops.bridge.jobs import SceneRequest
from spade_backdrops.contract.errors import BadImageError
from spade_backdrops.contract.labels import LabelClass, LabelSet, load_label_set
from spade_backdrops.contract.request import ImageStyle, MixedStyle, NamedStyle, SeedStyle
from spade_backdrops.history.parts import DIGEST, LABEL_MAP
from spade_backdrops.history.records import (
    FAVOURITE,
    record,
    remove_result,
    request_of,
    results,
    size_of,
    trim,
)
from spade_backdrops.place.image import store_image
from spade_backdrops.place.placement import place
from spade_backdrops.style.reference import rgb_of

LABELS = load_label_set("landscape")
RANDOM = np.random.default_rng(3)
MAP = RANDOM.choice([entry.id for entry in LABELS.classes], (48, 80)).astype(np.uint8)


def request(scene, **changes) -> SceneRequest:
    return replace(
        SceneRequest(
            label_map=MAP,
            label_set=LABELS,
            model="landscape",
            seed=4,
            scene_uid=scene.session_uid,
            scene_name=scene.name,
            blend_file="",
            camera_name="Eye",
            natural_edges=0.25,
            detail=2.5,
            upscale="off",
            precision="preview",
        ),
        **changes,
    )


def result(scene, made=0, rgb=None, **changes) -> bpy.types.Image:
    """A stored picture with all that `place` stores of it. made: how many minutes after noon."""
    wanted = request(scene, **changes)
    rgb = RANDOM.integers(0, 256, (48, 80, 3), np.uint8) if rgb is None else rgb
    facts = {
        "model": wanted.model,
        "seed": wanted.seed,
        "camera": wanted.camera_name,
        "upscale": wanted.upscale,
        "detail": wanted.detail,
        "natural_edges": wanted.natural_edges,
        "precision": wanted.precision,
        "made": f"2026-01-01T12:{made:02}:00+00:00",
        **wanted.style_facts,
    }
    picture = store_image(rgb, "Backdrop", scene, facts)
    record(picture, wanted, rgb)
    return picture


def parts() -> list[bpy.types.Image]:
    return [image for image in bpy.data.images if DIGEST in image]


def saved_and_loaded(tmp_path: Path) -> None:
    file = str(tmp_path / "Geschichte 史.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.open_mainfile(filepath=file)


def assert_same(again: SceneRequest, wanted: SceneRequest) -> None:
    np.testing.assert_array_equal(again.label_map, wanted.label_map)
    assert again.label_map.dtype == wanted.label_map.dtype
    names = "label_set", "model", "seed", "camera_name", "upscale", "detail", "natural_edges", "strength"
    for name in (*names, "precision"):
        assert getattr(again, name) == getattr(wanted, name), name


def test_the_same_request_comes_out_of_a_saved_file(scene, tmp_path):
    wanted = request(scene)
    result(scene)
    saved_and_loaded(tmp_path)
    (picture,) = results()
    assert_same(request_of(picture, bpy.context.scene), wanted)


def test_a_label_set_of_many_classes_is_kept_with_its_map(scene, tmp_path):
    classes = tuple(LabelClass(number * 3, f"klasse {number}", "#102030") for number in range(400))
    many = LabelSet("viele", 1, classes, ignore_id=65535)
    label_map = RANDOM.choice([0, 3, 600, 1197, 65535], (33, 47)).astype(np.uint16)
    wanted = request(scene, label_map=label_map, label_set=many)
    result(scene, label_map=label_map, label_set=many)
    saved_and_loaded(tmp_path)
    (picture,) = results()
    assert_same(request_of(picture, bpy.context.scene), wanted)


def test_a_label_map_is_stored_once_and_seen_in_its_classes_colours(scene):
    first, second = result(scene, seed=1), result(scene, seed=2)
    assert first[LABEL_MAP] == second[LABEL_MAP] and len(parts()) == 1
    np.testing.assert_array_equal(rgb_of(first[LABEL_MAP]), LABELS.colorize(MAP))
    other = result(scene, label_map=np.roll(MAP, 1))
    assert other[LABEL_MAP] != first[LABEL_MAP] and len(parts()) == 2


STYLES = {
    "a name": (NamedStyle("dusk"), {"style_name": "dusk"}),
    "a seed": (SeedStyle(8), {"style_seed": 8}),
    "a name and a seed": (
        MixedStyle(NamedStyle("dusk"), SeedStyle(9), 0.3),
        {"style_name": "dusk", "second_style_seed": 9, "style_mix": 0.3},
    ),
    "the picture's seed and a name": (
        MixedStyle(SeedStyle(4), NamedStyle("dusk"), 0.7),
        {"second_style_name": "dusk", "style_mix": 0.7},
    ),
}


@pytest.mark.parametrize("named", STYLES)
def test_its_style_comes_out_again(scene, named):
    style, facts = STYLES[named]
    again = request_of(
        result(scene, style=style, strength=1.5, style_facts={**facts, "style_strength": 1.5}), scene
    )
    assert again.style == style or vars(again.style) == vars(style)
    assert again.strength == 1.5 and again.style_facts == {**facts, "style_strength": 1.5}


@pytest.mark.parametrize("kind", ["of a file", "of an earlier result", "painted in Blender"])
def test_the_picture_of_a_style_is_kept_whatever_becomes_of_it(scene, tmp_path, kind):
    rgb = RANDOM.integers(0, 256, (40, 30, 3), np.uint8)
    photo = store_image(rgb, "Abend", scene, {})
    if kind == "of a file":
        photo.save(filepath=str(tmp_path / "abend.png"))
        bpy.data.images.remove(photo)
        photo = bpy.data.images.load(str(tmp_path / "abend.png"))
    elif kind == "painted in Blender":
        bpy.data.images.remove(photo)
        photo = bpy.data.images.new("Abend", 30, 40)
        photo.pixels = np.dstack([rgb[::-1] / 255, np.ones((40, 30))]).ravel()
    wanted = {"style": ImageStyle(rgb_of(photo)), "style_facts": {"style_image": photo.name}}
    for seed in (1, 2):
        result(scene, seed=seed, **wanted)
    bpy.data.images.remove(photo)
    for file in tmp_path.iterdir():
        file.unlink()
    assert len(parts()) == 2, "a label map and a picture"
    saved_and_loaded(tmp_path)
    for picture in results():
        np.testing.assert_array_equal(request_of(picture, bpy.context.scene).style.rgb, rgb)


def test_a_picture_of_an_earlier_version_says_what_it_lacks(scene):
    old = store_image(np.zeros((32, 32, 3), np.uint8), "Old", scene, {"seed": 3, "model": "landscape"})
    assert results() == [old]
    with pytest.raises(BadImageError, match="earlier version"):
        request_of(old, scene)


def test_an_appended_scene_brings_its_results_along(scene, pixels, tmp_path):
    pixels.camera()
    place(scene, result(scene))
    scene.name = "Tal"
    wanted_again = request(scene)
    file = str(tmp_path / "tal.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(file) as (_, wanted):
        wanted.scenes = ["Tal"]
    (picture,) = results()
    assert_same(request_of(picture, bpy.context.scene), wanted_again)


def test_the_oldest_go_when_they_take_too_much_but_no_favourite_and_none_that_is_shown(scene, pixels):
    pixels.camera()
    pictures = [
        result(scene, made=number, seed=number, label_map=np.roll(MAP, number)) for number in range(6)
    ]
    place(scene, pictures[0])
    pictures[1][FAVOURITE] = True
    of_one = size_of(pictures[:1])
    trim(round(3.5 * of_one))
    assert results() == [pictures[5], pictures[1], pictures[0]]
    assert len(parts()) == 3, "label maps go with the last picture that was painted from them"
    trim(0)
    assert results() == [pictures[1], pictures[0]]


def test_a_picture_that_the_user_shows_elsewhere_is_kept(scene):
    picture, material = result(scene), bpy.data.materials.new("Poster")
    material.use_nodes = True
    material.node_tree.nodes.new("ShaderNodeTexImage").image = picture
    trim(0)
    assert results() == [picture]


def test_a_removed_result_takes_only_its_own_parts_along(scene):
    first, second = result(scene, seed=1), result(scene, seed=2)
    remove_result(first)
    assert len(parts()) == 1
    remove_result(second)
    assert not parts() and not results()


def test_a_thumbnail_is_kept_in_the_file(scene, tmp_path):
    result(scene, rgb=np.full((576, 1024, 3), (10, 200, 30), np.uint8))
    saved_and_loaded(tmp_path)
    (picture,) = results()
    width, height = picture.preview.image_size
    assert (width, height) == (146, 82) or abs(width / height - 16 / 9) < 0.05
    pixel = np.array(picture.preview.image_pixels[:1], np.int32).view(np.uint8)
    assert pixel.tolist() == [10, 200, 30, 255]
