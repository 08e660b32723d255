# SPDX-License-Identifier: Apache-2.0
"""How long the label overlay keeps Blender's main thread, in a window, with 20,000 objects.

    python build.py addon
    SPADE_GUI_BLENDER=blender .venv/bin/python -m benchmarks.overlay

Needs Xvfb and xdotool, and a Blender with a window as tests/window does. Blender draws with a processor where there is
no graphics card, so the time of a whole drawing is told with the overlay and without; the add-on's own share is what it
takes to take up changes, before the graphics card is asked.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.window import blender_window
from tests.window.blender_window import BlenderWindow, install
from tests.window.conftest import newest_zip

MANY = 20_000
BUILD = f"""
mesh = bpy.data.meshes.new('block')
mesh.from_pydata([(0,0,0),(1,0,0),(1,1,0),(0,1,0),(0,0,1),(1,0,1),(1,1,1),(0,1,1)], [],
                 [(0,1,2,3),(4,5,6,7),(0,1,5,4),(1,2,6,5),(2,3,7,6),(3,0,4,7)])
names = ('tree', 'rock', 'house', 'bush')
meshes = [mesh.copy() for _ in range(2000)]
for number in range({MANY}):
    thing = bpy.data.objects.new(f'{{names[number % 4]}}.{{number:05}}', meshes[number % len(meshes)])
    thing.location = (number % 150 * 2, number // 150 * 2, 0)
    bpy.context.scene.collection.objects.link(thing)
bpy.context.view_layer.update()
answer = len(bpy.data.objects)
"""
WATCH = """
import sys, time
drawing = next(each for name, each in sys.modules.items() if name.endswith('.spade_backdrops.overlay.drawing'))
if not hasattr(drawing, 'spent'):
    drawing.spent, live = [], drawing.live_labels()
    def timed(of):
        def call(*words):
            began = time.thread_time()
            try:
                return of(*words)
            finally:
                drawing.spent.append((time.thread_time() - began) * 1e3)
        return call
    live.update, live._work_on = timed(live.update), timed(live._work_on)
drawing.spent.clear()
CODE
"""
DRAW = """
window, area = bpy.context.window_manager.windows[0], area_of('VIEW_3D')
with bpy.context.temp_override(window=window, area=area, region=region_of(area, 'WINDOW')):
    began = time.perf_counter()
    bpy.ops.wm.redraw_timer(type='DRAW', iterations=5)
    answer = (time.perf_counter() - began) * 1e3 / 5
"""
SPENT = "next(each for name, each in sys.modules.items() if name.endswith('.overlay.drawing')).spent"
SECONDS = 20.0
"""After which a change has been taken up."""


def main() -> int:
    """Print the table."""
    blender_window.SECONDS_TO_ANSWER = 300.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = folder / "profile"
        profile.mkdir()
        blender = os.environ["SPADE_GUI_BLENDER"]
        install(blender, profile, Path(shutil.copy(newest_zip(), folder)), "tcp://127.0.0.1:9")
        window = BlenderWindow(blender, profile, folder)
        try:
            print(f"{window.tell(BUILD)} objects; milliseconds")
            print(f"{'':<28}{'a drawing':>11}{'of ours: longest':>18}{'together':>10}{'times':>7}")
            window.tell("bpy.ops.spade.auto_assign()")
            for title, code in (
                ("without", "bpy.context.window_manager.spade_overlay.is_shown = False"),
                ("with the overlay", "bpy.context.window_manager.spade_overlay.is_shown = True"),
                ("after one has moved", "bpy.data.objects['rock.00001'].location.z = 1"),
                ("after one was relabelled", "bpy.data.objects['rock.00001'].name = 'tree.a'"),
            ):
                window.tell(WATCH.replace("CODE", code))
                window.pause(SECONDS)
                spent = window.ask(SPENT)
                whole = window.tell("import time" + DRAW)
                print(
                    f"{title:<28}{whole:11.1f}{max(spent, default=0):18.1f}{sum(spent):10.1f}{len(spent):7}",
                    flush=True,
                )
        finally:
            window.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
