# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a file is painted in one go: a row for each camera, in each view layer, of each scene."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

import bpy
import numpy as np

from ..bridge.jobs import SceneRequest
from ..contract.errors import BadOptionError, SpadeError
from ..properties import settings
from ..scene.label_pass import check_pass
from ..scene.label_rules import scene_label_set
from ..scene.scene_file import only_here
from ..scene.view import FLAT, camera_data, label_map_shape
from ..scene.visible import COPY_MARK, active_view_layer
from ..scene_job import ready_to_paint, scene_request


class RowState(Enum):
    """Where a row is. The last four are final."""

    WAITING = "Waiting"
    TAKING = "Taking labels"
    PAINTING = "Painting"
    KEPT = "As it was"
    DONE = "Done"
    CANCELLED = "Cancelled"
    FAILED = "Failed"


@dataclass(eq=False)
class Row:
    """A picture of a batch. scene: full name; layer, camera: names; camera_full: its full name.

    lands: whether it is placed; else it is only kept, as of another view layer than the one that is looked at.
    request: without labels; None where the scene refuses. error: why it failed.
    """

    scene: str
    layer: str
    camera: str
    camera_full: str
    lands: bool
    shape: tuple[int, int] = (0, 0)
    request: SceneRequest | None = None
    state: RowState = RowState.WAITING
    error: SpadeError | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.scene, self.layer, self.camera_full

    def fail(self, problem: SpadeError) -> None:
        self.state, self.error = RowState.FAILED, problem


@dataclass(eq=False)
class BatchPlan:
    """rows: in the order in which they are painted. names: of their files, by row."""

    rows: list[Row]
    names: dict[Row, str] = field(default_factory=dict)


def rows_of(context: bpy.types.Context) -> list[Row]:
    """The rows that are chosen now: cheap enough to be shown."""
    here = context.scene
    spade = settings(here)
    scenes = [here] if spade.batch_scenes == "THIS" else [each for each in bpy.data.scenes if each.camera]
    found = []
    for scene in scenes:
        if COPY_MARK in scene:
            continue
        looked_at = active_view_layer(scene).name
        layers = [layer.name for layer in scene.view_layers if layer.use]
        if spade.batch_layers == "ACTIVE":
            layers = [looked_at]
        for layer in layers:
            for camera in _cameras(context, scene, spade.batch_cameras):
                found.append(Row(scene.name_full, layer, camera.name, camera.name_full, layer == looked_at))
    return found


def plan_batch(context: bpy.types.Context) -> BatchPlan:
    """The same with all that their pictures depend on, as it is now; a row that its scene refuses has failed already.

    Raises BadOptionError where there is no row.
    """
    rows = rows_of(context)
    if not rows:
        raise BadOptionError("There is no camera to paint.", "Select cameras, or choose All.")
    prepared: dict[str, SceneRequest | SpadeError] = {}
    for row in rows:
        scene = next(each for each in bpy.data.scenes if each.name_full == row.scene)
        row.shape = label_map_shape(scene)
        if row.scene not in prepared:
            prepared[row.scene] = _prepared(scene)
        request = prepared[row.scene]
        if isinstance(request, SpadeError):
            row.fail(request)
        else:
            row.request = request
    return BatchPlan(rows, _file_names(rows))


def _cameras(context: bpy.types.Context, scene: bpy.types.Scene, which: str) -> list[bpy.types.Object]:
    cameras = [each for each in scene.objects if each.type == "CAMERA" and camera_data(each).type in FLAT]
    if which == "ACTIVE":
        return [each for each in cameras if each == scene.camera]
    if which == "SELECTED":
        return [each for each in cameras if each.select_get(view_layer=active_view_layer(scene))]
    return sorted(cameras, key=lambda each: each.name_full)


def _prepared(scene: bpy.types.Scene) -> SceneRequest | SpadeError:
    try:
        if settings(scene).placement in ("PANORAMA", "TILE"):
            raise BadOptionError(
                f"The scene '{scene.name}' has one panorama or tile, and not one for each camera.",
                "Choose another way in its Place As.",
            )
        if (why := only_here(scene)) is not None:
            raise BadOptionError(
                f"Labels are taken by a second Blender, which would see another scene: {why}.",
                "Save painted textures, bake simulations into the file, or key what Python drives.",
            )
        shape, label_set = label_map_shape(scene), scene_label_set(scene)
        check_pass(scene, shape)
        style = ready_to_paint(scene, shape)
        none_yet = np.full(shape, label_set.ignore_id, label_set.dtype)
        return scene_request(scene, none_yet, style, time.monotonic())
    except SpadeError as problem:
        return problem


def _file_names(rows: list[Row]) -> dict[Row, str]:
    """One for each row, with a number where two would be the same."""
    seen: Counter[str] = Counter()
    names = {}
    for row in rows:
        name = "_".join(bpy.path.clean_name(part) for part in (row.scene, row.layer, row.camera_full))
        seen[name.casefold()] += 1
        count = seen[name.casefold()]
        names[row] = name if count == 1 else f"{name}_{count}"
    return names
