# SPDX-License-Identifier: Apache-2.0
"""`python -m examples.animated_walk`: a walk through the valley as an animation.

Makes docs/pictures/animation.jpg and docs/pictures/walk.gif, and prints how long the frames took.
"""

# What add-ons hang on Scene and on operators is unknown to the stubs.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from build_steps.staging import stage_for_import

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
SERVER = (sys.executable, "-m", "spade_server")
SEED = 3
FRAMES = 48
SHOWN = (1, 16, 32, 48)
SIDE = 512
"""Of a square with as many pixels as a frame."""
WALK_M, ASIDE_M, TURN = 9.0, 2.5, math.radians(4.0)
CELL, GAP = (448, 256), 6
MOVING, EACH, COLORS, FRAME_MS = (336, 192), 2, 96, 110
"""Of the GIF: size, each which frame it has, its colours, and how long each is seen."""


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--output", type=Path, help="where walk.blend and its frames are left; else nowhere")
    output = words.parse_args().output
    stage_for_import()
    import bpy  # before the rest: it brings bmesh and mathutils along
    from spade_backdrops.animation.running import last_animation
    from spade_backdrops.example.valley import build_valley
    from spade_backdrops.scene.label_rules import auto_assign

    from . import demo_scene

    scene = demo_scene.empty_scene()
    build_valley(scene)
    auto_assign(scene)
    scene.spade.seed, scene.spade.width, scene.spade.height = SEED, SIDE, SIDE
    walk(scene)
    with tempfile.TemporaryDirectory() as folder:
        bpy.ops.wm.save_as_mainfile(filepath=str((output or Path(folder)).resolve() / "walk.blend"))
        demo_scene.open_server(SERVER, Path(folder) / "server")
        bpy.ops.spade.animate()
        made = last_animation()
        print(f"{FRAMES} frames in {made.seconds:.0f} s, {made.painted_count} of them painted", flush=True)
        frames = [Image.open(made.frames.path(f"frame_{frame:04d}")) for frame in range(1, FRAMES + 1)]
        rows = [[colored_labels(scene, frame) for frame in SHOWN], [frames[frame - 1] for frame in SHOWN]]
        sheet(rows).save(PICTURES / "animation.jpg", quality=86, optimize=True)
        gif(frames, PICTURES / "walk.gif")
        demo_scene.leave()


def walk(scene) -> None:
    """Key the camera: from its place ahead, a little aside and turning, evenly."""
    import bpy
    from spade_backdrops.scene.unkeyed import _curves

    camera = scene.camera
    scene.frame_start, scene.frame_end = 1, FRAMES
    for frame, share in ((1, 0.0), (FRAMES, 1.0)):
        camera.location.x += share * ASIDE_M
        camera.location.y += share * WALK_M
        camera.rotation_euler.z -= share * TURN
        for path in ("location", "rotation_euler"):
            camera.keyframe_insert(path, frame=frame)
    for curve in _curves(camera.animation_data):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    scene.frame_set(1)
    bpy.context.view_layer.update()


def colored_labels(scene, frame: int) -> Image.Image:
    """What the camera sees at a frame, in the colours of the classes."""
    from spade_backdrops.scene.label_pass import render_label_map
    from spade_backdrops.scene.label_rules import scene_label_set

    scene.frame_set(frame)
    colors = np.zeros((256, 3), np.uint8)
    for entry in scene_label_set(scene).classes:
        colors[entry.id] = entry.color
    return Image.fromarray(colors[render_label_map(scene, (CELL[1], CELL[0])).label_map])


def sheet(rows: list[list[Image.Image]]) -> Image.Image:
    """Pictures in rows, white between them."""
    width, height = CELL[0] + GAP, CELL[1] + GAP
    page = Image.new("RGB", (len(rows[0]) * width - GAP, len(rows) * height - GAP), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            page.paste(picture.resize(CELL, Image.Resampling.LANCZOS), (x * width, y * height))
    return page


def gif(frames: list[Image.Image], path: Path) -> None:
    """The walk, small, in few colours that all of its frames share, for ever."""
    small = [frame.resize(MOVING, Image.Resampling.LANCZOS) for frame in frames[::EACH]]
    strip = Image.new("RGB", (MOVING[0], MOVING[1] * 3))
    for place, frame in enumerate((small[0], small[len(small) // 2], small[-1])):
        strip.paste(frame, (0, place * MOVING[1]))
    palette = strip.quantize(COLORS)
    moving = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in small]
    moving[0].save(
        path, save_all=True, append_images=moving[1:], duration=FRAME_MS, loop=0, optimize=True, disposal=1
    )


if __name__ == "__main__":
    main()
