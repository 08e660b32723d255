# SPDX-License-Identifier: Apache-2.0
"""`python -m examples.live_moves`: what is done to the valley's blocks, and the live picture of it beside.

    python build.py addon
    SPADE_GUI_BLENDER=blender python -m examples.live_moves

Makes docs/pictures/live_moves.gif from a Blender with a window, which shows the camera's frame once with the picture
nearly clear and once with it alone. Needs what tests/window needs, ImageMagick too.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.window import blender_window
from tests.window.blender_window import BlenderWindow, install, module
from tests.window.conftest import newest_zip, started_server

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "live_moves.gif"
WINDOW = 1000, 800
SIZE, GAP, COLORS = (400, 225), 6, 128
STEP_MS, REST_MS = 700, 2200
LIVE = f"{module('live.ending')}.current_live()"
HOUSE = """
ground = bpy.data.objects['Grass land']
for name in ('House walls', 'House roof'):
    part = bpy.data.objects[name]
    part.location.x, part.location.y = {place}
    _, point, _, _ = ground.ray_cast(({place}[0], {place}[1], 500.0), (0.0, 0.0, -1.0))
    part.location.z = point.z
"""
STYLE = "spade = bpy.context.scene.spade; spade.style_source, spade.style_name = 'NAMED', {name!r}"
ROCK = "bpy.data.objects['Rock 3'].scale = [{times}] * 3"
STEPS = (
    STYLE.format(name="clear-noon"),
    *(HOUSE.format(place=place) for place in ((-20.0, 66.0), (-16.0, 56.0), (-12.0, 48.0), (-9.0, 42.0))),
    *(ROCK.format(times=times) for times in (1.8, 2.6, 3.4)),
    "bpy.data.objects['Mountain far'].scale.z *= 1.4",
    f"{module('scene.label_rules')}.assign(bpy.context.scene, bpy.data.objects['Grass land'], 'snow')",
    STYLE.format(name="golden-hour"),
    STYLE.format(name="night"),
)


def main() -> None:
    blender_window.SECONDS_TO_ANSWER = 300.0
    blender_window.WIDTH, blender_window.HEIGHT = WINDOW
    blender = os.environ["SPADE_GUI_BLENDER"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = folder / "profile"
        profile.mkdir()
        server = started_server(profile, "")
        install(blender, profile, Path(shutil.copy(newest_zip(), folder)), next(server))
        window = BlenderWindow(blender, profile, folder)
        try:
            frames = list(_frames(window, folder))
        finally:
            window.close()
            next(server, None)
    _save(frames)


def _frames(window: BlenderWindow, folder: Path):
    left, bottom, width, height = window.region("WINDOW")
    window.click(left + 60, bottom + 60)  # beside the splash screen, to close it
    window.in_view("bpy.ops.spade.add_example()")
    window.tell(
        "space = area_of('VIEW_3D').spaces.active\n"
        "space.shading.type, space.region_3d.view_camera_zoom = 'SOLID', 29\n"
        "space.region_3d.view_camera_offset = (0.0, 0.0)\n"
        "space.overlay.show_overlays = space.show_gizmo = False\n"
        "bpy.context.preferences.system.viewport_aa = 'OFF'"
    )
    window.in_view("bpy.ops.spade.live()")
    window.until(f"{LIVE} is not None and {LIVE}.shown is not None", 300)
    for number, step in enumerate(STEPS):
        sent = window.ask(f"{LIVE}.sent")
        window.tell(step)
        window.until(f"{LIVE}.sent > {sent} and {LIVE}.shows_newest", 120)
        yield _frame(window, folder / f"{number}.png")


def _frame(window: BlenderWindow, file: Path) -> Image.Image:
    """The camera's frame, blocks and picture beside each other."""
    page = Image.new("RGB", (2 * SIZE[0] + GAP, SIZE[1]), "white")
    for place, opacity in ((0, 0.05), (SIZE[0] + GAP, 1.0)):
        window.tell(f"bpy.context.window_manager.spade_overlay.live_opacity = {opacity}")
        window.pause(2.0)
        window.screenshot(file)
        left, bottom, right, top = window.ask(_CORNERS)
        with Image.open(file) as screen:
            box = (round(left), screen.height - round(top), round(right), screen.height - round(bottom))
            seen = screen.convert("RGB").crop(box)
        page.paste(seen.resize(SIZE, Image.Resampling.LANCZOS), (place, 0))
    return page


_CORNERS = (
    "(lambda region, space: [each + shift for point, shift in zip("
    "(lambda corners: [corners[0], corners[2]])("
    f"{module('overlay.drawing')}.frame_corners(type('Context', (), dict(scene=bpy.context.scene, region=region, "
    f"region_data=space.region_3d, evaluated_depsgraph_get=bpy.context.evaluated_depsgraph_get)), "
    f"{LIVE}.shown.request)), ((region.x, region.y), (region.x, region.y))) "
    "for each, shift in zip(point, shift)])(region_of(area_of('VIEW_3D'), 'WINDOW'), area_of('VIEW_3D').spaces.active)"
)


def _save(frames: list[Image.Image]) -> None:
    sheet = Image.new("RGB", (frames[0].width, frames[0].height * len(frames)))
    for number, frame in enumerate(frames):
        sheet.paste(frame, (0, number * frame.height))
    palette = sheet.quantize(COLORS)
    first, *others = [frame.quantize(palette=palette) for frame in frames]
    times = [STEP_MS] * (len(frames) - 1) + [REST_MS]
    first.save(PICTURE, save_all=True, append_images=others, duration=times, loop=0, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    sys.exit(main())
