# SPDX-License-Identifier: Apache-2.0
"""`python build.py demo`: from a grey-box valley in real Blender to a painted backdrop placed in it.

Everything is the real thing: the add-on as it is staged, its label pass, the server in its own process, the
embedded model. Without a Blender module the label map in examples/demo_labels.png takes the scene's place.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from build_steps.staging import stage_for_import
from spade_core.contract.client import Client
from spade_core.contract.errors import SpadeError, UnavailableError
from spade_core.contract.labels import LabelSet, load_label_set
from spade_core.contract.request import PictureRequest

from .contact_sheet import LegendEntry, Panel, contact_sheet
from .demo_terminal import Steps, chatter_in

ROOT = Path(__file__).resolve().parent.parent
STORED_LABELS = ROOT / "examples" / "demo_labels.png"
README_PICTURES = ROOT / "docs" / "pictures"
SERVER = (sys.executable, "-m", "spade_server")
SEED = 20


@dataclass(frozen=True)
class Painted:
    """What came out: label_map (H, W) ids, rgb (H, W, 3) uint8, and by file name a title and words on it."""

    label_map: np.ndarray
    label_set: LabelSet
    rgb: np.ndarray
    captions: dict[str, tuple[str, str]]


def in_blender(steps: Steps, out: Path) -> Painted:
    """Build the valley, label it, generate through the add-on's own bridge, place, render, save."""
    with steps.step("Starting Blender as a module and building the grey-box valley"):
        stage_for_import()
        import bpy  # before the rest: it brings bmesh and mathutils along
        from spade_backdrops.example.valley import build_valley
        from spade_backdrops.scene.label_rules import auto_assign

        from . import demo_scene

        scene = demo_scene.empty_scene()
        build_valley(scene)
        scene.spade.seed = SEED  # pyright: ignore[reportAttributeAccessIssue]
        given = auto_assign(scene)
    with steps.step("Rendering the grey-box view"):
        demo_scene.render(scene, out / "greybox.png", samples=12)
    with steps.step("Rendering the label pass, starting the server and painting") as report:
        demo_scene.open_server(SERVER, out / "server")
        job = demo_scene.generate(report)
    with steps.step("Rendering the view with the backdrop in place"):
        demo_scene.add_balloon(scene)
        demo_scene.render(scene, out / "view.png", samples=32)
    demo_scene.save(out / "valley.blend")
    demo_scene.leave()
    asked = job.request
    assert job.rgb is not None
    captions = {
        "greybox.png": ("Grey-box scene", f"the example valley in Blender {bpy.app.version_string}, Cycles"),
        "labels.png": (
            "Label map",
            f"{len(given)} labels given by name; exact pass in {asked.label_seconds:.1f} s",
        ),
        "generated.png": (
            "Generated",
            f"model {asked.model}, seed {SEED}, painted in {job.seconds['run']:.1f} s",
        ),
        "view.png": ("Placed", "a plane that fills the camera's frame; blocks hidden, balloon in 3D"),
    }
    return Painted(asked.label_map, load_label_set(asked.label_set.name), job.rgb, captions)


def from_stored_labels(steps: Steps, out: Path) -> Painted:
    """The same server and model, on the label map of a valley that was rendered before."""
    label_set = load_label_set("landscape")
    with Image.open(STORED_LABELS) as stored:
        label_map = label_set.check(np.asarray(stored))
    with (
        steps.step("Starting the server and painting the stored label map") as report,
        running_server(out / "server") as file,
        Client.from_connection_file(file) as client,
    ):
        started = time.monotonic()
        picture = client.generate(PictureRequest(label_map, label_set, seed=SEED), progress=report)
        seconds = time.monotonic() - started
    captions = {
        "labels.png": ("Label map", "as the label pass rendered it from the example valley"),
        "generated.png": (
            "Generated",
            f"model landscape, seed {SEED}, {seconds:.1f} s with loading the model",
        ),
    }
    return Painted(label_map, label_set, picture.rgb, captions)


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[Path]:
    """A server of our own; hands out its connection file. Raises UnavailableError when it does not come up."""
    file = folder / "server.json"
    file.unlink(missing_ok=True)
    words = [*SERVER, "--connection-file", str(file), "--parent-pid", str(os.getpid())]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 90
        while not file.is_file():
            if server.poll() is not None or time.monotonic() > deadline:
                raise UnavailableError("The server did not start.", f"Read {folder / 'server.log'}.")
            time.sleep(0.05)
        yield file
    finally:
        server.terminate()
        server.wait(10)


def save_pictures(painted: Painted, out: Path) -> None:
    """Write the label map (ids, with a palette for people; and coloured), the picture, and the sheet."""
    palette = np.zeros((256, 3), np.uint8)
    for entry in painted.label_set.classes:
        palette[entry.id] = entry.rgb
    ids = Image.fromarray(painted.label_map.astype(np.uint8))
    ids.putpalette(palette.tobytes())  # an L image becomes a P image: the values stay the ids
    ids.save(out / "labels.png")
    Image.fromarray(painted.label_set.colorize(painted.label_map)).save(out / "labels_color.png")
    Image.fromarray(painted.rgb).save(out / "generated.png")

    panels = [Panel(out / name, title, words) for name, (title, words) in painted.captions.items()]
    ids_there, counts = np.unique(painted.label_map, return_counts=True)
    shares = dict(zip(ids_there.tolist(), (counts / painted.label_map.size).tolist(), strict=True))
    shown = sorted((e for e in painted.label_set.classes if e.id in shares), key=lambda e: -shares[e.id])
    legend = [LegendEntry(entry.name, entry.color, shares[entry.id]) for entry in shown]
    height, width = painted.rgb.shape[:2]
    footer = f"Made by: python build.py demo. Label map and picture are {width} x {height} pixels."
    subtitle = "From a grey-box scene to a photographic backdrop, in one press"
    contact_sheet("Spade Backdrops", subtitle, panels, legend, footer).save(out / "contact_sheet.png")


def renew_readme_pictures(out: Path) -> None:
    README_PICTURES.mkdir(exist_ok=True)
    for name, width in (("contact_sheet", 1600), ("view", 1024)):
        with Image.open(out / f"{name}.png") as made:
            small = made.convert("RGB")
            small.thumbnail((width, 4 * width), Image.Resampling.LANCZOS)
            small.save(README_PICTURES / f"{name}.jpg", quality=88, optimize=True)


def closing_words(console: Console, blender: bool, out: Path) -> None:
    made = [
        ("contact_sheet.png", "everything on one page: look at this first"),
        ("labels.png", "the label map: class ids (labels_color.png is for people)"),
        ("generated.png", "the picture that was painted from it"),
    ]
    if blender:
        made.append(("view.png", "the scene rendered with the backdrop in place"))
        made.append(("valley.blend", "open it in Blender 4.5 or later"))
    console.print(f"\nMade in [bold]{out}[/]:")
    for name, words in made:
        console.print(f"  {name:<18} [dim]{words}[/]")
    spade = Path(sys.executable).parent / "spade"
    spade = spade.relative_to(ROOT) if ROOT in spade.parents else spade
    console.print("\nTry next:")
    console.print(f"  another picture    {spade} generate out/labels.png -o out/another.png --seed 8")
    console.print("  your own scene     python build.py addon, then drag the zip from dist/ into Blender")
    console.print(f"  what works here    {spade} doctor")


def main() -> int:
    words = argparse.ArgumentParser(prog="build.py demo", description="See examples/demo.py.")
    words.add_argument("--output", type=Path, default=ROOT / "out", help="folder for what is made")
    words.add_argument("--without-blender", action="store_true", help="use the stored label map")
    words.add_argument("--renew-readme-pictures", action="store_true")
    chosen = words.parse_args()
    out, blender = chosen.output.resolve(), not chosen.without_blender
    try:
        out.mkdir(parents=True, exist_ok=True)
        with chatter_in(out / "server" / "demo.log") as console:
            if not blender:
                console.print("On the stored label map, without Blender: no view.png and no valley.blend.")
            painted = (in_blender if blender else from_stored_labels)(Steps(console), out)
            save_pictures(painted, out)
            closing_words(console, blender, out)
        if chosen.renew_readme_pictures:
            renew_readme_pictures(out)
    except SpadeError as error:
        print(f"error: {error.message}\n  fix: {error.fix}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error}.\n  fix: Check that {out} can be written.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
