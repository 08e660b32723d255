# SPDX-License-Identifier: Apache-2.0
"""A Blender with a window, on a screen of its own, and a hand on its mouse."""

from __future__ import annotations

import itertools
import json
import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 1400, 900
SECONDS_TO_ANSWER = 300.0
"""A processor that draws EEVEE answers late."""
SECONDS_TO_SETTLE = 6.0
"""From the first drawing to the splash screen, on a busy machine without a graphics card."""
QUIET_S = 4.0
"""So long nothing is drawn where all is."""
PICTURES = os.environ.get("SPADE_GUI_PICTURES", "")
"""A folder for pictures of what was seen, by ImageMagick."""
TAB_IN_VIEW, TAB_IN_IMAGE_EDITOR = 246, 185
"""How far below the upper end of the sidebar the tab lies, after Blender's own tabs."""
PANELS = ("Style", "Variations", "History", "Place As", "Animation", "Batch")
"""Below the seed, each as a line while it is closed."""
_TO_FIRST_PANEL, _PANEL_LINE = 36, 26


def module(name: str) -> str:
    """A module of the installed extension, as Python for a question."""
    return f"__import__('sys').modules['bl_ext.user_default.spade_backdrops.{name}']"


SPADE = "bpy.context.scene.spade"
SESSION = f"{module('session')}.current_session()"
VIEW = "area_of('VIEW_3D').spaces.active"
SHADING = f"{VIEW}.shading.type"
LOOKS = f"{VIEW}.region_3d.view_perspective"
"""What questions are about, as Python."""


class Screen:
    """An X server that shows nothing to anybody."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{WIDTH}x{HEIGHT}x24"],
            pass_fds=[writing],
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as pipe:
            self.name = f":{pipe.readline().strip()}"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)


class BlenderWindow:
    """Blender as `command` starts it, with this profile. Coordinates are Blender's: from the lower left."""

    def __init__(self, command: str, profile: Path, folder: Path):
        self.clicks = 0
        self._folder = folder / "questions"
        self._folder.mkdir()
        self._numbers = itertools.count()
        self._screen = Screen()
        self._log = (folder / "blender.log").open("wb")
        words = [*shlex.split(command), "--window-geometry", "0", "0", str(WIDTH), str(HEIGHT)]
        words += ["--python", str(shutil.copy(HERE / "answering.py", folder)), "--", str(self._folder)]
        self._process = subprocess.Popen(
            words, env=self._surroundings(profile), stdout=self._log, stderr=subprocess.STDOUT
        )
        self.until("drawn[0] > 1")
        time.sleep(SECONDS_TO_SETTLE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, expression: str):
        """The value of a Python expression inside Blender; `answering` has what it can call."""
        return self.tell(f"answer = {expression}")

    def tell(self, code: str):
        """Run Python inside Blender; what it leaves in `answer`, as JSON has it."""
        question = self._folder / f"{next(self._numbers):04}.py"
        part = question.with_suffix(".part")
        part.write_text(code, encoding="utf-8")
        os.replace(part, question)
        reply, deadline = question.with_suffix(".json"), time.monotonic() + SECONDS_TO_ANSWER
        while not reply.exists():
            assert self._process.poll() is None, "Blender has ended"
            assert time.monotonic() < deadline, f"Blender does not answer {code!r}"
            time.sleep(0.02)
        found = json.loads(reply.read_text(encoding="utf-8"))
        reply.unlink()
        assert "error" not in found, found["error"]
        return found["answer"]

    def until(self, expression: str, seconds: float = 60.0) -> None:
        """Wait until it is true inside Blender."""
        deadline = time.monotonic() + seconds
        while not self.ask(expression):
            assert time.monotonic() < deadline, f"{expression} did not come in {seconds:.0f} s"
            time.sleep(0.1)

    def move(self, x: float, y: float) -> None:
        self._xdotool("mousemove", str(int(x)), str(int(HEIGHT - 1 - y)))

    def click(self, x: float, y: float) -> None:
        """Press and release the left button there, after moves as a hand makes them.

        A single jump may only end the last button's tooltip, and none at all leaves Blender without a button to press.
        """
        for aside in (4, 0):
            self.move(x - aside, y)
            self._be_seen()
        self._xdotool("click", "1")
        self.clicks += 1
        time.sleep(0.3)

    def drag(self, *points: tuple[float, float]) -> None:
        """Press at the first point, move through the others, release at the last."""
        self.move(*points[0])
        time.sleep(0.15)
        self._xdotool("mousedown", "1")
        for point in points[1:]:
            time.sleep(0.05)
            self.move(*point)
        time.sleep(0.1)
        self._xdotool("mouseup", "1")
        time.sleep(0.3)

    def key(self, name: str) -> None:
        self._xdotool("key", name)
        time.sleep(0.3)

    def region(self, kind: str, editor: str = "VIEW_3D") -> tuple[int, int, int, int]:
        """x, y, width and height of a region of the first such editor."""
        return tuple(
            self.tell(
                f"region = region_of(area_of({editor!r}), {kind!r})\n"
                "answer = [region.x, region.y, region.width, region.height]"
            )
        )

    def under(
        self, at: tuple[int, int], kind: str = "UI", editor: str = "VIEW_3D", patience_s: float = 0.15
    ) -> str:
        """What the button at a place does, as Python; "" where there is none."""
        self.move(*at)
        time.sleep(patience_s)
        return self.ask(f"hovered({editor!r}, {kind!r})")

    def is_under(self, operator: str, at: tuple[int, int], seconds: float = 15.0) -> bool:
        """Whether the button at a place is that of an operator, as soon as Blender has seen the mouse there."""
        deadline = time.monotonic() + seconds
        while operator not in self.under(at):
            if time.monotonic() > deadline:
                return False
        return True

    def find(
        self,
        operator: str,
        argument: str = "",
        kind: str = "UI",
        editor: str = "VIEW_3D",
        below: int = 10_000,
    ) -> tuple[int, int]:
        """Where the button of an operator is, by feeling the way down the region with the mouse.

        `argument`: what its call has to name besides, such as a class. `below`: from which height on; it saves time.
        """
        left, bottom, width, height = self.region(kind, editor)
        for patience_s in (0.15, 0.6):  # a machine with much to do sees the mouse late
            for y in range(min(bottom + height - 6, below), bottom, -11):
                for share in (0.17, 0.45, 0.6, 0.9):
                    at = left + int((width - 20) * share), y
                    done = self.under(at, kind, editor, patience_s)
                    if operator not in done or argument not in done:
                        continue
                    self._be_seen()  # it may be what was under the mouse before
                    done = self.under(at, kind, editor, patience_s)
                    if operator in done and argument in done:
                        return at
        raise AssertionError(f"{operator} has no button in {editor} {kind}")

    def pause(self, seconds: float) -> None:
        """Let Blender draw."""
        time.sleep(seconds)

    def until_drawn(self, seconds: float = 60.0) -> None:
        """Wait until no 3D view is drawn any more: EEVEE draws again until its shaders and samples are there, and a
        processor that draws what graphics cards draw takes its time.
        """
        before, deadline = -1, time.monotonic() + seconds
        while before != (before := self.ask("drawn[0]")) and time.monotonic() < deadline:
            time.sleep(QUIET_S)

    def in_view(self, code: str) -> None:
        """Run one line of Python inside Blender as if it came from the 3D view."""
        self.tell(
            "window, area = bpy.context.window_manager.windows[0], area_of('VIEW_3D')\n"
            "with bpy.context.temp_override(window=window, area=area, region=region_of(area, 'WINDOW')):\n"
            f"    {code}"
        )

    def open_tab(self, editor: str, below: int) -> None:
        """Click the add-on's tab in an editor's sidebar, which lies this far below the sidebar's upper end."""
        left, bottom, width, height = self.region("UI", editor)
        self.click(left + width - 11, bottom + height - below)
        self.until(f"region_of(area_of({editor!r}), 'UI').active_panel_category == 'Backdrops'", 20)

    def open_sidebar(self) -> None:
        """From a Blender that has just started to the add-on's panels."""
        left, bottom, width, height = self.region("WINDOW")
        self.click(left + 60, bottom + 60)  # beside the splash screen, to close it
        self.pause(3.0)
        self.move(left + width // 2, bottom + height // 2)
        self.key("n")
        self.until("region_of(area_of('VIEW_3D'), 'UI').width > 1", 20)
        self.pause(1.0)
        self.open_tab("VIEW_3D", TAB_IN_VIEW)

    def open_valley(self) -> None:
        """From a Blender that has just started to the example, seen through its camera."""
        self.open_sidebar()
        self.click(*self.find("spade.add_example"))
        self.until("bpy.context.scene.camera.name == 'Valley camera'")

    def select(self, name: str) -> None:
        """Select one thing alone."""
        self.tell(
            f"for thing in bpy.context.view_layer.objects: thing.select_set(thing.name == {name!r})\n"
            f"bpy.context.view_layer.objects.active = bpy.data.objects[{name!r}]"
        )

    def toggle_panel(self, title: str) -> None:
        """Click the header of one of PANELS, of which no other may be open."""
        x, y = self.find("spade.new_seed")
        self.click(x - 40, y - _TO_FIRST_PANEL - _PANEL_LINE * PANELS.index(title))
        self.pause(1.0)

    def confirm_file(self) -> str:
        """Press Return in the file browser that is open, as soon as it is drawn; the path that it offered."""
        self.until("len(bpy.context.window_manager.windows) > 1", 30)
        self.pause(2.0)
        x, y, width, height, folder, name = self.tell(
            "window = bpy.context.window_manager.windows[-1]\n"
            "files = window.screen.areas[0].spaces.active.params\n"
            "answer = [window.x, window.y, window.width, window.height, files.directory.decode(), files.filename]"
        )
        self.move(x + width // 2, min(y + height, HEIGHT) // 2 + y // 2)
        self.keep_picture(f"file_browser_{name}")
        self.key("Return")
        self.until("len(bpy.context.window_manager.windows) == 1", 30)
        return folder + name

    def keep_picture(self, name: str, at_once: bool = False) -> None:
        """Keep what is on the screen, where somebody wants to look at it; `at_once` while something is held."""
        if PICTURES:
            if at_once:
                self.pause(1.0)
            else:
                self.until_drawn()
            Path(PICTURES).mkdir(parents=True, exist_ok=True)
            self.screenshot(Path(PICTURES) / f"{name}.png")

    def screenshot(self, file: Path) -> None:
        """The screen as a PNG file, by ImageMagick."""
        surroundings = {**os.environ, "DISPLAY": self._screen.name}
        subprocess.run(["import", "-window", "root", str(file)], env=surroundings, check=True)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._screen.close()
        self._log.close()

    def _be_seen(self) -> None:
        """Wait until Blender has handled what the mouse did: questions come before the events of their turn."""
        time.sleep(0.05)
        for _ in range(2):
            self.ask("None")

    def _surroundings(self, profile: Path) -> dict[str, str]:
        return surroundings(profile) | {"DISPLAY": self._screen.name}

    def _xdotool(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], env={**os.environ, "DISPLAY": self._screen.name}, check=True)


def surroundings(profile: Path) -> dict[str, str]:
    """What a Blender without a graphics card needs to start with a profile of its own; a server, to share its keys."""
    return {
        **os.environ,
        "BLENDER_USER_RESOURCES": str(profile),
        "XDG_STATE_HOME": str(profile / "state"),  # a Blender in a chroot has another home
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }


def install(command: str, profile: Path, zip_file: Path, address: str) -> None:
    """Install the extension from its zip and name the server, as the preferences would."""
    code = (
        "import bpy, addon_utils\n"
        "addon_utils.enable('bl_pkg', default_set=True)\n"
        f"bpy.ops.extensions.package_install_files(filepath={str(zip_file)!r}, repo='user_default', "
        "enable_on_install=True)\n"
        "stored = bpy.context.preferences.addons['bl_ext.user_default.spade_backdrops'].preferences\n"
        f"stored.server, stored.server_address = 'ADDRESS', {address!r}\n"
        "bpy.ops.wm.save_userpref()\n"
    )
    words = [*shlex.split(command), "--background", "--python-exit-code", "1", "--python-expr", code]
    done = subprocess.run(words, env=surroundings(profile), capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
