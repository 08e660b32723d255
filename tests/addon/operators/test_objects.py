# SPDX-License-Identifier: GPL-3.0-or-later
"""Models that look at the borders between objects are told which object each pixel shows, and no others are.

The server's generator adds the numbers of the objects to the colours of the classes: a picture says what arrived.
"""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops import timer
from spade_backdrops.bridge.jobs import JobState
from spade_backdrops.contract.labels import load_label_set
from spade_backdrops.history.parts import INSTANCE_MAP
from spade_backdrops.label_taking import current_labels
from spade_backdrops.place.placement import placed_picture
from spade_backdrops.properties import settings
from spade_backdrops.scene import label_pass
from spade_backdrops.scene.coverage import last_coverage
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.label_rules import assign
from spade_backdrops.scene.png import ids_in
from spade_backdrops.scene_job import submit_scene
from spade_backdrops.session import current_session
from spade_backdrops.style.reference import rgb_of

from tests.addon.serving import command, renew_session, until

LOOKING = "tests.server.trivial:InstancesSynthesizer"
SHAPE = (128, 128)


@pytest.fixture
def grove(valley, stored_preferences):
    """Two trees of one class, one before the other."""
    stored_preferences.server, stored_preferences.server_command = "LOCAL", command(synthesizer=LOOKING)
    bark = bpy.data.materials.new("Bark")
    for number, (x, y) in enumerate(((-0.7, 0), (0.7, 3))):
        bpy.ops.mesh.primitive_ico_sphere_add(radius=1.5, location=(x, y, 1.5))
        if number:
            bpy.context.object.data.materials.append(bark)
        assign(valley, bpy.context.object, "tree")
    settings(valley).match_camera = False
    settings(valley).upscale, settings(valley).natural_edges = False, 0.0
    return valley


@pytest.fixture
def passes(monkeypatch):
    """How many renders were made, and whether for objects."""
    made = []
    take = label_pass.take_labels

    def counted(scene, copy, shape, folder, with_objects, apart):
        made.append(with_objects)
        return take(scene, copy, shape, folder, with_objects, apart)

    monkeypatch.setattr(label_pass, "take_labels", counted)
    return made


def connected():
    current_session().connect()
    until(lambda: not current_session().connection.is_starting, timer.step, 60)


def arrived(image) -> np.ndarray:
    """The numbers that the generator has added, modulo 256."""
    request = current_session().board.last_placed.request
    colors = load_label_set("landscape").colorize(request.label_map)
    rest = (rgb_of(image).astype(int) - colors.astype(int) - request.seed) % 256
    assert (rest == rest[..., :1]).all()
    return rest[..., 0]


def shown():
    return placed_picture(bpy.context.scene, bpy.context.scene.camera)


@pytest.mark.parametrize("connect_first", [True, False])
def test_a_model_that_looks_at_objects_gets_them(grove, passes, connect_first):
    connected() if connect_first else renew_session()
    assert bpy.ops.spade.generate() == {"FINISHED"}
    assert passes == ([True] if connect_first else [False, True])
    expected = render_label_map(grove, SHAPE, with_objects=True)
    assert expected.object_count == 3, "a meadow and two trees"
    assert np.array_equal(arrived(shown()), expected.instance_map)


@pytest.mark.parametrize("connect_first", [True, False])
def test_with_a_window_the_background_takes_them_of_the_scene_at_the_press(grove, connect_first):
    connected() if connect_first else renew_session()
    expected = render_label_map(grove, SHAPE, with_objects=True)
    job = submit_scene(bpy.context, in_background=True)
    bpy.data.objects["Icosphere"].location.x = 30
    until(lambda: not job.is_live, timer.step, 60)
    timer.step()
    assert job.state is JobState.PLACED
    assert np.array_equal(arrived(shown()), expected.instance_map)
    assert last_coverage(grove).objects == 3
    assert not list(current_labels().folder.glob("scene-*.blend"))


def test_a_model_that_does_not_look_at_them_costs_no_second_pass(grove, stored_preferences, passes):
    renew_session()
    stored_preferences.server_command = command()
    assert bpy.ops.spade.generate() == {"FINISHED"}
    assert bpy.ops.spade.generate() == {"FINISHED"}
    assert passes == [False, False]
    job = submit_scene(bpy.context, in_background=True)
    until(lambda: not job.is_live, timer.step, 60)
    timer.step()
    assert job.request.instance_map is None and last_coverage(grove).objects == 0
    assert (arrived(shown()) == 0).all()
    assert not list(current_labels().folder.glob("scene-*.blend"))
    renew_session()


def test_the_history_keeps_them_and_paints_again_with_them(grove):
    bpy.ops.spade.generate()
    first = shown()
    rgb, numbers = rgb_of(first), ids_in(bytes(first[INSTANCE_MAP].packed_file.data))
    assert np.array_equal(arrived(first), numbers)
    bpy.data.objects["Icosphere"].location.x = 30
    settings(grove).seed = 5
    bpy.ops.spade.generate()
    assert bpy.ops.spade.paint_again(name=first.name) == {"FINISHED"}
    assert np.array_equal(rgb_of(shown()), rgb)


def test_variations_have_the_same_objects(grove):
    assert bpy.ops.spade.vary(grid="TWO") == {"FINISHED"}
    varied = current_session().variations
    expected = render_label_map(grove, SHAPE, with_objects=True)
    colors = load_label_set("landscape").colorize(expected.label_map)
    for seed, rgb in varied.pictures.items():
        assert np.array_equal((rgb.astype(int) - colors - seed)[..., 0] % 256, expected.instance_map)
    current_session().close_variations()


def test_they_can_be_written_to_a_file(grove, tmp_path):
    bpy.ops.spade.export_label_map(filepath=str(tmp_path / "objects.png"), objects=True)
    found = ids_in((tmp_path / "objects.png").read_bytes())
    assert np.array_equal(found, render_label_map(grove, SHAPE, with_objects=True).instance_map)
