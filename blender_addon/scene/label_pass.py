# SPDX-License-Identifier: GPL-3.0-or-later
"""The exact label pass: what class the camera sees at every pixel, from one Cycles render.

Cycles writes an object index and a material index at the centre of each pixel, exactly, whatever the lights
and shaders. The scene is copied (which shares its objects), the copy is stripped of everything that costs
time or moves edges, and class ids go as pass indices into what the render evaluates of it: the user's data-blocks
are not written.

- Instances (collections, geometry nodes, particles, faces) carry the label of the object they are made from, else
  that of the object that shows them.
- Cut-outs follow alpha at one half, what is evenly see-through is seen if it has a label, as are volumes: the whole
  rule is in `label_shaders`. Glass is seen.
- Past everything there is the background class; on a surface without label there is the ignore id.
- Holdouts count as background, as does what lies beyond the camera's clip end. Grease pencil is looked through.
- Hidden things, this add-on's own backdrops, and what the active view layer leaves out are not seen.

Which object each pixel shows is told, where a network wants to know, by the same render: see `object_numbers`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import bpy
import numpy as np

from ..bridge.layers import Layers
from ..contract.errors import BadShapeError, BusyError, InternalError, NothingLabelledError
from ..contract.labels import LabelSet
from ..properties import settings
from .blocks import blocks_in_sight
from .coverage import remember
from .evaluated import evaluated_objects, prepared_renders
from .exr import read_channels
from .label_rules import scene_label_set
from .label_sets import background_of
from .label_shaders import decide_shaders
from .label_table import LabelTable, has_labels
from .object_numbers import everything_glows, hide_what_has_materials, instance_map_of, let_objects_glow
from .other_view import AS_IT_IS, OtherView, seen_otherwise
from .panorama import farthest_beside, looking_around, with_ground
from .parts import Apart, Part, parts_in
from .pass_indices import PassIndices
from .render_copy import aim, render_still, scene_copy, strip
from .unkeyed import unkeyed_edits_kept
from .view import camera_data, camera_of, frame_aspect
from .visible import active_view_layer, is_backdrop

# How the names of the passes end, in Blender 4 and 5; they begin with the name of the view layer.
_OBJECT = (".IndexOB.X", ".Object Index.X")
_MATERIAL = (".IndexMA.X", ".Material Index.X")
_DEPTH = (".Depth.Z", ".Depth.V")
_GLOW = (".Emit.R", ".Emission.R")
FINER, FINEST = 2, 4096
"""How many pixels of `LabelPass.fine_depth` are in one of the labels, across and down, as long as it has no more than
so many a side: it takes as long to render as that many labels, and 16 bytes a pixel in memory."""
_HOW_TO_LABEL = "Press Label by Name, or select an object and choose its class."


@dataclass(frozen=True)
class LabelPass:
    """`label_map`: (H, W) ids of the scene's label set, row 0 at the top. `depth`: (H, W) float32 metres.

    `shares`: how much of the picture each id in it takes, 0..1. `unlabelled`: how much each object without a label
    takes, by its name, the largest first. `sky_share`: how much is past everything.
    `instance_map`: where it was asked for, (H, W) uint16, 0 where nothing is, else a number an object, of which there
    are `object_count`: with more than 65,535 numbers come again. `fine_depth`: where it was asked for, (2H, 2W)
    float32 metres, for a projection: at no pixel's centre less than `depth` is there. Of large pictures it is `depth`,
    all around `farthest_beside` that.
    apart: where it was asked for, (H, W) uint32, which of the `parts` a pixel shows, counted from 1; else 0.
    `layers`: of `render_layered_labels`, how what is seen is taken apart.
    """

    label_map: np.ndarray
    depth: np.ndarray
    shares: dict[int, float]
    unlabelled: dict[str, float]
    sky_share: float
    instance_map: np.ndarray | None = None
    object_count: int = 0
    fine_depth: np.ndarray | None = None
    apart: np.ndarray | None = None
    parts: tuple[Part, ...] = ()
    layers: Layers | None = None

    @property
    def unlabelled_share(self) -> float:
        """How much of the picture shows surfaces without a label, 0..1."""
        return sum(self.unlabelled.values())


def render_label_map(
    scene: bpy.types.Scene,
    shape: tuple[int, int],
    progress: Callable[[float], None] | None = None,
    with_objects: bool = False,
    with_depth: bool = False,
    view: OtherView = AS_IT_IS,
    apart: Apart | None = None,
) -> LabelPass:
    """Render the labels the scene's camera sees: `shape` (height, width) pixels over exactly its frame.

    with_objects: find out which object each pixel shows, too; the labels are the same. with_depth: `fine_depth`, too.
    view: what is hidden for it, and how wide its frame is. apart: what is told apart.
    Takes the main thread while it renders; `progress` is told 0..1 in between. Raises NoCameraError,
    NothingLabelledError, BadLabelSetError, BadShapeError, BusyError (Blender is rendering), UnavailableError (Cycles is
    switched off).
    """
    report = progress or (lambda done: None)
    check_pass(scene, shape)
    label_set = scene_label_set(scene)
    report(0.0)
    with (
        tempfile.TemporaryDirectory(prefix="spade-") as folder,
        blocks_in_sight(scene),
        unkeyed_edits_kept(scene),
    ):
        report(0.05)
        around = settings(scene).placement == "PANORAMA"
        with (
            seen_otherwise(scene, view),
            scene_copy(scene) as copy,
            looking_around(scene, copy) if around else nullcontext(),
        ):
            found = take_labels(scene, copy, shape, Path(folder), with_objects, apart)
            if with_depth:
                fine = (
                    farthest_beside(found.depth)
                    if around
                    else _fine_depth(scene, copy, found.depth, Path(folder))
                )
                found = replace(found, fine_depth=fine)
        if around:
            background = background_of(label_set, settings(scene).background_class)
            if background is not None:
                filled = with_ground(found.label_map, background.id, label_set.ignore_id)
                found = replace(found, label_map=filled)
        report(0.95)
    remember(scene, label_set, found.unlabelled, found.sky_share, found.object_count)
    report(1.0)
    return found


def check_pass(scene: bpy.types.Scene, shape: tuple[int, int]) -> None:
    """Raise what `render_label_map` would raise, as far as that can be told before anything is rendered."""
    if min(shape) < 1 or max(shape) > 65536:
        raise BadShapeError(
            f"A label map of {shape[1]} x {shape[0]} pixels cannot be rendered.", "Choose a valid size."
        )
    camera_of(scene)
    if not has_labels(scene, scene_label_set(scene)):
        raise NothingLabelledError(f"Nothing in the scene '{scene.name}' has a label.", _HOW_TO_LABEL)
    if bpy.app.is_job_running("RENDER"):
        raise BusyError("Blender is rendering.", "Try again when the render has finished.")


def take_labels(
    scene: bpy.types.Scene,
    copy: bpy.types.Scene,
    shape: tuple[int, int],
    folder: Path,
    with_objects: bool,
    apart: Apart | None = None,
) -> LabelPass:
    """The label pass of a copy of a scene, which is stripped for it. Raises NothingLabelledError and InternalError."""
    aspect, label_set = frame_aspect(scene), scene_label_set(scene)
    if settings(scene).placement == "PANORAMA":
        aspect = shape[1] / shape[0]
    background, file = settings(scene).background_class, folder / "labels.exr"
    strip(copy, active_view_layer(scene).name)
    if not with_objects and apart is None:
        indices = _render(scene, copy, shape, aspect, file, PassIndices.by_class)
        return labels_in(file, indices, label_set, background)
    by_object = partial(PassIndices.by_object, first=apart.first if apart is not None else ())
    next(layer for layer in copy.view_layers if layer.use).use_pass_emit = True
    indices = _render(scene, copy, shape, aspect, file, by_object, let_objects_glow)
    found = labels_in(file, indices, label_set, background)
    things, numbers = _numbers_in(file)
    bare = (things > 0) & (numbers == 0)
    if not with_objects and apart is not None:
        bare &= indices.are_of(things, apart.copies)
    if bare.any():
        with everything_glows(copy):
            file = folder / "bare.exr"
            _render(scene, copy, shape, aspect, file, by_object, hide_what_has_materials)
        in_front, theirs = _numbers_in(file)
        numbers = np.where(bare & (in_front == things), theirs, numbers)
    if with_objects:
        instances, count = instance_map_of(found.label_map, things, numbers)
        found = replace(found, instance_map=instances, object_count=count)
    if apart is not None:
        parts, names = parts_in(things, numbers, indices.names, apart)
        found = replace(found, apart=parts, parts=names)
    return found


def _fine_depth(scene: bpy.types.Scene, copy: bpy.types.Scene, depth: np.ndarray, folder: Path) -> np.ndarray:
    """(2H, 2W) metres of a copy that was stripped, (H, W) metres known.

    A pixel's centre is the corner of four finer ones, and falls into any of them: none of these may be nearer than what
    the pixel itself shows, or the projector's own view would have holes along borders.
    """
    file, aspect = folder / "depth.exr", frame_aspect(scene)
    height, width = depth.shape
    if FINER * max(height, width) > FINEST:
        return depth
    next(layer for layer in copy.view_layers if layer.use).use_pass_emit = False
    _render(scene, copy, (FINER * height, FINER * width), aspect, file, PassIndices.by_class)
    fine = channel(read_channels(file, _DEPTH), _DEPTH)
    return np.maximum(fine, depth.repeat(FINER, axis=0).repeat(FINER, axis=1))


def _numbers_in(file: Path) -> tuple[np.ndarray, np.ndarray]:
    channels = read_channels(file, _OBJECT + _GLOW)
    return channel(channels, _OBJECT), channel(channels, _GLOW)


def _render(
    scene: bpy.types.Scene,
    copy: bpy.types.Scene,
    shape: tuple[int, int],
    aspect: float,
    file: Path,
    make_indices: Callable[[LabelTable], PassIndices],
    prepare_more: Callable[[bpy.types.Depsgraph], None] = lambda graph: None,
) -> PassIndices:
    """Render a stripped copy of a scene into an EXR file of indices and depth."""
    label_set = scene_label_set(scene)
    made: list[PassIndices] = []

    def prepare(graph: bpy.types.Depsgraph) -> None:
        table = LabelTable(scene, label_set, graph)
        decide_shaders(graph, table)
        prepare_more(graph)
        made.append(make_indices(table))
        made[-1].write(graph)
        # Depth of field throws rays off the pixel centres.
        camera = camera_of(copy).evaluated_get(graph)
        camera_data(camera).dof.use_dof = False
        hide_backdrops(graph)

    aim(copy, shape, aspect, file)
    with prepared_renders(copy, prepare):
        render_still(copy)
    return made[-1]


def hide_backdrops(graph: bpy.types.Depsgraph) -> None:
    """Let a render not see what this add-on has placed."""
    for thing in evaluated_objects(graph):
        if is_backdrop(thing):
            thing.visible_camera = False


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
    sky = thing == 0
    label_map = indices.label_map(classes, sky, label_set, background_class)
    present, counts = np.unique(label_map, return_counts=True)
    shares = {
        int(class_id): float(count) / label_map.size for class_id, count in zip(present, counts, strict=True)
    }
    unlabelled = indices.unlabelled_shares(classes, thing)
    return LabelPass(label_map, depth, shares, unlabelled, float(np.mean(sky)))


def channel(channels: dict[str, np.ndarray], endings: tuple[str, ...]) -> np.ndarray:
    """The one whose name ends so. Raises InternalError."""
    for name, values in channels.items():
        if name.endswith(endings):
            return values
    raise InternalError(
        f"The label render has no pass '{endings[-1]}'.", "Please report this with your Blender version."
    )
