# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of training pairs rendered from one scene: photographs, label maps, and how each was taken.

images/000000.png  labels/000000.png  [instances/000000.png]  label_set.toml  index.csv  render.json

Every file appears in one piece, and a picture's row in index.csv comes last: what is stopped at any moment goes
on where it was. Picture i depends on the scene, the settings and i alone.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import bpy
import numpy as np

from ..contract.errors import BadImage, CannotWrite, NoCamera, NothingLabelled
from .daylight import Daylight
from .label_rules import scene_label_set
from .pair_pass import RenderedPair, Shot, render_pair
from .png import png
from .view import camera_of
from .wander import Wanderer

RANDOM, KEYED, PLACED = "random", "keyed", "placed"
KEPT = "kept"
ATTEMPTS = 4
COLUMNS = (
    *("name", "split", "seed", "camera", "frame", "x", "y", "z", "zoom"),
    *("sun_elevation", "sun_azimuth", "unlabelled"),
)
_PNG_END = b"IEND\xaeB`\x82"


@dataclass(frozen=True)
class PairSet:
    """What is rendered. size: (width, height) pixels; val_every: each so-manieth picture is set aside, 0 for none.

    cameras: random (around the scene's own, up to `spread` metres away, 0 for what fits the view), keyed (the scene's
    camera over its frame range) or placed (each camera of the scene in turn). lights: random or kept.
    """

    count: int
    size: tuple[int, int]
    seed: int = 0
    samples: int = 64
    cameras: str = RANDOM
    lights: str = RANDOM
    spread: float = 0.0
    instances: bool = False
    val_every: int = 10

    def render(
        self, scene: bpy.types.Scene, folder: Path, told: Callable[[int, int], None] = lambda done, of: None
    ) -> int:
        """Render what is missing in `folder`; returns how many were. `told` (done, of) before and after each picture.

        Raises what `render_pair` raises, and CannotWrite, also where the folder holds other pictures than these.
        """
        shelf = _Shelf(folder, self, scene)
        shots = _Shots(self, scene)
        rendered = 0
        for index in range(self.count):
            told(index, self.count)
            name = f"{index:06}"
            if not shelf.holds(name):
                shot, pair = self._taken(scene, shots, index, shelf.unfinished)
                shelf.put(name, pair, self._row(name, index, shot, pair))
                rendered += 1
        told(self.count, self.count)
        return rendered

    def _taken(
        self, scene: bpy.types.Scene, shots: _Shots, index: int, photo: Path
    ) -> tuple[Shot, RenderedPair]:
        """Picture `index`; another view where a drawn one shows nothing that has a label."""
        for attempt in range(ATTEMPTS):
            shot = shots.shot(index, attempt)
            try:
                return shot, render_pair(scene, shot, self.size, self.samples, photo, self.instances)
            except NothingLabelled:
                if shot.view is None or attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError

    def _row(self, name: str, index: int, shot: Shot, pair: RenderedPair) -> dict[str, str]:
        where = (shot.view.matrix if shot.view else shot.camera.matrix_world).translation
        held_back = self.val_every and index % self.val_every == self.val_every - 1
        day = {"sun_elevation": shot.day.elevation, "sun_azimuth": shot.day.azimuth} if shot.day else {}
        numbers = {
            "x": where.x,
            "y": where.y,
            "z": where.z,
            "zoom": shot.view.zoom if shot.view else 1.0,
            **day,
            "unlabelled": pair.labels.unlabelled_share,
        }
        return {
            "name": name,
            "split": "val" if held_back else "train",
            "seed": str(shot.seed),
            "camera": shot.camera.name,
            "frame": str(shot.frame),
            **{key: f"{value:.4f}" for key, value in numbers.items()},
        }


class _Shots:
    """The shot for each picture: the same for the same settings, whichever were taken before."""

    def __init__(self, wanted: PairSet, scene: bpy.types.Scene) -> None:
        self._wanted, self._scene = wanted, scene
        self._wanderer = Wanderer(scene, wanted.spread) if wanted.cameras == RANDOM else None
        self._placed = sorted(
            (thing for thing in scene.objects if thing.type == "CAMERA"), key=lambda camera: camera.name
        )
        if wanted.cameras == PLACED and not self._placed:
            raise NoCamera(f"The scene '{scene.name}' has no camera.", "Add one, or several.")

    def shot(self, index: int, attempt: int) -> Shot:
        random = np.random.default_rng((self._wanted.seed, index, attempt))
        seed = int(random.integers(2**31))
        view = self._wanderer.view(random) if self._wanderer else None
        day = Daylight.drawn(random) if self._wanted.lights == RANDOM else None
        frame = self._frame(index)
        return Shot(self._camera(index, frame), frame, view, day, seed)

    def _frame(self, index: int) -> int:
        """Spread over the frame range, both ends included."""
        scene = self._scene
        if self._wanted.cameras != KEYED:
            return scene.frame_current
        share = index / max(1, self._wanted.count - 1)
        return round(scene.frame_start + share * (scene.frame_end - scene.frame_start))

    def _camera(self, index: int, frame: int) -> bpy.types.Object:
        """The placed one whose turn it is; of keyed ones the marker's before the frame; else the scene's."""
        if self._wanted.cameras == PLACED:
            return self._placed[index % len(self._placed)]
        if self._wanted.cameras == KEYED:
            cameras = {
                marker.frame: marker.camera for marker in self._scene.timeline_markers if marker.camera
            }
            before = [at for at in cameras if at <= frame]
            if before:
                return cameras[max(before)]
        return camera_of(self._scene)


class _Shelf:
    """The folder: what is in it, and how more gets there."""

    def __init__(self, folder: Path, wanted: PairSet, scene: bpy.types.Scene) -> None:
        self._folder = folder
        self._kinds = ("images", "labels", *(("instances",) if wanted.instances else ()))
        self.unfinished = folder / "images" / ".unfinished.png"
        try:
            for kind in self._kinds:
                (folder / kind).mkdir(parents=True, exist_ok=True)
            self._claim(wanted, scene)
            self._rows = {row["name"]: row for row in self._read_index()}
        except OSError as problem:
            raise _cannot_write(folder, problem) from None

    def holds(self, name: str) -> bool:
        return name in self._rows and all(
            (self._folder / kind / f"{name}.png").exists() for kind in self._kinds
        )

    def put(self, name: str, pair: RenderedPair, row: dict[str, str]) -> None:
        """The photograph from where it was rendered, its maps, and last its row."""
        photo = self._folder / "images" / f"{name}.png"
        try:
            # Blender does not always say that a disk is full.
            if not self.unfinished.read_bytes().endswith(_PNG_END):
                raise CannotWrite(
                    f"{photo} could not be written whole.", "Free some space; the same command goes on."
                )
            self._write(self._folder / "labels" / f"{name}.png", png(pair.labels.label_map))
            if pair.instances is not None:
                # What counts is that neighbours differ: with more objects than 16 bits have, numbers come again.
                numbers = np.where(pair.instances > 0, (pair.instances - 1) % 65535 + 1, 0).astype(np.uint16)
                self._write(self._folder / "instances" / f"{name}.png", png(numbers))
            os.replace(self.unfinished, photo)
            self._rows[name] = row
            self._write(self._folder / "index.csv", self._index_text().encode())
        except OSError as problem:
            raise _cannot_write(photo, problem) from None

    def _claim(self, wanted: PairSet, scene: bpy.types.Scene) -> None:
        """Note what these pictures are, or find that the folder's are the same ones."""
        settings = {key: value for key, value in asdict(wanted).items() if key != "count"}
        if wanted.cameras == KEYED:
            settings["count"] = wanted.count  # frames are spread over it
        label_set = scene_label_set(scene)
        recipe = {
            **settings,
            "size": list(wanted.size),
            "label_set": label_set.digest,
            "scene": scene.name,
            "file": _digest_of_file(),
        }
        file = self._folder / "render.json"
        if file.exists():
            try:
                before = json.loads(file.read_text(encoding="utf-8"))
            except ValueError:
                raise BadImage(
                    f"{file} is damaged.", f"Delete {self._folder}, or choose another one."
                ) from None
            differs = sorted(key for key in {*before, *recipe} if before.get(key) != recipe.get(key))
            if differs:
                raise CannotWrite(
                    f"{self._folder} holds pictures of another {_plain(differs)}.",
                    "Choose another folder, or the settings it was begun with (render.json).",
                )
        elif any((self._folder / "images").glob("[!.]*")) or (self._folder / "index.csv").exists():
            raise CannotWrite(f"{self._folder} holds other pictures.", "Choose another folder.")
        self._write(self._folder / "label_set.toml", label_set.to_toml().encode())
        self._write(file, json.dumps(recipe, indent=1).encode())

    def _read_index(self) -> list[dict[str, str]]:
        file = self._folder / "index.csv"
        if not file.exists():
            return []
        return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))

    def _index_text(self) -> str:
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(self._rows[name] for name in sorted(self._rows))
        return text.getvalue()

    def _write(self, path: Path, content: bytes) -> None:
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_bytes(content)
            os.replace(part, path)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def _digest_of_file() -> str:
    """Of the .blend as it is on disk; nothing where the scene was never saved."""
    file = Path(bpy.data.filepath) if bpy.data.filepath else None
    return hashlib.sha256(file.read_bytes()).hexdigest() if file and file.exists() else ""


def _plain(keys: list[str]) -> str:
    words = {"file": "state of the .blend", "label_set": "label set", "val_every": "share set aside"}
    return " and ".join(words.get(key, key) for key in keys)


def _cannot_write(path: Path, problem: OSError) -> CannotWrite:
    reason = (problem.strerror or str(problem)).lower()
    return CannotWrite(f"{path} cannot be written: {reason}.", "Free some space, or choose another folder.")
