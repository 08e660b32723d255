# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts in docs/addon.md for styles of classes, panoramas, tiles, engines and series do what the page says."""

from __future__ import annotations

import textwrap

import bpy
import pytest
from spade_backdrops.animation.running import last_animation
from spade_backdrops.history.records import results
from spade_backdrops.place.backdrop import picture_of
from spade_backdrops.place.panorama_world import SUN
from spade_backdrops.properties import settings
from spade_backdrops.session import current_session

from tests.addon.live.conftest import graphics
from tests.addon.serving import ROOT, command

__all__ = ["graphics"]


@pytest.fixture
def spade(yard, stored_preferences):
    stored_preferences.server, stored_preferences.server_command = "LOCAL", command()
    current_session().dismiss()
    return settings(yard)


def example(word: str) -> str:
    """The one script of the page with this word, at a size that is quick."""
    text = (ROOT / "docs" / "addon.md").read_text(encoding="utf-8")
    (found,) = [block for block in text.split("```")[1::2] if word in block]
    return found.removeprefix("python").replace("1024, 512", "96, 64").replace("512, 512", "64, 64")


def test_the_script_of_styles_by_class(spade):
    spade.width = spade.height = 64
    exec(example("add_class_style"), {})
    request = current_session().board.last_placed.request
    bpy.ops.spade.remove_class_style()
    assert not spade.class_styles
    assert [each.peak for each in request.placed_styles] == [None, 1.0] and request.softness == 0.02


def test_the_script_of_one_region_again(spade):
    spade.width = spade.height = 64
    bpy.ops.object.select_all(action="DESELECT")
    exec(textwrap.dedent(example("paint_region")), {})
    assert current_session().board.last_placed.request.seed == 8
    assert len(results()) == 3


def test_the_script_of_live_painting(graphics, spade, tmp_path):
    spade.width = spade.height = 64
    exec(example("spade.end_live()\n").replace("/path/to", str(tmp_path)), {})
    assert (tmp_path / "valley.png").exists()
    assert len(results()) == 1 and spade.picture == results()[0]
    assert not bpy.ops.spade.end_live.poll()


def test_what_is_shown_is_the_scenes_picture(spade):
    spade.width = spade.height = 64
    assert spade.picture is None
    for placement in ("BACKDROP", "BACKGROUND_IMAGE", "PROJECTION", "PANORAMA", "TILE"):
        spade.placement, spade.seed = placement, spade.seed + 1
        bpy.ops.spade.generate(wait=True)
        assert spade.picture == results()[0], placement
        assert current_session().board.last_placed.request.seed == spade.seed
    bpy.ops.spade.take_away()


def test_the_script_of_a_panorama(spade, capsys):
    own = bpy.context.scene.world = bpy.data.worlds.new("Himmel")
    exec(example("add_sun"), {})
    assert "Spade Panorama" in capsys.readouterr().out and bpy.context.scene.world == own
    assert any(SUN in each for each in bpy.context.scene.objects)


def test_the_script_of_a_tile(spade):
    for thing in bpy.context.scene.objects:
        thing.select_set(thing.name == "Rock")
    exec(example("use_tile"), {})
    assert bpy.data.objects["Rock"].active_material == spade.tile_material is not None


def test_the_script_of_an_animation(scene, stored_preferences, tmp_path):
    stored_preferences.server, stored_preferences.server_command = "LOCAL", command()
    script = example("animate(wait").replace("48, 64, 64, 3", "3, 64, 64, 3").replace("(48, 3.0)", "(3, 3.0)")
    exec(script.replace("/path/to", tmp_path.as_posix()), {})
    frames = last_animation().frames.folder
    assert frames.parent == tmp_path / "frames" and len(list(frames.glob("frame_*.png"))) == 3
    assert picture_of(bpy.context.scene, bpy.context.scene.camera).source == "SEQUENCE"


def test_the_script_of_a_batch(spade, tmp_path):
    spade.width = spade.height = 64
    exec(example("batch(wait").replace("/path/to", tmp_path.as_posix()), {})
    cameras = [each for each in bpy.context.scene.objects if each.type == "CAMERA"]
    assert len(cameras) == 4 and all(picture_of(bpy.context.scene, each) for each in cameras)
    assert len(list((tmp_path / "frames" / "batch").glob("*.png"))) == 4


def test_the_script_of_a_panorama_on_the_blocks(spade, tmp_path):
    exec(example("panorama_on_blocks").replace("/path/to", str(tmp_path)), {})
    assert (tmp_path / "around.blend").exists() and len(spade.projections) == 1


def test_the_script_of_a_panorama_and_a_tile_for_engines(spade, tmp_path):
    exec(example("export_panorama").replace("/path/to", str(tmp_path)), {})
    faces = {f"valley_{axis}.hdr" for axis in ("px", "nx", "py", "ny", "pz", "nz")}
    pictures = {f"grass_{kind}.png" for kind in ("albedo", "normal", "roughness")}
    assert {file.name for file in tmp_path.iterdir()} == faces | pictures | {"valley.hdr", "valley.exr"}
