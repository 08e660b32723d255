# SPDX-License-Identifier: GPL-3.0-or-later
"""A photograph of the scene and its exact label map, of the same copy of the scene.

The labels are those that the label pass would take of the same view: what a model is trained on follows the same rules
as what it is asked to paint. What would move an edge between the two is off: depth of field, motion blur, compositing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ..contract.errors import InternalError, NothingLabelledError, UnavailableError
from ..scene.blocks import blocks_in_sight
from ..scene.borrow import borrowed, set_if_known
from ..scene.evaluated import prepared_renders
from ..scene.label_pass import (
    LabelPass,
    hide_backdrops,
    take_labels,
)
from ..scene.label_rules import scene_label_set
from ..scene.label_table import has_labels
from ..scene.render_copy import TRANSPARENT_BOUNCES, aim, render_still, scene_copy
from ..scene.unkeyed import unkeyed_edits_restored
from ..scene.view import camera_data, camera_of, frame_aspect
from ..scene.visible import active_view_layer
from .camera_sampler import View
from .daylight import Daylight, lit


@dataclass(frozen=True)
class Shot:
    """One picture to take. camera: which one; view: where it stands instead, if not where it is; day: likewise."""

    camera: bpy.types.Object
    frame: int
    view: View | None = None
    day: Daylight | None = None
    seed: int = 0
    """Of the render's own noise."""


@dataclass(frozen=True)
class SeenFrom:
    """The camera of a picture as it was in it, by which the view is found again: where it stood and how it was turned
    (a unit quaternion); lens and sensor in mm, of an orthographic one its scale in place of the lens."""

    x: float
    y: float
    z: float
    qw: float
    qx: float
    qy: float
    qz: float
    lens: float
    sensor: float
    shift_x: float
    shift_y: float

    @classmethod
    def of(cls, camera: bpy.types.Object) -> SeenFrom:
        (x, y, z), (qw, qx, qy, qz) = camera.matrix_world.translation, camera.matrix_world.to_quaternion()
        data = camera_data(camera)
        return cls(
            *(x, y, z, qw, qx, qy, qz),
            data.ortho_scale if data.type == "ORTHO" else data.lens,
            data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width,
            data.shift_x,
            data.shift_y,
        )


@dataclass(frozen=True)
class RenderedPair:
    """labels: as the label pass has them. instances: (H, W) uint16, a number for each object that is seen, or None."""

    labels: LabelPass
    instances: np.ndarray | None
    seen_from: SeenFrom


def render_pair(
    scene: bpy.types.Scene,
    shot: Shot,
    shape: tuple[int, int],
    samples: int,
    photo: Path,
    with_instances: bool = False,
) -> RenderedPair:
    """Render `shape` (height, width) pixels; the photograph goes into the PNG file `photo`, through the view transform.

    The user's scene is as it was when this returns. Raises NothingLabelledError (nothing of the scene, or nothing
    that is
    seen), NoCameraError, UnavailableError (Cycles is switched off), BusyError and InternalError.
    """
    label_set = scene_label_set(scene)
    if not has_labels(scene, label_set):
        raise NothingLabelledError(
            f"Nothing in the scene '{scene.name}' has a label.",
            "Label it in Blender, or add --label-by-name to go by the names of things.",
        )
    layer, aspect = active_view_layer(scene).name, frame_aspect(scene)
    with (
        tempfile.TemporaryDirectory(prefix="spade-") as folder,
        unkeyed_edits_restored(scene),
        _at_frame(scene, shot.frame),
        blocks_in_sight(scene),
        scene_copy(scene) as copy,
        _seen_by(copy, shot),
        lit(copy, shot.day),
    ):
        _prepare(copy, layer, samples, shot)
        aim(copy, shape, aspect, Path(folder) / "photo.exr")
        with prepared_renders(copy, hide_backdrops):
            render_still(copy)
        seen_from = SeenFrom.of(camera_of(copy))
        _save_photo(copy, photo)
        found = take_labels(scene, copy, shape, Path(folder), with_instances)
    return RenderedPair(found, found.instance_map, seen_from)


@contextmanager
def _at_frame(scene: bpy.types.Scene, frame: int) -> Iterator[None]:
    """The user's scene at a frame: what is keyed moves there only by it, not by the frame of a copy."""
    before = scene.frame_current, scene.frame_subframe
    if before == (frame, 0.0):
        yield
        return
    try:
        scene.frame_set(frame)
        yield
    finally:
        scene.frame_set(before[0], subframe=before[1])


@contextmanager
def _seen_by(copy: bpy.types.Scene, shot: Shot) -> Iterator[None]:
    """Let a copy of the scene look through the shot's camera, or one that stands elsewhere; all of it in focus."""
    if shot.view is None:
        copy.camera = shot.camera
        with borrowed(camera_data(camera_of(copy)).dof, use_dof=False):
            yield
        return
    lens = camera_data(shot.camera).copy()
    assert isinstance(lens, bpy.types.Camera)
    camera = bpy.data.objects.new("Sampled camera", lens)
    try:
        lens.animation_data_clear()
        lens.dof.use_dof = False
        lens.lens *= shot.view.zoom
        lens.ortho_scale /= shot.view.zoom
        camera.matrix_world = shot.view.matrix
        copy.collection.objects.link(camera)
        copy.camera = camera
        yield
    finally:
        copy.camera = None
        bpy.data.batch_remove([camera, lens])


def _prepare(copy: bpy.types.Scene, layer_name: str, samples: int, shot: Shot) -> None:
    """The user's look, in Cycles."""
    try:
        copy.render.engine = "CYCLES"
    except TypeError:
        raise UnavailableError(
            "Cycles is switched off.", "Enable the add-on 'Cycles Render Engine'."
        ) from None
    set_if_known(
        copy.render,
        use_border=False,
        use_motion_blur=False,
        use_compositing=False,
        use_sequencer=False,
        use_freestyle=False,
        use_multiview=False,
        use_stamp=False,
        film_transparent=False,
        use_overwrite=True,
        save_output=True,
    )
    set_if_known(
        copy.cycles,
        samples=samples,
        sample_offset=0,
        use_sample_subset=False,
        use_denoising=True,
        time_limit=0.0,
        seed=shot.seed % 2**31,
        use_animated_seed=False,
        # Past as many leaf cards as the label pass.
        transparent_max_bounces=max(copy.cycles.transparent_max_bounces, TRANSPARENT_BOUNCES),
    )
    for layer in copy.view_layers:
        layer.use = layer.name == layer_name
    copy.view_layers[layer_name].material_override = None
    copy.view_layers[layer_name].samples = 0


def _save_photo(copy: bpy.types.Scene, photo: Path) -> None:
    """The render as people see it, 8 bits."""
    output = copy.render.image_settings
    set_if_known(output, media_type="IMAGE")
    output.file_format = "PNG"
    output.color_mode, output.color_depth, output.compression = "RGB", "8", 40
    result = next(image for image in bpy.data.images if image.type == "RENDER_RESULT")
    try:
        result.save_render(str(photo), scene=copy)
    except RuntimeError as problem:
        raise InternalError(
            f"The picture could not be written: {problem}".strip(), "Is there room?"
        ) from None
