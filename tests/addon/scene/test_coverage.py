# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last label pass saw without a label is remembered and told in a sentence."""

import pytest

bpy = pytest.importorskip("bpy")

from spade_backdrops.properties import settings  # noqa: E402
from spade_backdrops.scene.coverage import last_coverage  # noqa: E402
from spade_backdrops.scene.label_rules import assign  # noqa: E402
from spade_backdrops.scene.unlabelled import unlabelled_with_shares  # noqa: E402

from tests.addon.drawing import drawn  # noqa: E402

NO_SKY = 'name = "no sky"\nignore_id = 255\n[[classes]]\nid = 0\nname = "grass"\ncolor = "#00ff00"\n'


@pytest.fixture
def meadow(scene, view, pixels):
    made = pixels.box("Meadow", (0, 24, 64, 48), 12)
    assign(scene, made, "grass")
    return made


def test_before_the_first_pass_nothing_is_known(scene, meadow, pixels):
    shed = pixels.box("Shed", (0, 0, 64, 12))
    assert last_coverage(scene) is None and unlabelled_with_shares(scene) == [(shed, None)]


def test_too_much_without_a_label_is_a_sentence(scene, meadow, pixels, picture):
    pixels.box("Shed", (0, 0, 64, 12))
    picture.taken()
    assert last_coverage(scene).warning == (
        "25% of the picture has no label and is painted as anything: Shed 25%."
    )


def test_a_little_is_listed_and_not_warned_of(scene, meadow, pixels, picture):
    shed, far = pixels.box("Shed", (0, 0, 8, 8)), pixels.box("Behind", (0, 30, 9, 40), 40)
    picture.taken()
    assert last_coverage(scene).warning is None
    assert unlabelled_with_shares(scene) == [(shed, 64 / (64 * 48)), (far, None)]


def test_the_largest_come_first_and_the_list_follows_new_labels(scene, meadow, pixels, picture):
    sheds = [pixels.box(f"Shed {n}", (16 * n, 0, 16 * n + 2 + 2 * n, 12)) for n in range(4)]
    picture.taken()
    assert [thing for thing, _ in unlabelled_with_shares(scene)] == sheds[::-1]
    assign(scene, sheds[3], "building")
    assert [thing for thing, _ in unlabelled_with_shares(scene)] == sheds[2::-1]


def test_what_only_the_render_shows_is_listed(scene, meadow, pixels, picture):
    source = pixels.source_collection("Kept apart", (0, 0, 4, 4)).objects[0]
    pixels.geometry_nodes_instances(source, [(4, 4)]).hide_viewport = True
    picture.taken()
    assert unlabelled_with_shares(scene) == [(source, 16 / (64 * 48))]


def test_a_label_set_without_the_background_is_said_before_and_after(scene, meadow, pixels, picture):
    wanted = settings(scene)
    wanted.custom_label_set, wanted.label_set = NO_SKY, "CUSTOM"
    assert "The label set has no class 'sky'" in drawn("SPADE_PT_labels")
    picture.taken()
    assert last_coverage(scene).background == 0.5
    assert "the background 50%" in last_coverage(scene).warning
    wanted.background_class = "grass"
    assert "The label set has no class 'sky'" not in drawn("SPADE_PT_labels")
    picture.taken()
    assert last_coverage(scene).warning is None


def test_the_list_shows_shares_selects_and_labels_in_one_click(scene, meadow, pixels, picture):
    shed = pixels.box("Shed", (0, 0, 64, 12))
    source = pixels.source_collection("Kept apart", (0, 0, 4, 4)).objects[0]
    host = pixels.geometry_nodes_instances(source, [(4, 14)])
    picture.taken()
    texts = drawn("SPADE_PT_labels")
    assert {"2 without label", "26% of the last picture", "Shed", "25%", source.name, "under 1%"} <= set(
        texts
    )
    bpy.ops.spade.select_unlabelled(name="Shed")
    assert bpy.context.selected_objects == [shed]
    bpy.ops.spade.select_unlabelled(name=source.name)
    assert bpy.context.selected_objects == [host], "the source itself cannot be selected"
    bpy.ops.spade.label_thing(name=source.name, class_name="rock")
    bpy.ops.spade.label_thing(name="Shed", class_name="building")
    assert unlabelled_with_shares(scene) == []
    with pytest.raises(RuntimeError, match="no object 'Gone'"):
        bpy.ops.spade.label_thing(name="Gone", class_name="rock")
