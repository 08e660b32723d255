# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn over each 3D view: the labels, and their legend."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d

from ..bridge.jobs import SceneRequest
from ..contract.errors import SpadeError
from ..label_image.colors import colorized
from ..scene.view import FLAT, camera_data
from ..session import current_session
from .card import Texture, gpu, quad
from .legend import draw_legend
from .live import LiveLabels
from .settings import overlay_settings

_log = logging.getLogger(__name__)
_live: LiveLabels | None = None
_handles: list[Any] = []
_has_failed = False
_map: tuple[SceneRequest, Texture] | None = None


def live_labels() -> LiveLabels:
    """The labels that the views show."""
    global _live
    if _live is None:
        _live = LiveLabels()
    return _live


def last_request(scene: bpy.types.Scene) -> SceneRequest | None:
    """What the scene's last picture was, or is being, painted from."""
    session = current_session()
    board, layers = session.board, session.layers
    # What stands behind its cards is not what the camera sees.
    job = layers.placed if layers is not None else board.live_in(scene.session_uid) or board.last_placed
    return job.request if job is not None and job.request.scene_uid == scene.session_uid else None


def frame_corners(context: bpy.types.Context, request: SceneRequest) -> list[tuple[float, float]] | None:
    """Where a view shows the frame that a label map fills, from the lower left; None where it looks from elsewhere."""
    scene, view = context.scene, context.region_data
    camera = scene.camera
    if (
        camera is None
        or view is None
        or view.view_perspective != "CAMERA"
        or camera.name != request.camera_name
    ):
        return None
    if camera_data(camera).type not in FLAT:
        return None
    placed = camera.evaluated_get(context.evaluated_depsgraph_get()).matrix_world.normalized()
    corners = camera_data(camera).view_frame(scene=scene)
    points = [location_3d_to_region_2d(context.region, view, placed @ corner) for corner in corners]
    if any(point is None for point in points):
        return None
    xs, ys = [point.x for point in points], [point.y for point in points]
    return [(min(xs), min(ys)), (max(xs), min(ys)), (max(xs), max(ys)), (min(xs), max(ys))]


def _draw_colors() -> None:
    """Called by Blender for each 3D view, when its 3D part is drawn."""
    _guarded(lambda context, wanted: _draw_things(context, wanted) if wanted.source == "THINGS" else None)


def _draw_flat() -> None:
    """Called by Blender for each 3D view, when all of it is drawn."""
    _guarded(_draw_map_and_legend)


def _guarded(draw: Callable[[bpy.types.Context, Any], None]) -> None:
    """Draw where the overlay is wanted; what fails is said once and not at every redraw."""
    global _has_failed
    context = bpy.context
    wanted = overlay_settings(context)
    space = context.space_data
    if not wanted.is_shown or not isinstance(space, bpy.types.SpaceView3D) or not space.overlay.show_overlays:
        return
    try:
        draw(context, wanted)
    except SpadeError:
        pass  # The label panel says what is wrong with the label set.
    except Exception:
        if not _has_failed:
            _log.exception("the label overlay cannot be drawn")
        _has_failed = True


def _draw_things(context: bpy.types.Context, wanted: Any) -> None:
    live = live_labels()
    live.update(context)
    if live.is_there:
        live.draw(context.region_data.perspective_matrix, wanted.opacity)


def _draw_map_and_legend(context: bpy.types.Context, wanted: Any) -> None:
    live = live_labels()
    if wanted.source == "MAP":
        _draw_map(context, wanted)
    elif wanted.show_legend and live.label_set is not None:
        draw_legend(context, live.label_set, live.shares(context.scene))


def _draw_map(context: bpy.types.Context, wanted: Any) -> None:
    request = last_request(context.scene)
    if request is None:
        return
    corners = frame_corners(context, request)
    if corners is not None:
        draw_texture(_texture_of(request), corners, wanted.opacity)
    if wanted.show_legend:
        ids, counts = np.unique(request.label_map, return_counts=True)
        pairs = zip(ids.tolist(), counts.tolist(), strict=True)
        draw_legend(context, request.label_set, {i: n / request.label_map.size for i, n in pairs})


def _texture_of(request: SceneRequest) -> Texture:
    """The label map in its colours."""
    global _map
    if _map is None or _map[0] is not request:
        _map = request, texture_of(colorized(request.label_map, request.label_set))
    return _map[1]


def texture_of(rgb: np.ndarray) -> Texture:
    """(H, W, 3) uint8, its first row at the bottom as the graphics card has it."""
    height, width, _ = rgb.shape
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = rgb[::-1] / np.float32(255)
    flat = gpu.types.Buffer("FLOAT", pixels.size, pixels.ravel())
    return gpu.types.GPUTexture((width, height), format="RGBA8", data=flat)


def draw_texture(texture: Texture, corners: list[tuple[float, float]], opacity: float) -> None:
    """Over the region that is being drawn, its corners from the lower left."""
    shader = gpu.shader.from_builtin("IMAGE_COLOR")
    batch = quad(shader, pos=corners, texCoord=((0, 0), (1, 0), (1, 1), (0, 1)))
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_sampler("image", texture)
    shader.uniform_float("color", (1.0, 1.0, 1.0, opacity))
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def register() -> None:
    if not bpy.app.background:
        add = bpy.types.SpaceView3D.draw_handler_add
        _handles.append(add(_draw_colors, (), "WINDOW", "POST_VIEW"))
        _handles.append(add(_draw_flat, (), "WINDOW", "POST_PIXEL"))


def unregister() -> None:
    global _live, _map
    while _handles:
        bpy.types.SpaceView3D.draw_handler_remove(_handles.pop(), "WINDOW")
    _live = _map = None
