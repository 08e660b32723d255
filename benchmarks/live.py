# SPDX-License-Identifier: Apache-2.0
"""Live painting in a window: how long after a move its picture is on the screen, and what it costs the main thread.

    python build.py addon
    SPADE_GUI_BLENDER=blender .venv/bin/python -m benchmarks.live [--moves 30] [--minutes 10]

The example valley, the embedded model, a server on the same machine. Needs Xvfb and xdotool, and a Blender with a
window as tests/window does. Where Blender draws with a processor, drawing takes a part of the time that painting would;
so the window is small and the view not smoothed, which would draw it eight times after each change; two drawings are in
the time of a move. `live_edits` runs in that Blender.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.window import blender_window
from tests.window.blender_window import BlenderWindow, install, module
from tests.window.conftest import newest_zip, started_server

LIVE = f"{module('live.ending')}.current_live()"
EDITS = "bpy.app.driver_namespace['edits']"
SETTLED_S = 60.0
"""After which memory is what is kept, and not what is still being loaded."""
GROWN = 0.05
WINDOW = 1000, 650
DRAW = """
import time
window, area = bpy.context.window_manager.windows[0], area_of('VIEW_3D')
with bpy.context.temp_override(window=window, area=area, region=region_of(area, 'WINDOW')):
    bpy.ops.wm.redraw_timer(type='DRAW_WIN_SWAP', iterations=1)
    began = time.perf_counter()
    bpy.ops.wm.redraw_timer(type='DRAW_WIN_SWAP', iterations=5)
    answer = (time.perf_counter() - began) / 5
"""
BOUNDS = {"move to screen, s": 0.7, "main thread, ms a second": 100.0}


def main() -> int:
    """Print the tables; 1 where a bound is missed."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--moves", type=int, default=30)
    words.add_argument("--minutes", type=float, default=0.0, help="of edits of all kinds, after the moves")
    chosen = words.parse_args()
    blender_window.SECONDS_TO_ANSWER = 300.0
    blender_window.WIDTH, blender_window.HEIGHT = WINDOW
    with _valley() as window:
        window.in_view("bpy.ops.spade.live()")
        window.until(f"{LIVE} is not None and {LIVE}.shown is not None and {LIVE}.shown.is_whole", 300)
        print(f"{f'a drawing of {WINDOW[0]} x {WINDOW[1]}, s':<32}{window.tell(DRAW):8.2f}")
        is_fast = not chosen.moves or _moves(window, chosen.moves)
        return int(not (is_fast and (not chosen.minutes or _edits(window, chosen.minutes))))


def _moves(window: BlenderWindow, count: int) -> bool:
    """Move a house again and again; whether that was within the bounds."""
    _begin(window, moves=count, seconds=0.0)
    window.until(f"{EDITS}.is_done", 60.0 + 15.0 * count)
    found, missed, share = window.ask(f"[{EDITS}.found, {EDITS}.missed, {_SHARE}]")
    asked, came, seen = zip(*found, strict=True)
    print(f"{count} moves in the example valley; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    values = {"move to screen, s": statistics.median(seen), "main thread, ms a second": share}
    for name, value in values.items():
        print(f"{name:<32}{value:8.2f}{'' if value <= BOUNDS[name] else f'  over {BOUNDS[name]:g}'}")
    print(f"{'  move to request':<32}{statistics.median(asked):8.2f}")
    parts = {"  request to picture": (asked, came), "  picture to screen": (came, seen)}
    for name, (begins, ends) in parts.items():
        print(f"{name:<32}{statistics.median(b - a for a, b in zip(begins, ends, strict=True)):8.2f}")
    print(f"{'nine of ten, s':<32}{sorted(seen)[int(0.9 * (len(seen) - 1))]:8.2f}")
    print(f"{'the slowest, s':<32}{max(seen):8.2f}")
    print(f"{'never seen':<32}{len(missed):8}", flush=True)
    return not missed and all(value <= BOUNDS[name] for name, value in values.items())


def _edits(window: BlenderWindow, minutes: float) -> bool:
    """Edits of all kinds; whether the memory of Blender and of the server stayed what it was."""
    _begin(window, moves=0, seconds=60.0 * minutes)
    window.pause(SETTLED_S)
    first = _memory(window, 30.0)
    window.until(f"{EDITS}.is_done", 60.0 * minutes + 120.0)
    last = _memory(window, 30.0)
    made, missed, share = window.ask(f"[{EDITS}.made, {EDITS}.missed, {_SHARE}]")
    print(f"{made} edits in {minutes:g} minutes, {len(missed)} without a picture {sorted(set(missed)) or ''}")
    print(f"{'main thread, ms a second':<32}{share:8.2f}")
    is_flat = True
    for name, before in first.items():
        grown = last[name] / before - 1
        print(f"{f'memory of {name}, MB':<32}{before:8.0f}{last[name]:8.0f}  {grown:+.1%}")
        is_flat = is_flat and grown <= GROWN
    return is_flat


_SHARE = f"{EDITS}.spent * 1e3 / (__import__('time').monotonic() - {EDITS}.began)"


def _begin(window: BlenderWindow, moves: int, seconds: float) -> None:
    source = str(Path(__file__).with_name("live_edits.py").read_text(encoding="utf-8"))
    window.tell(
        f"names = {{'__name__': 'live_edits'}}\nexec({source!r}, names)\n"
        f"bpy.app.driver_namespace['edits'] = names['Edits']({moves}, {seconds})"
    )


def _memory(window: BlenderWindow, seconds: float) -> dict[str, float]:
    """The most that Blender and the server's processes held within some seconds, MB."""
    found: dict[str, float] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, pids in (("Blender", [window.pid]), ("the server", _server_pids())):
            held = sum(_resident(pid) for pid in pids) / 1e6
            found[name] = max(found.get(name, 0.0), held)
        time.sleep(0.5)
    return found


def _server_pids() -> list[int]:
    """Of this process's server: the broker and what it started."""
    pids, parents = [os.getpid()], dict(_parents())
    for pid in pids:
        pids += [child for child, parent in parents.items() if parent == pid]
    return [pid for pid in pids if "server" in _words(pid)]


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue  # it has just ended


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("/", "\0").replace(".", "\0").split("\0")
    except OSError:
        return []


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


@contextmanager
def _valley() -> Iterator[BlenderWindow]:
    blender = os.environ["SPADE_GUI_BLENDER"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = folder / "profile"
        profile.mkdir()
        server = started_server(profile, "")
        install(blender, profile, Path(shutil.copy(newest_zip(), folder)), next(server))
        window = BlenderWindow(blender, profile, folder)
        try:
            window.in_view("bpy.ops.spade.add_example()")
            window.tell("area_of('VIEW_3D').spaces.active.shading.type = 'SOLID'")
            window.tell("bpy.context.preferences.system.viewport_aa = 'OFF'")
            yield window
        finally:
            window.close()
            next(server, None)


if __name__ == "__main__":
    sys.exit(main())
