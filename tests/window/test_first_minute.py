# SPDX-License-Identifier: Apache-2.0
"""A designer's first minutes with the installed extension, in a Blender with a window and by real clicks."""

from __future__ import annotations

import pytest

from tests.window.blender_window import PICTURES, TAB_IN_IMAGE_EDITOR, BlenderWindow, module

MOST_CLICKS = 5
PLACED = "any('spade_provenance' in image for image in bpy.data.images)"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_from_a_fresh_blender_to_a_placed_picture_in_five_clicks(window):
    window.open_sidebar()  # 1: the splash screen, 2: the sidebar, 3: its tab
    window.keep_picture("fresh")
    before = {name: window.find(name) for name in ("spade.generate", "spade.new_seed", "spade.auto_assign")}
    window.click(*window.find("spade.add_example"))  # 4
    window.until("bpy.context.scene.camera.name == 'Valley camera'")
    assert window.ask("area_of('VIEW_3D').spaces.active.region_3d.view_perspective") == "CAMERA"
    assert window.ask("bpy.data.objects['Cube'].hide_get() and bpy.data.objects['Cube'].hide_render")
    window.keep_picture("example")
    window.click(*before["spade.generate"])  # 5
    window.until(PLACED, 180)
    window.until(f"{module('session')}.current_session().board.last_placed is not None", 180)
    assert window.clicks + 1 == MOST_CLICKS, "the key counts as one"
    assert window.ask("bpy.context.scene.spade.show") == "PICTURE"
    window.pause(20.0 if PICTURES else 1.0)
    window.keep_picture("picture")
    for name, at in before.items():
        assert window.is_under(name, at), "no button has moved under the mouse"


def test_the_overlay_shows_what_the_label_pass_sees(window):
    window.in_view("bpy.ops.spade.show(what='BLOCKS')")
    window.tell("area_of('VIEW_3D').spaces.active.shading.type = 'SOLID'")
    window.tell("bpy.context.window_manager.spade_overlay.is_shown = True")
    window.until(f"{module('overlay.drawing')}._live is not None")
    window.until(f"bool({module('overlay.drawing')}._live._shares)")
    agreed = window.tell(
        f"drawing, live = {module('overlay.drawing')}, {module('overlay.live')}\n"
        "seen = drawing.last_request(bpy.context.scene).label_map\n"
        "projection = live.camera_looks(bpy.context)\n"
        "shown = drawing.live_labels().ids(seen.shape[::-1], projection)\n"
        "answer = float((shown == seen).mean())"
    )
    assert agreed > 0.99
    window.pause(1.0)
    window.keep_picture("overlay")
    window.tell("bpy.context.window_manager.spade_overlay.is_shown = False")


def test_the_eyedropper_gives_the_class_of_what_is_clicked(window):
    window.in_view("bpy.ops.spade.show(what='BLOCKS')")
    window.tell("area_of('VIEW_3D').spaces.active.shading.type = 'SOLID'")
    window.tell(
        "bpy.ops.object.select_all(action='DESELECT')\n"
        "path = bpy.data.objects['Dirt path']\n"
        "bpy.context.view_layer.objects.active = path\n"
        "path.select_set(True)\n"
    )
    window.pause(1.0)
    window.click(*window.find("spade.pick_label", "OBJECT"))
    left, bottom, width, height = window.region("WINDOW")
    at = width // 2 - 60, height // 2 - 100
    expected = window.tell(
        f"live = {module('overlay.drawing')}.live_labels()\n"
        "region = region_of(area_of('VIEW_3D'), 'WINDOW')\n"
        "matrix = area_of('VIEW_3D').spaces.active.region_3d.perspective_matrix\n"
        f"found = live.ids((region.width, region.height), matrix)[region.height - 1 - {at[1]}, {at[0]}]\n"
        "answer = next(entry.name for entry in live.label_set.classes if entry.id == found)"
    )
    window.click(left + at[0], bottom + at[1])
    window.until(f"bpy.context.object['spade_label'] == {expected!r}", 60)
    window.in_view("bpy.ops.ed.undo()")


def test_labels_are_painted_by_class_and_make_a_picture(window):
    window.in_view("bpy.ops.spade.paint_labels()")
    window.until("getattr(bpy.context.tool_settings.image_paint.brush, 'name', '') == 'Label Brush'", 60)
    window.pause(2.0)
    window.open_tab("IMAGE_EDITOR", TAB_IN_IMAGE_EDITOR)
    before = shares(window)
    left, bottom, _, height = window.region("WINDOW", "IMAGE_EDITOR")
    middle = bottom + height // 2
    window.click(*window.find("spade.paint_class", "'snow'", editor="IMAGE_EDITOR"))
    window.drag((left + 40, middle - 120), (left + 90, middle - 100), (left + 160, middle - 120))
    stroked = shares(window)
    assert stroked["snow"] > before["snow"] + 0.01
    window.click(*window.find("spade.label_tool", "'LINE'", editor="IMAGE_EDITOR"))
    window.drag((left + 20, middle - 60), (left + 90, middle - 40), (left + 180, middle - 20))
    lined = shares(window)
    assert lined["snow"] > stroked["snow"] + 0.01
    window.click(*window.find("spade.label_tool", "'FILL'", editor="IMAGE_EDITOR"))
    window.click(*window.find("spade.paint_class", "'sea'", editor="IMAGE_EDITOR"))
    window.click(left + 40, middle - 120)
    window.pause(1.0)
    filled = shares(window)
    assert filled["sea"] > 0.01 and filled["snow"] < lined["snow"]
    window.keep_picture("painting")
    pictures = window.ask("sum('spade_provenance' in image for image in bpy.data.images)")
    window.click(*window.find("spade.generate_painted", editor="IMAGE_EDITOR"))
    window.until(f"sum('spade_provenance' in image for image in bpy.data.images) > {pictures}", 180)
    window.pause(20.0 if PICTURES else 1.0)
    window.keep_picture("painted")


def shares(window: BlenderWindow) -> dict[str, float]:
    """How much of the label image each class takes; every pixel has exactly the colour of one."""
    found = window.tell(
        f"image = area_of('IMAGE_EDITOR').spaces.active.image\n"
        f"label_set = {module('scene.label_rules')}.scene_label_set(bpy.context.scene)\n"
        f"read = {module('label_image.image')}.labels_on(image, label_set)\n"
        f"colours = {module('style.reference')}.rgb_of(image).reshape(-1, 3)\n"
        "known = {entry.rgb for entry in label_set.classes}\n"
        "strange = [each for each in {tuple(c) for c in colours[::7].tolist()} if each not in known]\n"
        "answer = [read.strange, strange, {entry.name: float((read.label_map == entry.id).mean()) "
        "for entry in label_set.classes}]"
    )
    assert found[0] == 0.0 and found[1] == []
    return found[2]
