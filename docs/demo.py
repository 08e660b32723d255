# SPDX-License-Identifier: Apache-2.0
"""`python build.py demo`: from a grey-box valley in real Blender to a painted backdrop placed in it.

Everything is the real thing: the add-on as it is staged, its label pass, the server in its own process, the
embedded model. Without a Blender module the label map in docs/demo_labels.png takes the scene's place.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from contact_sheet import LegendEntry, Panel, contact_sheet
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from spade_core.contract.client import Client
from spade_core.contract.errors import SpadeError, Unavailable
from spade_core.contract.labels import LabelSet, load_label_set
from spade_core.contract.messages import Progress as JobProgress

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out"
STORED_LABELS = ROOT / "docs" / "demo_labels.png"
SERVER = (sys.executable, "-m", "server")
SEED = 7
Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Painted:
    """What came out: label_map (H, W) ids, rgb (H, W, 3) uint8, and what to say of each picture."""

    label_map: np.ndarray
    label_set: LabelSet
    rgb: np.ndarray
    notes: dict[str, str]


class Steps:
    """One line a step: a spinner and the time while it runs, what came of it when it is done."""

    def __init__(self, console: Console):
        self.console = console

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Report]:
        """Hands out a function to call with (what is being done, fraction 0..1)."""
        started = time.monotonic()
        if self.console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
            with Progress(*columns, console=self.console, transient=True) as progress:
                task = progress.add_task(title, total=None)

                def report(doing: str, fraction: float) -> None:
                    progress.update(task, description=f"{title}: {doing}", total=1.0, completed=fraction)

                yield report
        else:
            self.console.print(f"  ... {title}")
            yield lambda doing, fraction: None
        self.console.print(f"  [green]done[/] {title} [dim]({time.monotonic() - started:.1f} s)[/]")


def in_blender(steps: Steps) -> Painted:
    """Build the valley, label it, generate through the add-on's own bridge, place, render, save."""
    with steps.step("Starting Blender as a module and building the grey-box valley"):
        sys.path[:0] = [str(ROOT / "build" / "stage"), str(ROOT / "docs")]
        import bpy  # before the rest: it brings bmesh and mathutils along
        import demo_scene
        from spade_backdrops.scene.example import build_example
        from spade_backdrops.scene.label_rules import auto_assign

        scene = demo_scene.empty_scene()
        build_example(scene)
        scene.spade.seed = SEED
        given = auto_assign(scene)
    with steps.step("Rendering the grey-box view"):
        demo_scene.render(scene, OUT / "greybox.png", samples=12)
    with steps.step("Rendering the label pass, starting the server and painting") as report:
        job = demo_scene.generate(SERVER, OUT / "server", report)
    label_set = load_label_set(job.request.label_set.name)
    save_labels(job.request.label_map, label_set)
    with steps.step("Rendering the view with the backdrop in place"):
        demo_scene.hide_blocks(scene)
        demo_scene.add_balloon(scene)
        demo_scene.render(scene, OUT / "view.png", samples=32)
    demo_scene.save(OUT / "valley.blend")
    demo_scene.leave()
    notes = {
        "greybox": f"the example valley in Blender {bpy.app.version_string}, Cycles",
        "labels": f"{len(given)} labels given by name; exact pass in {job.request.label_seconds:.1f} s",
        "generated": f"model {job.request.model}, seed {SEED}, painted in {job.seconds['run']:.1f} s",
        "view": "on a plane that fills the camera's frame; the balloon is 3D, the grey blocks are hidden",
    }
    assert job.rgb is not None
    return Painted(job.request.label_map, label_set, job.rgb, notes)


def from_stored_labels(steps: Steps) -> Painted:
    """The same server and model, on the label map of a valley that was rendered before."""
    label_set = load_label_set("landscape")
    label_map = np.asarray(Image.open(STORED_LABELS))
    save_labels(label_map, label_set)
    with (
        steps.step("Starting the server and painting the stored label map") as report,
        running_server() as file,
    ):
        with Client.from_connection_file(file) as client:
            started = time.monotonic()
            rgb = client.generate(
                label_map, label_set, seed=SEED, on_event=lambda event: _tell(event, report)
            )
            seconds = time.monotonic() - started
    notes = {"labels": "as the label pass rendered it from the example valley"}
    notes["generated"] = f"model landscape, seed {SEED}, {seconds:.1f} s with loading the model"
    return Painted(label_map, label_set, rgb, notes)


def _tell(event: object, report: Report) -> None:
    if isinstance(event, JobProgress):
        report(event.stage, event.fraction)


@contextlib.contextmanager
def running_server() -> Iterator[Path]:
    """A server of our own; hands out its connection file. Raises Unavailable when it does not come up."""
    file = OUT / "server" / "server.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    words = [*SERVER, "--connection-file", str(file), "--parent-pid", str(os.getpid())]
    with (file.parent / "server.log").open("wb") as log:
        server = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 90
        while not file.is_file():
            if server.poll() is not None or time.monotonic() > deadline:
                raise Unavailable("The server did not start.", f"Read {file.parent / 'server.log'}.")
            time.sleep(0.05)
        yield file
    finally:
        server.terminate()
        server.wait(10)


def save_labels(label_map: np.ndarray, label_set: LabelSet) -> None:
    """labels.png holds ids; its palette shows them in the classes' colours to people."""
    image = Image.fromarray(label_map.astype(np.uint8)).convert("P")
    image.putdata(label_map.ravel().tolist())
    palette = np.zeros((256, 3), np.uint8)
    for entry in label_set.classes:
        palette[entry.id] = entry.rgb
    image.putpalette(palette.tobytes())
    image.save(OUT / "labels.png")
    Image.fromarray(label_set.colorize(label_map)).save(OUT / "labels_color.png")


def make_sheet(painted: Painted) -> None:
    titles = {"greybox": "Grey-box scene", "labels": "Label map", "generated": "Generated", "view": "Placed"}
    files = {
        "greybox": "greybox.png",
        "labels": "labels.png",
        "generated": "generated.png",
        "view": "view.png",
    }
    panels = [Panel(OUT / files[key], titles[key], note) for key, note in painted.notes.items()]
    total = painted.label_map.size
    counts = {entry: int((painted.label_map == entry.id).sum()) for entry in painted.label_set.classes}
    legend = [
        LegendEntry(e.name, e.color, n / total) for e, n in sorted(counts.items(), key=lambda i: -i[1]) if n
    ]
    height, width = painted.rgb.shape[:2]
    footer = f"Made by `python build.py demo`. Label map and picture are {width} × {height} pixels."
    subtitle = "From a grey-box scene to a photographic backdrop, in one press"
    contact_sheet("Spade Backdrops", subtitle, panels, legend, footer).save(
        OUT / "contact_sheet.png", optimize=True
    )


def closing_words(console: Console, blender: bool) -> None:
    made = [
        ("contact_sheet.png", "everything on one page: look at this first"),
        ("labels.png", "the label map: class ids (labels_color.png is for people)"),
        ("generated.png", "the picture that was painted from it"),
    ]
    if blender:
        made += [
            ("view.png", "the scene rendered with the backdrop in place"),
            ("valley.blend", "open it in Blender 4.5 or later"),
        ]
    console.print(f"\nMade in [bold]{OUT}[/]:")
    for name, text in made:
        console.print(f"  {name:<18} [dim]{text}[/]")
    python = Path(sys.executable).parent / "spade"
    console.print("\nTry next:")
    console.print(
        f"  another picture    {_short(python)} generate out/labels.png -o out/another.png --seed 8"
    )
    console.print("  your own scene     python build.py addon, then drag the zip from dist/ into Blender")
    console.print(f"  what works here    {_short(python)} doctor")


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(ROOT))
    return str(path)


@contextlib.contextmanager
def chatter_in(log: Path) -> Iterator[Console]:
    """Blender prints to the process's own stdout; keep it in a file, and the terminal for what matters."""
    sys.stdout.flush()
    terminal = os.dup(1)
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    errors = os.dup(2)
    os.dup2(kept, 1)
    os.dup2(kept, 2)
    try:
        with os.fdopen(os.dup(terminal), "w", encoding="utf-8", errors="replace") as screen:
            yield Console(file=screen, highlight=False, soft_wrap=True)
    finally:
        sys.stdout.flush()
        os.dup2(terminal, 1)
        os.dup2(errors, 2)


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    words.add_argument("--without-blender", action="store_true", help="use the stored label map")
    blender = not words.parse_args().without_blender
    OUT.mkdir(exist_ok=True)
    log = OUT / "server" / "demo.log"
    with chatter_in(log) as console:
        try:
            if not blender:
                console.print(
                    "Without Blender, on the stored label map: no view.png and no valley.blend this time."
                )
            painted = in_blender(Steps(console)) if blender else from_stored_labels(Steps(console))
            Image.fromarray(painted.rgb).save(OUT / "generated.png")
            make_sheet(painted)
            closing_words(console, blender)
        except SpadeError as error:
            console.print(f"[red]error:[/] {error.message}\n  fix: {error.fix}")
            return 1
        except OSError as error:
            console.print(
                f"[red]error:[/] {error}\n  fix: Check that {OUT} can be written. The log is {log}."
            )
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
