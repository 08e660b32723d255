# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact label pass: what class the camera sees at every pixel, from one Cycles render.

Cycles writes an object index and a material index at the centre of each pixel, exactly, whatever the lights
and shaders. The scene is copied (which shares its objects), the copy is stripped of everything that costs
time or moves edges, class ids go in as pass indices, and everything borrowed comes back on any exit.

- Instances (collections, geometry nodes, particles) carry the label of the object they are made from.
- Cut-outs follow alpha at one half; fully transparent surfaces are seen through, glass is seen.
- Past everything there is the background class; on a surface without label there is the ignore id.
- Volumes and holdouts leave no index and no depth: alone they count as background, as does what lies beyond
  the camera's clip end. Label what stands behind them, or put a thin surface in their place.
- Hidden things, this add-on's own backdrops, and what the active view layer leaves out are not seen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ..contract.errors import BadShapeError, BusyError, InternalError, NothingLabelledError
from ..contract.labels import LabelSet
from ..properties import settings
from .blocks import blocks_in_sight
from .borrow import borrowed
from .exr import read_channels
from .label_rules import scene_label_set
from .label_table import LabelTable
from .pass_indices import PassIndices
from .render_copy import aim, strip
from .view import camera_data, camera_of, frame_aspect
from .visible import COPY_MARK, active_view_layer, is_backdrop

_FAR = 1e9  # Cycles writes 1e10 where a ray leaves the scene
# How the names of the passes end, in Blender 4 and 5; they begin with the name of the view layer.
_OBJECT = (".IndexOB.X", ".Object Index.X")
_MATERIAL = (".IndexMA.X", ".Material Index.X")
_DEPTH = (".Depth.Z", ".Depth.V")
_HOW_TO_LABEL = "Press Label by Name, or select an object and choose its class."


@dataclass(frozen=True)
class LabelPass:
    """`label_map`: (H, W) ids of the scene's label set, row 0 at the top. `depth`: (H, W) float32 metres.

    `shares`: how much of the picture each id in it takes, 0..1. `unlabelled_share`: how much shows surfaces
    without a label.
    """

    label_map: np.ndarray
    depth: np.ndarray
    shares: dict[int, float]
    unlabelled_share: float


def render_label_map(
    scene: bpy.types.Scene, shape: tuple[int, int], progress: Callable[[float], None] | None = None
) -> LabelPass:
    """Render the labels the scene's camera sees: `shape` (height, width) pixels over exactly its frame.

    Takes the main thread while it renders; `progress` is told 0..1 in between. Raises NoCameraError,
    NothingLabelledError, BadLabelSetError, BadShapeError, BusyError (Blender is rendering), UnavailableError (Cycles
    is switched off).
    """
    report = progress or (lambda done: None)
    if min(shape) < 1 or max(shape) > 65536:
        raise BadShapeError(
            f"A label map of {shape[1]} x {shape[0]} pixels cannot be rendered.", "Choose a valid size."
        )
    camera_of(scene)
    label_set = scene_label_set(scene)
    table = LabelTable(scene, label_set)
    if not table:
        raise NothingLabelledError(f"Nothing in the scene '{scene.name}' has a label.", _HOW_TO_LABEL)
    if bpy.app.is_job_running("RENDER"):
        raise BusyError("Blender is rendering.", "Try again when the render has finished.")
    report(0.0)
    indices = PassIndices.by_class(table)
    with (
        tempfile.TemporaryDirectory(prefix="spade-") as folder,
        blocks_in_sight(scene),
        indices.written(),
        quiet_handlers(),
    ):
        report(0.05)
        file = Path(folder) / "labels.exr"
        _render(scene, shape, file)
        report(0.95)
        found = labels_in(file, indices, label_set, settings(scene).background_class)
    report(1.0)
    return found


def labels_in(file: Path, indices: PassIndices, label_set: LabelSet, background_class: str) -> LabelPass:
    """The labels from the index and depth passes of an EXR file. Raises NothingLabelledError and InternalError."""
    channels = read_channels(file, _OBJECT + _MATERIAL + _DEPTH)
    thing, material, depth = (channel(channels, names) for names in (_OBJECT, _MATERIAL, _DEPTH))
    for index in (thing, material):
        if (index != np.rint(index)).any():
            # What a filter has mixed would be read as other things.
            raise InternalError(
                "The render has mixed its pass indices.", "Render on the CPU, and please report this."
            )
    classes = indices.classes(material, thing)
    if (classes < 0).all():
        raise NothingLabelledError("The camera sees nothing that has a label.", _HOW_TO_LABEL)
    sky = (thing == 0) & (material == 0) & (depth > _FAR)
    label_map = indices.label_map(classes, sky, label_set, background_class)
    present, counts = np.unique(label_map, return_counts=True)
    shares = {
        int(class_id): float(count) / label_map.size for class_id, count in zip(present, counts, strict=True)
    }
    return LabelPass(label_map, depth, shares, float(np.mean((classes < 0) & ~sky)))


@contextmanager
def quiet_handlers() -> Iterator[None]:
    """No render handlers: what other add-ons do after a render (sounds, files) is not for this one."""
    names = (
        "render_init",
        "render_pre",
        "render_post",
        "render_write",
        "render_stats",
        "render_complete",
        "render_cancel",
    )
    handlers = [getattr(bpy.app.handlers, name) for name in names]
    before = [list(each) for each in handlers]
    try:
        for each in handlers:
            each.clear()
        yield
    finally:
        for each, functions in zip(handlers, before, strict=True):
            each[:] = functions


def _render(scene: bpy.types.Scene, shape: tuple[int, int], path: Path) -> None:
    """Render a stripped copy of the scene into a file."""
    camera = camera_data(camera_of(scene))
    layer = active_view_layer(scene).name
    aspect = frame_aspect(scene)
    with scene_copy(scene) as copy, ExitStack() as stack:
        strip(copy, layer)
        aim(copy, shape, aspect, path)
        # Depth of field throws rays off the pixel centres. It is the camera's, which the copy shares.
        stack.enter_context(borrowed(camera.dof, use_dof=False))
        render_still(copy)


@contextmanager
def scene_copy(scene: bpy.types.Scene) -> Iterator[bpy.types.Scene]:
    """A copy that shares the scene's objects, without this add-on's backdrops; it goes again on any exit."""
    images = set(bpy.data.images)
    copy = scene.copy()
    assert copy is not None
    copy[COPY_MARK] = True
    try:
        with ExitStack() as stack:
            for thing in bpy.data.objects:
                if is_backdrop(thing):
                    stack.enter_context(borrowed(thing, hide_render=True))
            yield copy
    finally:
        bpy.data.scenes.remove(copy)
        for image in set(bpy.data.images) - images:  # "Render Result", in a file that had none
            bpy.data.images.remove(image)


def render_still(scene: bpy.types.Scene) -> None:
    """Render a scene by its name into its file. Raises InternalError and BusyError."""
    try:
        result = bpy.ops.render.render(write_still=True, scene=scene.name)
    except RuntimeError as problem:
        raise InternalError(
            f"Blender could not render: {problem}".strip(), "Check that the scene renders."
        ) from None
    if "FINISHED" not in result:
        raise BusyError("Blender did not take the render.", "Try again when no other render is running.")


def channel(channels: dict[str, np.ndarray], endings: tuple[str, ...]) -> np.ndarray:
    """The one whose name ends so. Raises InternalError."""
    for name, values in channels.items():
        if name.endswith(endings):
            return values
    raise InternalError(
        f"The label render has no pass '{endings[-1]}'.", "Please report this with your Blender version."
    )
