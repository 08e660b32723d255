# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing a style and painting in it, with a real server whose model has two named styles."""

from __future__ import annotations

import json

import bpy
import bpy.utils.previews
import numpy as np
import pytest
from spade_backdrops import timer
from spade_backdrops.bridge.connection import ConnectionState
from spade_backdrops.place.image import PROVENANCE
from spade_backdrops.properties import settings
from spade_backdrops.scene.png import png
from spade_backdrops.session import current_session
from spade_backdrops.style.settings import listed_names
from spade_backdrops.style.thumbnails import draw

from tests.addon.drawing import drawn
from tests.addon.serving import ROOT, command, until

GOLDEN, NIGHT = 30, 60
"""What the trivial model's named styles add to its colours."""


@pytest.fixture
def spade(yard, stored_preferences):
    """The settings of a labelled scene."""
    stored_preferences.server, stored_preferences.server_command = "LOCAL", command()
    current_session().dismiss()
    settings(yard).width = settings(yard).height = 64
    return settings(yard)


@pytest.fixture
def served(spade):
    """The settings, with the server's word on what styles its model has."""
    bpy.ops.spade.start_server()
    until(lambda: current_session().connection.state is ConnectionState.READY, timer.step)
    return spade


@pytest.fixture
def presets(tmp_path, monkeypatch):
    """A folder for presets that is no user's own."""

    def user_resource(kind, *, path="", create=False):
        folder = tmp_path / kind.lower() / path
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    monkeypatch.setattr(bpy.utils, "user_resource", user_resource)
    monkeypatch.setattr(
        bpy.utils, "preset_paths", lambda sub: [user_resource("SCRIPTS", path=f"presets/{sub}")]
    )
    return tmp_path / "scripts" / "presets" / "spade_backdrops" / "style"


def painted() -> np.ndarray:
    assert bpy.ops.spade.generate() == {"FINISHED"}
    return current_session().board.last_placed.rgb


def added(spade, **chosen) -> int:
    """What a style adds to the colours of the trivial model's picture."""
    bare = painted().astype(int)
    for name, value in chosen.items():
        setattr(spade, name, value)
    (difference,) = set(((painted() - bare) % 256).ravel().tolist())
    return difference


def facts() -> dict:
    pictures = [json.loads(image[PROVENANCE]) for image in bpy.data.images if PROVENANCE in image]
    return max(pictures, key=len)


def grey(shade: int, side: int = 64) -> bpy.types.Image:
    image = bpy.data.images.new(f"grey {shade}", side, side)
    image.generated_color = (shade / 255, shade / 255, shade / 255, 1)
    return image


def test_a_named_style_is_painted_whatever_its_case(spade):
    assert added(spade, style_source="NAMED", style_name="Golden-Hour") == GOLDEN
    assert facts()["style_name"] == "Golden-Hour"


def test_a_name_is_picked_from_those_that_the_server_has(served):
    assert listed_names(served, "style") == ["golden-hour", "night"]
    assert served.style_pick == "golden-hour", "the first one, until there is another"
    served.style_pick = "night"
    assert served.style_name == "night"
    assert added(served, style_source="NAMED") == NIGHT


def test_the_picture_of_an_image_is_a_style(spade):
    assert added(spade, style_source="IMAGE", style_image=grey(77)) == 77
    assert facts()["style_image"] == "grey 77"


def test_a_picture_larger_than_the_server_takes_is_scaled_down(spade, stored_preferences):
    current_session().disconnect()
    stored_preferences.server_command = command("--max-side", "128")
    assert added(spade, style_source="IMAGE", style_image=grey(50, side=500)) == 50


def test_strength_goes_from_nothing_to_twice(spade):
    spade.style_source, spade.style_image = "IMAGE", grey(60)
    whole = painted().astype(int)
    for strength, difference in ((0.0, -60), (0.5, -30), (2.0, 60)):
        spade.style_strength = strength
        assert set(((painted() - whole) % 256).ravel().tolist()) == {difference % 256}


def test_two_styles_are_mixed(spade):
    mix = {"style_source": "NAMED", "style_name": "night", "mix_styles": True, "style_mix": 0.25}
    assert added(spade, **mix, second_style_seed=20) == 50
    assert (facts()["style_mix"], facts()["second_style_seed"]) == (0.25, 20)


def test_a_seed_is_mixed_with_a_picture(spade):
    spade.seed = 8
    assert added(spade, mix_styles=True, second_style_source="IMAGE", second_style_image=grey(40)) == 24


def test_a_style_seed_is_what_it_was(spade):
    assert added(spade, own_style_seed=True, style_seed=33) == 33
    assert facts()["style_seed"] == 33


def test_without_a_picture_or_a_name_it_says_so(spade):
    spade.style_source = "IMAGE"
    with pytest.raises(RuntimeError, match="No picture is chosen"):
        bpy.ops.spade.generate()
    current_session().disconnect()
    until(lambda: current_session().is_idle, timer.step)
    spade.style_source = "NAMED"
    with pytest.raises(RuntimeError, match="No style is chosen"):
        bpy.ops.spade.generate()


def test_what_was_chosen_stays_without_a_server_and_in_the_file(spade, tmp_path):
    current_session().disconnect()
    spade.style_source, spade.style_name, spade.style_image = "NAMED", "night", grey(9)
    path = str(tmp_path / "chosen.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    kept = settings(bpy.context.scene)
    assert (kept.style_source, kept.style_name, kept.style_pick) == ("NAMED", "night", "night")
    assert kept.style_image.name == "grey 9"


def test_a_style_that_the_model_does_not_have_is_told_with_the_way_back(served):
    served.style_source, served.style_name = "NAMED", "monsoon"
    texts = drawn("SPADE_PT_backdrop")
    assert any("has no style" in text and "monsoon" in text for text in [" ".join(texts)])
    assert "Use the Seed's Style" in texts
    assert (
        listed_names(served, "style") == ["golden-hour", "night", "monsoon"]
        and served.style_pick == "monsoon"
    )
    with pytest.raises(RuntimeError, match="monsoon"):
        bpy.ops.spade.generate()
    served.mix_styles, served.second_style_source, served.second_style_name = True, "NAMED", "night"
    bpy.ops.spade.use_seed_style()
    assert (served.style_source, served.style_name) == ("SEED", "monsoon"), "the name is kept"
    assert served.second_style_source == "NAMED", "the model has this one"
    assert "Use the Seed's Style" not in drawn("SPADE_PT_backdrop")


def test_pictures_of_the_models_styles_come_by_themselves(served):
    digest = current_session().connection.model_named("landscape").digest
    until(lambda: current_session().thumbnails(digest) is not None, timer.step)
    rgb = current_session().thumbnails(digest)
    assert rgb.shape == (2, 6, 8, 3) and (rgb[0] == GOLDEN).all() and (rgb[1] == NIGHT).all()
    served.style_source = "NAMED"
    drawn("SPADE_PT_style")


def test_a_preview_shows_the_picture_upright(scene):
    previews = bpy.utils.previews.new()
    try:
        preview = previews.new("one")
        draw(preview, np.array([[[255, 0, 0]], [[0, 0, 255]]], np.uint8))
        assert list(preview.image_size) == [1, 2]
        assert np.allclose(preview.image_pixels_float, [0, 0, 1, 1, 1, 0, 0, 1]), "the bottom row comes first"
    finally:
        bpy.utils.previews.remove(previews)


def test_the_panel_shows_what_each_source_needs(served):
    assert {"Own Seed", "Strength"} & set(drawn("SPADE_PT_style"))
    served.mix_styles = True
    for source in ("SEED", "NAMED", "IMAGE"):
        served.style_source = served.second_style_source = source
        assert "Share" in drawn("SPADE_PT_style")


def test_a_model_without_named_styles_is_told_with_the_way_back(spade, stored_preferences):
    current_session().disconnect()
    stored_preferences.server_command = command("--synthesizer", "tests.server.trivial:StylelessSynthesizer")
    bpy.ops.spade.start_server()
    until(lambda: current_session().connection.state is ConnectionState.READY, timer.step)
    spade.style_source = "NAMED"
    assert "The model has none" in drawn("SPADE_PT_style")
    assert "has no named styles" in " ".join(drawn("SPADE_PT_backdrop"))
    with pytest.raises(RuntimeError, match="has no named styles"):
        bpy.ops.spade.generate()
    bpy.ops.spade.use_seed_style()
    assert spade.style_source == "SEED" and "Use the Seed's Style" not in drawn("SPADE_PT_backdrop")


def test_named_styles_before_there_is_a_server_offer_to_start_it(spade):
    current_session().disconnect()
    spade.style_source = "NAMED"
    assert "Start Server" in drawn("SPADE_PT_style")


def test_a_preset_brings_style_strength_mix_and_seed_into_another_file(spade, presets):
    picture = bpy.data.images.new("packed", 40, 40)
    picture.pixels.foreach_set(np.tile(np.float32([100 / 255, 0, 1, 1]), 1600))
    spade.style_source, spade.style_image, spade.style_strength, spade.seed = "IMAGE", picture, 0.3, 12
    spade.mix_styles, spade.style_mix, spade.second_style_source, spade.second_style_name = (
        True,
        0.7,
        "NAMED",
        "night",
    )
    assert bpy.ops.spade.add_style_preset(name="Grüner Abend") == {"FINISHED"}
    (file,) = presets.glob("*.py")
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    other = settings(bpy.context.scene)
    bpy.ops.script.execute_preset(filepath=str(file), menu_idname="SPADE_PT_style_presets")
    assert (other.style_source, other.seed, other.mix_styles, other.second_style_name) == (
        "IMAGE",
        12,
        True,
        "night",
    )
    assert (other.style_strength, other.style_mix) == (np.float32(0.3), np.float32(0.7))
    assert other.style_image.packed_file and np.allclose(other.style_image.pixels[:3], [100 / 255, 0, 1])
    assert bpy.ops.spade.add_style_preset(name=file.stem, remove_name=True) == {"FINISHED"}
    assert list(presets.iterdir()) == []


def test_the_example_in_the_docs_runs(spade, presets, tmp_path):
    text = (ROOT / "docs" / "addon.md").read_text(encoding="utf-8")
    example = next(block for block in text.split("```")[1::2] if "evening.jpg" in block)
    picture = tmp_path / "evening.png"
    picture.write_bytes(png(np.full((40, 50, 3), 100, np.uint8)))
    exec(example.removeprefix("python").replace("/path/to/evening.jpg", str(picture)), {})
    assert facts()["style_image"] == "evening.png" and facts()["second_style_name"] == "golden-hour"
    assert [file.name for file in presets.glob("*.py")] == ["Evening.py"]


def test_a_file_of_an_earlier_version_opens_as_it_was(spade, tmp_path):
    spade.own_style_seed, spade.style_seed = True, 33
    path = str(tmp_path / "old.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    old = settings(bpy.context.scene)
    assert (old.style_source, old.own_style_seed, old.style_seed) == ("SEED", True, 33)
    assert (old.style_strength, old.mix_styles) == (1.0, False)
