# SPDX-License-Identifier: GPL-3.0-or-later
"""The presses: Generate with a projection, one more from another place, what is hidden, and the way back."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from spade_backdrops import timer
from spade_backdrops.bridge.jobs import JobState
from spade_backdrops.example.valley import build_valley
from spade_backdrops.history.parts import label_map_in
from spade_backdrops.history.records import results
from spade_backdrops.label_taking import current_labels
from spade_backdrops.operators.projection import submit_from_view, submit_hidden
from spade_backdrops.place.backdrop import backdrops, picture_of
from spade_backdrops.place.projection.group import picture_in, projector_in
from spade_backdrops.place.projection.sights import depth_of
from spade_backdrops.properties import settings
from spade_backdrops.scene.bands import things_before
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.label_rules import auto_assign
from spade_backdrops.scene.projector import projector_of
from spade_backdrops.scene_job import submit_scene
from spade_backdrops.session import current_session
from spade_backdrops.style.reference import rgb_of

from tests.addon.place.projection import court
from tests.addon.serving import command, renew_session, until

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def server(addon):
    """The add-on's preferences with a server that answers at once."""
    from spade_backdrops.preferences import preferences

    renew_session()
    entry = bpy.context.preferences.addons.new()
    entry.module = "spade_backdrops"
    preferences().server, preferences().server_command = "LOCAL", command()
    yield
    renew_session()
    bpy.context.preferences.addons.remove(entry)


@pytest.fixture
def yard(scene, camera, server):
    settings(scene).placement = "PROJECTION"
    return scene


def test_generate_lays_the_picture_on_the_blocks_and_its_sky_in_the_world(yard):
    bpy.ops.spade.generate()
    (entry,), (picture,) = settings(yard).projections, results()
    assert picture_in(entry.group) == picture == picture_of(yard, yard.camera)
    assert depth_of(entry).shape == (2 * court.HEIGHT, 2 * court.WIDTH)
    assert not any(thing.hide_render for thing in bpy.data.objects if "spade_label" in thing)


def test_a_picture_of_the_history_is_projected_from_where_it_was_painted(yard):
    bpy.ops.spade.generate()
    first, before = results()[0], projector_of(yard, yard.camera)
    yard.camera.location.x += 2
    settings(yard).seed += 1
    bpy.ops.spade.generate()
    bpy.ops.spade.place_again(name=first.name)
    (entry,) = settings(yard).projections
    assert picture_in(entry.group) == first and projector_in(entry.group).is_like(before)


def test_one_more_is_projected_from_where_the_designer_stands(yard):
    bpy.ops.spade.generate()
    main = yard.camera
    main.location.x += 3
    bpy.context.view_layer.update()
    bpy.ops.spade.project_from_view()
    first, second = settings(yard).projections
    assert first.camera == main == yard.camera and second.camera.name == "Projector"
    assert projector_in(second.group).is_like(projector_of(yard, main))
    assert picture_in(first.group) != picture_in(second.group)


def test_what_is_hidden_is_painted_and_nothing_else_changes(yard, tmp_path):
    bpy.ops.spade.generate()
    hidden_before = {thing.name: thing.hide_render for thing in bpy.data.objects}
    cameras = set(bpy.data.cameras)
    seen = court.rendered(yard, tmp_path)
    bpy.ops.spade.fill_hidden()
    assert [entry.hidden for entry in settings(yard).projections] == [0, 1, 2, 3, 4]
    assert {thing.name: thing.hide_render for thing in bpy.data.objects} == hidden_before
    assert set(bpy.data.cameras) == cameras and yard.camera.name == "Camera"
    inner = (slice(8, -8), slice(8, -8))  # along the border both are mixed
    np.testing.assert_array_equal(court.rendered(yard, tmp_path)[inner], seen[inner])
    settings(yard).seed += 1
    bpy.ops.spade.generate()
    assert len(settings(yard).projections) == 1, "a new picture has other things behind it"


def test_one_more_lands_where_the_designer_stood_whatever_is_undone_meanwhile(yard):
    bpy.ops.spade.generate()
    main, stood = bpy.context.scene.camera, projector_of(yard, yard.camera)
    picture = picture_in(settings(yard).projections[0].group).name
    main.location.x += 3
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="Move")
    before, here = set(bpy.data.objects.keys()), projector_of(yard, main)
    job = submit_from_view(bpy.context, in_background=True)
    assert set(bpy.data.objects.keys()) == before, "a camera comes with the picture"
    bpy.ops.ed.undo()
    until(lambda: job.state is JobState.PLACED, timer.step, 60)
    scene = bpy.context.scene
    first, second = settings(scene).projections
    assert first.camera == scene.camera and picture_in(first.group).name == picture
    assert projector_in(first.group).is_like(stood) and projector_of(scene, scene.camera).is_like(stood)
    assert second.camera.name == "Projector" and projector_in(second.group).is_like(here)
    assert projector_of(scene, second.camera).is_like(here)
    bpy.ops.ed.undo()
    assert set(bpy.data.objects.keys()) == before, "the camera goes with its picture"
    assert len(settings(bpy.context.scene).projections) == 1
    current_labels().close()


def test_one_more_that_fails_leaves_no_camera(yard):
    bpy.ops.spade.generate()
    settings(yard).model = "nowhere"
    cameras = len(bpy.data.cameras)
    with pytest.raises(RuntimeError, match="nowhere"):
        bpy.ops.spade.project_from_view()
    assert "Projector" not in bpy.data.objects and len(bpy.data.cameras) == cameras
    assert len(settings(yard).projections) == 1


def test_what_is_hidden_goes_to_the_history_alone_where_what_it_completes_was_undone(yard):
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.spade.generate()
    job = submit_hidden(bpy.context, 1, in_background=True)
    bpy.ops.ed.undo()
    until(lambda: job.state is JobState.PLACED, timer.step, 60)
    assert len(settings(bpy.context.scene).projections) == 0 and len(results()) == 2
    current_labels().close()


def test_a_picture_whose_camera_was_undone_replaces_that_of_no_other(yard):
    bpy.ops.spade.generate()
    bpy.ops.ed.undo_push(message="before")
    main, shown = yard.camera.name, picture_in(settings(yard).projections[0].group).name
    other = yard.camera.copy()
    yard.collection.objects.link(other)
    yard.camera, other.name, settings(yard).seed = other, "Added", 5
    bpy.context.view_layer.update()
    job = submit_scene(bpy.context, in_background=True)
    bpy.ops.ed.undo()
    until(lambda: job.state is JobState.FINISHED and job.error is not None, timer.step, 60)
    scene = bpy.context.scene
    (entry,) = settings(scene).projections
    assert entry.camera.name == main == scene.camera.name and picture_in(entry.group).name == shown
    assert current_session().error.code == "NO_CAMERA" and "'Added'" in str(job.error)
    bpy.ops.spade.place_kept()
    (entry,) = settings(scene).projections
    assert entry.camera.name == main and picture_in(entry.group).name != shown, "he has chosen so"
    current_labels().close()


def test_a_step_aside_shows_less_bare_surface_where_hidden_things_were_painted(yard, tmp_path):
    bpy.ops.spade.generate()
    yard.camera.location.x += 2.5
    bare = bare_share(yard, tmp_path)
    yard.camera.location.x -= 2.5
    bpy.context.view_layer.update()
    bpy.ops.spade.fill_hidden()
    yard.camera.location.x += 2.5
    assert bare_share(yard, tmp_path) < bare / 3


def test_six_metres_to_either_side_in_the_valley_less_than_two_hundredths_are_bare(scene, server, tmp_path):
    build_valley(scene)
    auto_assign(scene)
    for thing in scene.objects:
        thing.hide_render = thing.type == "LIGHT"  # what it lights could be as bright as white paint
    spade = settings(scene)
    spade.placement, spade.width, spade.height, spade.match_camera = "PROJECTION", 512, 288, False
    court.render_exactly(scene, (320, 180))
    bpy.ops.spade.generate()
    bpy.ops.spade.fill_hidden()
    for way in (-6.0, 6.0):
        scene.camera.location.x += way
        bpy.context.view_layer.update()
        assert bare_share(scene, tmp_path, (180, 320)) < 0.02, way
        scene.camera.location.x -= way


def test_of_what_was_hidden_each_place_shows_one_painting_and_no_mixture(yard, tmp_path):
    bpy.ops.spade.generate()
    bpy.ops.spade.fill_hidden()
    colors = [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1)]
    for entry, color in zip(settings(yard).projections, colors, strict=True):
        paint_plain(entry, color)
    yard.camera.location.x += 2.5
    bpy.context.view_layer.update()
    seen = court.rendered(yard, tmp_path).reshape(-1, 3)
    are_pure = [(seen == np.array(color) * 255).all(axis=1) for color in colors]
    assert sum(pure.sum() > 20 for pure in are_pure[1:]) >= 2, are_pure
    reached = (seen == 255).any(axis=1)
    assert np.any(are_pure, axis=0)[reached].mean() > 0.97, "but along the frames"


def paint_plain(entry, color) -> None:
    plain = bpy.data.images.new("Plain", 4, 4)
    plain.generated_color = (*color, 1)
    entry.group.nodes["Spade Picture"].image = plain


def bare_share(scene, folder, shape=(court.HEIGHT, court.WIDTH)) -> float:
    """The share of surfaces that no projection reaches: white paint is 255, what it lights is less."""
    for entry in settings(scene).projections:
        paint_plain(entry, (1, 1, 1))
    for backdrop in backdrops(scene):
        backdrop.hide_render = True
    surfaces = render_label_map(scene, shape).depth < 1e9
    return float((court.rendered(scene, folder)[..., 0][surfaces] < 255).mean())


def test_what_no_projection_reaches_has_the_mean_colour_of_its_class(yard, tmp_path):
    bpy.ops.spade.generate()
    (picture,) = results()
    ground = bpy.data.objects["Plane"]
    labels, label_set = label_map_in(picture)
    rgb = rgb_of(picture)
    expected = rgb[labels == label_set.class_named("grass").id].mean(axis=0)
    assert np.abs(np.array(ground["spade_mean"]) * 255 - [*expected, 255]).max() < 1
    shown = ground.evaluated_get(bpy.context.evaluated_depsgraph_get())
    assert list(shown["spade_mean"]) == list(ground["spade_mean"]), "views have it, too"
    for backdrop in backdrops(yard):
        backdrop.hide_render = True
    yard.camera.rotation_euler.z += 3  # the ground behind, which it never saw
    behind = court.rendered(yard, tmp_path)[-8:].reshape(-1, 3)
    assert np.abs(behind - expected).max() < 12, "the colour space of a mean is only nearly that of a picture"
    settings(yard).bare = "MATERIAL"
    bpy.context.view_layer.update()
    own = court.rendered(yard, tmp_path)[-8:].reshape(-1, 3)
    assert (np.abs(own - behind).max(axis=1) > 50).mean() > 0.8, "without a lamp it is dark"
    bpy.ops.spade.remove_projections()
    assert "spade_mean" not in ground


def test_things_in_front_are_told_from_the_ground_they_stand_on(yard):
    bpy.ops.spade.generate()
    (entry,) = settings(yard).projections
    projector, depth = projector_of(yard, yard.camera), depth_of(entry)
    near, all_things = (set(things_before(yard, projector, depth, bands)) for bands in (1, 2))
    assert near <= all_things and "Cube.001" in all_things
    assert not {"Plane", "Part"} & all_things, "ground stays, and sources are not what stands there"


@pytest.mark.parametrize("moved", [False, True])
def test_what_is_hidden_needs_the_projection_of_the_camera_as_it_stands(yard, moved):
    if moved:
        bpy.ops.spade.generate()
        yard.camera.location.x += 1
        bpy.context.view_layer.update()
    with pytest.raises(RuntimeError, match="has moved" if moved else "has no projection"):
        bpy.ops.spade.fill_hidden()


def test_with_a_window_depth_and_what_is_hidden_come_from_the_background_the_same(yard):
    bpy.ops.spade.generate()
    (entry,) = settings(yard).projections
    whole = depth_of(entry)
    bpy.ops.spade.fill_hidden()
    hidden = depth_of(settings(yard).projections[1])
    settings(yard).seed += 1
    for submit, expected in (
        (lambda: submit_scene(bpy.context, in_background=True), whole),
        (lambda: submit_hidden(bpy.context, 1, in_background=True), hidden),
    ):
        job = submit()
        assert job.state is JobState.TAKING and job.request.sight.depth is None
        until(lambda job=job: job.state is JobState.PLACED, timer.step, 60)
        np.testing.assert_allclose(np.minimum(job.request.sight.depth, 1e6), expected, rtol=2e-4)
    assert [entry.hidden for entry in settings(yard).projections] == [0, 1]
    current_labels().close()


def test_the_example_in_the_docs_runs(yard, tmp_path):
    text = (ROOT / "docs" / "addon.md").read_text(encoding="utf-8")
    example = next(block for block in text.split("```")[1::2] if "fill_hidden" in block)
    file = tmp_path / "projected.blend"
    exec(example.removeprefix("python").replace("/path/to/projected.blend", str(file)), {})
    bpy.ops.wm.open_mainfile(filepath=str(file))
    assert len(settings(bpy.context.scene).projections) == 6
