# SPDX-License-Identifier: GPL-3.0-or-later
"""Turning a copy of the user's scene into one that renders exact passes and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from ..contract.errors import BusyError, InternalError, UnavailableError
from .borrow import set_if_known
from .view import pixel_aspect_for
from .visible import COPY_MARK

# A leaf card in front of a leaf card in front of ...: each cut-out a ray passes is one of these.
TRANSPARENT_BOUNCES = 256


@contextmanager
def scene_copy(scene: bpy.types.Scene) -> Iterator[bpy.types.Scene]:
    """A copy that shares the scene's objects and looks through its camera; it goes again on any exit."""
    images, camera = set(bpy.data.images), scene.camera
    copy = scene.copy()
    assert copy is not None
    copy[COPY_MARK] = True
    try:
        copy.timeline_markers.clear()  # Cameras are bound to them.
        yield copy
    finally:
        bpy.data.scenes.remove(copy)
        if scene.camera != camera:  # A render of any scene lets the markers of all choose.
            scene.camera = camera
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


def strip(scene: bpy.types.Scene, layer_name: str) -> None:
    """Leave one view layer, index and depth passes, one sample, and no effect that moves or blurs an edge.

    Raises UnavailableError when Cycles is switched off.
    """
    try:
        scene.render.engine = "CYCLES"
    except TypeError:
        raise UnavailableError(
            "Cycles is switched off.", "Enable the add-on 'Cycles Render Engine'."
        ) from None
    # No sky to sample: an environment picture alone can cost seconds.
    scene.world = None
    _strip_render(scene.render)
    _strip_cycles(scene)
    for layer in scene.view_layers:
        layer.use = layer.name == layer_name
    _strip_layer(scene.view_layers[layer_name])
    scene.view_layers[layer_name].name = "Labels"  # Blender 4 has no room for long names in those of passes


def aim(scene: bpy.types.Scene, shape: tuple[int, int], aspect: float, path: Path) -> None:
    """Render (height, width) pixels over a frame of `aspect` into an uncompressed float EXR file."""
    render = scene.render
    render.resolution_y, render.resolution_x = shape
    render.resolution_percentage = 100
    render.pixel_aspect_x, render.pixel_aspect_y = pixel_aspect_for(shape, aspect)
    output = render.image_settings
    set_if_known(output, media_type="MULTI_LAYER_IMAGE")  # Blender 5 asks for this first
    output.file_format = "OPEN_EXR_MULTILAYER"
    output.color_depth = "32"
    output.exr_codec = "NONE"
    render.filepath = str(path)


def _strip_render(render: bpy.types.RenderSettings) -> None:
    set_if_known(
        render,
        use_border=False,
        use_crop_to_border=False,
        use_motion_blur=False,
        use_compositing=False,
        use_sequencer=False,
        use_freestyle=False,
        use_multiview=False,
        use_persistent_data=False,
        use_stamp=False,
        use_overwrite=True,
        save_output=True,
        use_texture_cache=False,
        use_auto_generate_texture_cache=False,
    )


def _strip_cycles(scene: bpy.types.Scene) -> None:
    set_if_known(
        scene.cycles,
        device="CPU",
        samples=1,
        # Only the very first sample lies on the pixel centre.
        sample_offset=0,
        use_sample_subset=False,
        use_adaptive_sampling=False,
        use_denoising=False,
        use_guiding=False,
        time_limit=0.0,
        max_bounces=0,
        transparent_max_bounces=TRANSPARENT_BOUNCES,
        use_fast_gi=False,
        use_light_tree=False,
        # What objects glow with is read as numbers.
        sample_clamp_direct=0.0,
        film_exposure=1.0,
    )


def _strip_layer(layer: bpy.types.ViewLayer) -> None:
    for name in layer.bl_rna.properties.keys():
        if name.startswith("use_pass_"):
            set_if_known(layer, **{name: False})
    layer.use_pass_z = True
    layer.use_pass_object_index = True
    layer.use_pass_material_index = True
    layer.material_override = None
    layer.world_override = None
    layer.use_freestyle = False
    layer.use_grease_pencil = False  # strokes carry no index, and drawing them needs a GPU
    layer.samples = 0
    layer.pass_alpha_threshold = 0.5
    set_if_known(layer.cycles, denoising_store_passes=False)
