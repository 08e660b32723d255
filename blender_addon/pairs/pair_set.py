# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder of training pairs rendered from one scene: photographs, label maps, and how each was taken.

images/000000.png  labels/000000.png  [instances/000000.png]  label_set.toml  index.csv  render.json

What is stopped at any moment goes on where it was. Picture i depends on the scene, the settings and i alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import bpy
import numpy as np

from ..contract.errors import NoCameraError, NothingLabelledError
from ..scene.label_rules import scene_label_set
from ..scene.view import camera_of
from .camera_sampler import CameraSampler
from .daylight import Daylight
from .pair_folder import PairFolder
from .pair_pass import RenderedPair, Shot, render_pair

RANDOM, KEYED, PLACED = "random", "keyed", "placed"
KEPT = "kept"
ATTEMPTS = 4


@dataclass(frozen=True)
class PairSet:
    """What is rendered. shape: (height, width) pixels; val_every: every Nth picture is set aside, 0 for none.

    cameras: random (around the scene's own, up to `spread` metres away, 0 for what fits the view), keyed (the scene's
    camera over its frame range) or placed (each camera of the scene in turn). lights: random or kept.
    """

    count: int
    shape: tuple[int, int]
    seed: int = 0
    samples: int = 64
    cameras: str = RANDOM
    lights: str = RANDOM
    spread: float = 0.0
    instances: bool = False
    val_every: int = 10

    def render(
        self,
        scene: bpy.types.Scene,
        folder: Path,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> int:
        """Render what is missing in `folder`; returns how many were. `progress` (done, of) before and after each.

        Raises what `render_pair` raises, and CannotWriteError, also where the folder holds other pictures than these.
        """
        pairs = PairFolder(folder, self._recipe(scene), scene_label_set(scene), self.instances)
        shots = ShotSampler(self, scene)
        rendered = 0
        for index in range(self.count):
            progress(index, self.count)
            name = f"{index:06}"
            if not pairs.holds(name):
                shot, pair = self._render_one(scene, shots, index, pairs.unfinished)
                pairs.put(name, pair, self._row(name, index, shot, pair))
                rendered += 1
        progress(self.count, self.count)
        return rendered

    def _recipe(self, scene: bpy.types.Scene) -> dict[str, object]:
        """What the pictures depend on; the names are those of render.json in folders that were begun earlier."""
        recipe = {key: value for key, value in asdict(self).items() if key not in ("count", "shape")}
        if self.cameras == KEYED:
            recipe["count"] = self.count  # frames are spread over it
        height, width = self.shape
        digests = {"label_set": scene_label_set(scene).digest, "file": _digest_of_file()}
        return {**recipe, **digests, "size": [width, height], "scene": scene.name}

    def _render_one(
        self, scene: bpy.types.Scene, shots: ShotSampler, index: int, photo: Path
    ) -> tuple[Shot, RenderedPair]:
        """Picture `index`; another view where a sampled one shows nothing that has a label."""
        for attempt in range(ATTEMPTS):
            shot = shots.sample(index, attempt)
            try:
                return shot, render_pair(scene, shot, self.shape, self.samples, photo, self.instances)
            except NothingLabelledError:
                if shot.view is None or attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError

    def _row(self, name: str, index: int, shot: Shot, pair: RenderedPair) -> dict[str, str]:
        held_back = self.val_every and index % self.val_every == self.val_every - 1
        day = {"sun_elevation": shot.day.elevation, "sun_azimuth": shot.day.azimuth} if shot.day else {}
        numbers = {
            **asdict(pair.seen_from),
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


class ShotSampler:
    """The shot for each picture: the same for the same settings, whichever were taken before."""

    def __init__(self, wanted: PairSet, scene: bpy.types.Scene) -> None:
        self._wanted, self._scene = wanted, scene
        self._camera_sampler = CameraSampler(scene, wanted.spread) if wanted.cameras == RANDOM else None
        self._placed = sorted(
            (thing for thing in scene.objects if thing.type == "CAMERA"), key=lambda camera: camera.name
        )
        if wanted.cameras == PLACED and not self._placed:
            raise NoCameraError(f"The scene '{scene.name}' has no camera.", "Add one, or several.")

    def sample(self, index: int, attempt: int) -> Shot:
        """Shot `index` of the set; another `attempt`, another view and light."""
        random = np.random.default_rng((self._wanted.seed, index, attempt))
        seed = int(random.integers(2**31))
        view = self._camera_sampler.sample(random) if self._camera_sampler else None
        day = Daylight.sample(random) if self._wanted.lights == RANDOM else None
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


def _digest_of_file() -> str:
    """Of the .blend as it is on disk; nothing where the scene was never saved."""
    file = Path(bpy.data.filepath) if bpy.data.filepath else None
    return hashlib.sha256(file.read_bytes()).hexdigest() if file and file.exists() else ""
