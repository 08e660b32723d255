# SPDX-License-Identifier: GPL-3.0-or-later
"""The history: place again, paint again exactly, compare, keep favourites. In real Blender with a real server."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from spade_backdrops.history.comparison import NAME
from spade_backdrops.history.records import FAVOURITE, results
from spade_backdrops.place.image import PROVENANCE, provenance_of
from spade_backdrops.place.placement import placed_picture
from spade_backdrops.properties import settings
from spade_backdrops.session import current_session
from spade_backdrops.style.reference import rgb_of

from tests.addon.drawing import drawn
from tests.addon.serving import renew_session


def generated(seed: int) -> bpy.types.Image:
    settings(bpy.context.scene).seed = seed
    assert bpy.ops.spade.generate() == {"FINISHED"}
    return shown()


def shown() -> bpy.types.Image:
    return placed_picture(bpy.context.scene, bpy.context.scene.camera)


def another_scene() -> None:
    """Change all that a picture is painted from."""
    bpy.ops.spade.assign_label(kind="OBJECT", class_name="water")
    bpy.context.scene.camera.location.z = 9
    spade = settings(bpy.context.scene)
    spade.seed, spade.width, spade.upscale, spade.own_style_seed = 99, 256, False, True


def test_a_result_says_how_it_was_made(valley):
    facts = provenance_of(generated(4))
    assert facts["seed"] == 4 and facts["model"] == "landscape" and facts["model_digest"] and facts["made"]
    assert facts["camera"] == "Kamera" and facts["label_set"] == "landscape" and facts["seconds"] >= 0


def test_an_earlier_picture_is_placed_again_to_the_byte(valley):
    first = generated(1)
    rgb = rgb_of(first)
    assert generated(2) != first
    assert bpy.ops.spade.place_again(name=first.name) == {"FINISHED"}
    assert shown() == first and len(results()) == 2
    np.testing.assert_array_equal(rgb_of(shown()), rgb)


def test_it_is_painted_again_exactly_whatever_the_scene_has_become(valley):
    picture = generated(5)
    rgb, name = rgb_of(picture), picture.name
    another_scene()
    generated(99)
    assert not np.array_equal(rgb_of(shown()).shape, rgb.shape)
    bpy.ops.spade.paint_again(name=name)
    assert shown().name == name and len(results()) == 2, "the same picture is not stored twice"
    # without the picture that is there, as on a server that has forgotten it
    bpy.data.images[name][PROVENANCE] = bpy.data.images[name][PROVENANCE].replace("picture_digest", "was")
    bpy.ops.spade.paint_again(name=name)
    assert shown().name != name
    np.testing.assert_array_equal(rgb_of(shown()), rgb)


def test_it_is_painted_again_in_another_session_from_the_saved_file(valley, tmp_path):
    rgb = rgb_of(generated(6))
    another_scene()
    file = str(tmp_path / "tal.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    renew_session()
    bpy.ops.wm.open_mainfile(filepath=file)
    bpy.ops.spade.paint_again(name=results()[0].name)
    np.testing.assert_array_equal(current_session().board.last_placed.rgb, rgb)


def remade(picture, **facts) -> None:
    """As if it had been made otherwise."""
    picture[PROVENANCE] = json.dumps(provenance_of(picture) | facts)


def test_a_picture_carries_the_terms_of_what_painted_it_and_the_panels_show_them(valley):
    picture = generated(8)
    assert provenance_of(picture)["model_terms"] == "A trivial generator, for tests."
    settings(valley).history_name = picture.name
    for panel in ("SPADE_PT_server", "SPADE_PT_history"):
        assert "A trivial generator, for tests." in " ".join(drawn(panel))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"model_digest": "f" * 64}, "The model 'landscape' that painted it is no longer here"),
        ({"upscaler": "x9 0123 float32 0.5"}, "The upscaler 'x9' that enlarged it is no longer here"),
    ],
)
def test_what_is_no_longer_here_is_said_before_and_when_it_is_painted_again(valley, facts, said):
    picture = generated(9)
    assert bpy.ops.spade.paint_again(name=picture.name) == {"FINISHED"}
    assert current_session().board.last_placed.notes == [], "all is here"
    remade(picture, **facts)
    settings(valley).history_name = picture.name
    assert said in " ".join(drawn("SPADE_PT_history"))
    bpy.ops.spade.paint_again(name=picture.name)
    (note,) = current_session().board.last_placed.notes
    assert said in note and "differs" in note
    assert "no longer here" in " ".join(drawn("SPADE_PT_backdrop"))


def test_a_model_of_another_name_is_an_error_that_names_it(valley):
    picture = generated(10)
    remade(picture, model="gone")
    settings(valley).history_name = picture.name
    assert "The model 'gone' that painted it is no longer here" in " ".join(drawn("SPADE_PT_history"))
    with pytest.raises(RuntimeError, match="no model 'gone'"):
        bpy.ops.spade.paint_again(name=picture.name)


def test_its_settings_are_taken_to_go_on_from_there(valley):
    spade = settings(valley)
    spade.style_source, spade.style_name, spade.style_strength = "NAMED", "night", 0.4
    picture = generated(7)
    spade.style_source, spade.style_strength = "SEED", 1.0
    another_scene()
    bpy.ops.spade.use_settings(name=picture.name)
    assert (spade.seed, spade.upscale, spade.own_style_seed) == (7, True, False)
    assert (spade.style_source, spade.style_name, round(spade.style_strength, 6)) == ("NAMED", "night", 0.4)
    size = current_session().board.last_placed.request.label_map.shape
    assert (spade.height, spade.width) == size and not spade.match_camera


def test_the_limit_takes_the_oldest_and_leaves_favourites_and_what_is_placed(valley, monkeypatch):
    names = [generated(seed).name for seed in (1, 2, 3)]
    bpy.ops.spade.favourite(name=names[0])
    assert FAVOURITE in bpy.data.images[names[0]]
    monkeypatch.setattr("spade_backdrops.history.records.size_of", lambda pictures: len(pictures) * 2**20)
    settings(valley).history_limit = 2
    last = generated(4).name
    assert [image.name for image in results()] == [last, names[0]]


def test_what_is_placed_is_not_removed_and_anything_else_is(valley):
    first, second = generated(1).name, generated(2).name
    with pytest.raises(RuntimeError, match="is shown somewhere"):
        bpy.ops.spade.remove_result(name=second)
    bpy.ops.spade.remove_result(name=first)
    assert [image.name for image in results()] == [second]
    with pytest.raises(RuntimeError, match="no picture"):
        bpy.ops.spade.place_again(name=first)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_two_pictures_are_wiped_in_one_image(valley, share):
    first = generated(1)
    second = generated(40)
    bpy.ops.spade.compare(name=first.name, share=share)
    both, left, right = rgb_of(bpy.data.images[NAME]), rgb_of(first), rgb_of(second)
    border = round(share * left.shape[1])
    np.testing.assert_array_equal(both[:, :border], left[:, :border])
    np.testing.assert_array_equal(both[:, border + 1 :], right[:, border + 1 :])
    assert bpy.data.images[NAME] not in results() and not bpy.data.images[NAME].is_dirty


def test_pictures_of_two_sizes_are_compared_in_the_first_ones(valley):
    first = generated(1)
    settings(valley).width = 256
    second = generated(1)
    bpy.ops.spade.compare(name=second.name, other=first.name)
    assert tuple(bpy.data.images[NAME].size) == tuple(second.size)


def test_there_must_be_another_one_to_compare_with(valley):
    with pytest.raises(RuntimeError, match="no other picture"):
        bpy.ops.spade.compare(name=generated(1).name)


def test_the_panel_lists_the_newest_first_and_draws_the_chosen_one(valley):
    from spade_backdrops.ui.history_panel import newest_first

    assert "Nothing yet" in drawn("SPADE_PT_history")
    generated(1)
    generated(2)
    images = list(bpy.data.images)
    shown_ones, order = newest_first(images)
    listed = sorted(
        (place, image) for place, image, each in zip(order, images, shown_ones, strict=True) if each
    )
    assert [image for _, image in listed] == results()
    assert sum(newest_first(images, "seed 2")[0]) == 1
    settings(valley).history_index = images.index(results()[1])
    texts = drawn("SPADE_PT_history")
    assert results()[1].name in texts and "Paint Again" in texts and "2 in 0.0 MB" in texts
