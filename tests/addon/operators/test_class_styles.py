# SPDX-License-Identifier: GPL-3.0-or-later
"""Classes in styles of their own, and a picture that goes over into another, with a real server."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops import timer
from spade_backdrops.bridge.connection import ConnectionState
from spade_backdrops.history.records import request_of, results
from spade_backdrops.label_set_choice import label_set_of
from spade_backdrops.properties import settings
from spade_backdrops.session import current_session
from spade_backdrops.style.wanted import wanted_style

from tests.addon.drawing import drawn
from tests.addon.operators.test_style import GOLDEN, NIGHT, facts, grey, painted, presets, served, spade
from tests.addon.serving import command, until

__all__ = ["presets", "served", "spade"]


def class_ids() -> np.ndarray:
    return current_session().board.last_placed.request.label_map


def give(spade, class_name: str, **style) -> None:
    bpy.ops.spade.add_class_style(class_name=class_name)
    item = spade.class_styles[spade.class_style_index]
    for name, value in style.items():
        setattr(item, f"style_{name}", value)


def added_by_class(spade) -> dict[str, set[int]]:
    """What the styles add to the colours of each class that is seen: the trivial model gives each pixel its style's."""
    styled = painted().astype(int)
    label_map, label_set = class_ids(), label_set_of(spade)
    plain = label_set.colorize(label_map).astype(int) + spade.seed
    names = {entry.id: entry.name for entry in label_set.classes}
    found = ((styled - plain) % 256).reshape(-1, 3)
    return {
        names[number]: set(found[label_map.ravel() == number].ravel().tolist())
        for number in np.unique(label_map)
    }


def test_each_class_is_painted_in_its_style_and_the_rest_in_the_pictures(spade):
    spade.style_source, spade.style_name, spade.natural_edges = "NAMED", "golden-hour", 0.0
    painted()
    seen = sorted({entry.name for entry in label_set_of(spade).classes if (class_ids() == entry.id).any()})
    assert len(seen) >= 3, seen
    give(spade, seen[0], name="night")
    give(spade, seen[1], source="IMAGE", image=grey(99))
    added = added_by_class(spade)
    assert added[seen[0]] == {NIGHT} and added[seen[1]] == {99}
    assert added[seen[2]] == {GOLDEN}


def test_a_result_says_all_of_it_and_is_painted_again_exactly(spade, tmp_path):
    spade.style_source, spade.style_name, spade.style_softness = "NAMED", "golden-hour", 0.125
    give(spade, "sky", source="IMAGE", image=grey(99))
    give(spade, "cloud", source="IMAGE", image=spade.class_styles[0].style_image)
    give(spade, "grass", source="SEED", seed=17)
    spade.goes_across, spade.across_style_name, spade.across_peak = True, "night", 0.25
    first = painted()
    wanted = wanted_style(bpy.context.scene)
    assert [each.classes for each in wanted.placed][:1] == [(0, 1)], "one style, two classes"
    said = facts()
    assert said["style_for_0_classes"] == "sky,cloud" and said["style_for_1_seed"] == 17
    assert (said["style_across_name"], said["style_across_peak"]) == ("night", 0.25)
    spade.class_styles.clear()
    spade.goes_across, spade.style_softness = False, 0.5
    bpy.data.images.remove(bpy.data.images["grey 99"])
    path = str(tmp_path / "kept.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    spade = settings(bpy.context.scene)
    result = next(each for each in results() if "style_for_0_classes" in str(each["spade_provenance"]))
    again = request_of(result, bpy.context.scene)
    assert again.softness == 0.125
    assert [(each.classes, each.peak) for each in again.placed_styles] == [
        (each.classes, each.peak) for each in wanted.placed
    ]
    assert np.array_equal(again.placed_styles[0].style.rgb, wanted.placed[0].style.rgb)
    assert bpy.ops.spade.paint_again(name=result.name) == {"FINISHED"}
    assert np.array_equal(current_session().board.last_placed.rgb, first)
    bpy.ops.spade.use_settings(name=result.name)
    assert [each.class_name for each in spade.class_styles] == ["sky", "cloud", "grass"]
    assert spade.class_styles[2].style_seed == 17 and spade.goes_across and spade.across_peak == 0.25
    assert spade.style_softness == 0.125
    assert np.array_equal(painted(), first)


def test_what_cannot_be_is_said_in_words_before_anything_is_painted(spade):
    give(spade, "sky", name="night")
    spade.class_styles[0].class_name = "carpet"
    with pytest.raises(RuntimeError, match="'carpet', which the label set does not have"):
        bpy.ops.spade.generate()
    spade.class_styles[0].class_name = "sky"
    give(spade, "sky", name="golden-hour")
    with pytest.raises(RuntimeError, match="'sky' has two styles"):
        bpy.ops.spade.generate()
    spade.class_styles[1].class_name, spade.class_styles[1].style_name = "grass", "twilight"
    with pytest.raises(RuntimeError, match="no style 'twilight'"):
        bpy.ops.spade.generate()
    current_session().dismiss()
    bpy.ops.spade.use_seed_style()
    assert [each.style_source for each in spade.class_styles] == ["NAMED", "SEED"]


def test_a_model_of_one_style_refuses_in_words(spade, stored_preferences):
    current_session().disconnect()
    stored_preferences.server_command = command("--synthesizer", "tests.server.trivial:StylelessSynthesizer")
    bpy.ops.spade.start_server()
    until(lambda: current_session().connection.state is ConnectionState.READY, timer.step)
    give(spade, "sky", source="SEED", seed=3)
    assert "The model paints in one style" in drawn("SPADE_PT_class_styles")
    with pytest.raises(RuntimeError, match="one style: it has no style code"):
        bpy.ops.spade.generate()


def test_the_panel_lists_classes_and_their_styles(served):
    give(served, "sky", name="night")
    served.goes_across = True
    texts = drawn("SPADE_PT_class_styles")
    for text in ("Class", "Into Another", "At", "Softness"):
        assert text in texts, texts


def test_a_preset_keeps_the_classes_and_their_pictures(spade, presets):
    give(spade, "sky", source="IMAGE", image=grey(99))
    give(spade, "grass", name="night")
    spade.goes_across, spade.across_style_name = True, "night"
    bpy.ops.spade.add_style_preset(name="Parts")
    spade.class_styles.clear()
    spade.goes_across = False
    bpy.data.images.remove(bpy.data.images["grey 99"])
    (file,) = presets.glob("*.py")
    exec(compile(file.read_text(), str(file), "exec"), {})
    assert [(each.class_name, each.style_source) for each in spade.class_styles] == [
        ("sky", "IMAGE"),
        ("grass", "NAMED"),
    ]
    assert spade.class_styles[0].style_image.size[0] == 64 and spade.goes_across
    bpy.ops.spade.add_style_preset(name="Parts", remove_name=True)
