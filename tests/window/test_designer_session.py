# SPDX-License-Identifier: Apache-2.0
"""One sitting of a designer, from a fresh Blender to a saved and reopened file, by real clicks."""

from __future__ import annotations

import pytest

from tests.window.blender_window import PICTURES, TAB_IN_IMAGE_EDITOR, BlenderWindow, module

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SECONDS_TO_PAINT = 240
STORED = "bpy.context.preferences.addons['bl_ext.user_default.spade_backdrops'].preferences"
SESSION = f"{module('session')}.current_session()"
SPADE = "bpy.context.scene.spade"
RESULTS = f"len({module('history.records')}.results())"
PLACED = f"{module('place.placement')}.placed_picture(bpy.context.scene, bpy.context.scene.camera)"


def test_a_designers_session(window, profile, tmp_path):
    window.open_sidebar()
    window.click(*window.find("spade.add_example"))
    window.until("bpy.context.scene.camera.name == 'Valley camera'")
    asks_for_a_server(window)
    labels_by_name(window)
    paints(window, window.find("spade.generate"))
    window.keep_picture("picture")
    shows_blocks_and_picture(window)
    first = window.ask(f"{PLACED}.name")
    picks_a_variation(window, first)
    paints_in_another_style(window)
    undo_keeps_the_history(window)
    reopened = str(tmp_path / "valley.blend")
    saves_and_reopens(window, reopened)
    paints_labels(window)
    assert any((profile / "extensions").rglob("zmq/__init__.py")), (
        "the Blender in the background leaves it alone"
    )


def asks_for_a_server(window: BlenderWindow) -> None:
    """Without one, Generate leads to Install Server; then a server by address is chosen, as in a studio."""
    window.tell(f"{STORED}.server = 'LOCAL'")
    window.click(*window.find("spade.generate"))
    window.until(f"{SESSION}.error is not None and {SESSION}.error.code == 'NOT_INSTALLED'", 60)
    window.keep_picture("no_server")
    window.click(*window.find("spade.install_server"))
    window.pause(2.0)
    window.keep_picture("install")
    window.key("Escape")
    window.tell(f"{STORED}.server = 'ADDRESS'\n{SESSION}.dismiss()")
    window.pause(1.0)


def labels_by_name(window: BlenderWindow) -> None:
    """What the example has as labels, names alone give again."""
    before = window.ask("sum('spade_label' in thing for thing in bpy.data.objects)")
    window.tell(
        "for thing in bpy.data.objects:\n    if 'spade_label' in thing: del thing['spade_label']\n"
        f"{module('scene.label_overview')}.forget()"
    )
    window.click(*window.find("spade.auto_assign"))
    window.until(f"sum('spade_label' in thing for thing in bpy.data.objects) >= {before} * 0.9")
    window.keep_picture("labelled")


def paints(window: BlenderWindow, button: tuple[int, int]) -> None:
    """Press, and wait until the whole picture is placed."""
    before = window.ask(RESULTS)
    window.click(*button)
    window.until(f"{RESULTS} > {before} and not {SESSION}.board.live", SECONDS_TO_PAINT)
    window.pause(12.0 if PICTURES else 1.0)  # shaders, drawn by a processor, and the colours of the view


def shows_blocks_and_picture(window: BlenderWindow) -> None:
    for what, hidden in (("BLOCKS", False), ("BOTH", False), ("PICTURE", True)):
        window.click(*window.find("spade.show", f"'{what}'"))
        window.until(f"{SPADE}.show == {what!r}")
        house = "bpy.data.objects['Dirt path']"
        assert window.ask(f"{house}.hide_render") == hidden
        window.keep_picture(what.lower())


def picks_a_variation(window: BlenderWindow, first: str) -> None:
    window.toggle_panel("Variations")
    window.click(*window.find("spade.vary", "TWO"))
    window.until(f"len({SESSION}.variations.pictures) == 4 and not {SESSION}.board.live", SECONDS_TO_PAINT)
    window.keep_picture("variations")
    paints(window, window.find("spade.pick_variation", "seed=1"))
    assert window.ask(f"{PLACED}.name") != first and window.ask(f"{SPADE}.seed") == 1
    window.keep_picture("picked")
    window.toggle_panel("Variations")


def paints_in_another_style(window: BlenderWindow) -> None:
    window.toggle_panel("Style")
    window.tell(f"{SPADE}.own_style_seed = True")
    window.pause(1.0)
    window.click(*window.find("spade.new_seed", "'style_seed'"))
    paints(window, window.find("spade.generate"))
    window.keep_picture("style")
    window.toggle_panel("Style")


def undo_keeps_the_history(window: BlenderWindow) -> None:
    before, shown = window.ask(RESULTS), window.ask(f"{PLACED}.name")
    left, bottom, width, height = window.region("WINDOW")
    window.move(left + width // 3, bottom + height // 4)
    window.key("ctrl+z")
    window.until(f"{PLACED} is None or {PLACED}.name != {shown!r}", 60)
    assert window.ask(RESULTS) == before, "what was painted stays in the history"
    window.toggle_panel("History")
    window.keep_picture("history")
    window.tell(f"{SPADE}.history_name = {shown!r}\narea_of('VIEW_3D').tag_redraw()")
    window.pause(2.0)
    window.click(*window.find("spade.place_again"))
    window.until(f"{PLACED} is not None and {PLACED}.name == {shown!r}", 60)
    window.toggle_panel("History")


def saves_and_reopens(window: BlenderWindow, file: str) -> None:
    before, shown = window.ask(RESULTS), window.ask(f"{PLACED}.name")
    window.tell(f"bpy.ops.wm.save_as_mainfile(filepath={file!r})")
    window.tell(f"bpy.app.timers.register(lambda: bpy.ops.wm.open_mainfile(filepath={file!r}) and None)")
    window.until(f"bpy.data.filepath == {file!r} and not bpy.data.is_dirty", 60)
    window.pause(3.0)
    assert window.ask(RESULTS) == before and window.ask(f"{PLACED}.name") == shown
    window.keep_picture("reopened")


def paints_labels(window: BlenderWindow) -> None:
    window.in_view("bpy.ops.spade.paint_labels()")
    window.until("getattr(bpy.context.tool_settings.image_paint.brush, 'name', '') == 'Label Brush'", 60)
    window.pause(2.0)
    window.open_tab("IMAGE_EDITOR", TAB_IN_IMAGE_EDITOR)
    left, bottom, _, height = window.region("WINDOW", "IMAGE_EDITOR")
    window.click(*window.find("spade.paint_class", "'snow'", editor="IMAGE_EDITOR"))
    middle = bottom + height // 2
    window.drag((left + 40, middle - 60), (left + 90, middle - 50), (left + 160, middle - 60))
    window.keep_picture("painting")
    paints(window, window.find("spade.generate_painted", editor="IMAGE_EDITOR"))
    window.keep_picture("painted")
