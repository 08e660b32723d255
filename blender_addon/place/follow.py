# SPDX-License-Identifier: GPL-3.0-or-later
"""Backdrops follow: whatever changes a camera's frame or the scene's colours, they are fitted anew by themselves.

Blender calls here after each of its updates, so what the fit depends on is compared first, which takes microseconds.
Renders ask once more before they begin, for scripts that change something and render at once, and at every frame, for
keyed lenses and for cameras that markers bind.
"""

from __future__ import annotations

import logging
from typing import Any

import bpy
from bpy.app.handlers import persistent

from .. import handlers
from ..scene.projected import sky_of
from ..scene.visible import COPY_MARK
from .backdrop import backdrops, fit_backdrop, has_world_fog
from .colors import colors_group, find_colors
from .layers.cards import fit_layers
from .panorama_world import match_world, panorama_of
from .projection.projections import fit_projections
from .tile_material import fit_tile

_log = logging.getLogger(__name__)
_LENS = (
    "type", "lens", "sensor_fit", "sensor_width", "sensor_height", "shift_x", "shift_y", "ortho_scale",
    "clip_start", "clip_end",
)  # fmt: skip
_RENDER = (
    "resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y", "engine",
)  # fmt: skip
_VIEW = (
    "view_transform", "exposure", "gamma", "use_white_balance", "white_balance_temperature", "white_balance_tint",
)  # fmt: skip

_fitted_for: dict[
    int, tuple[Any, ...]
] = {}  # what each scene's backdrops were last fitted for, by its session uid


@persistent
def on_update(scene: bpy.types.Scene, *_: object) -> None:
    """After an update of the scene, and before a render."""
    follow(scene, scene.camera)


@persistent
def on_render(scene: bpy.types.Scene, *_: object) -> None:
    """Before a render: with a window all is done by now, a script may have changed the view a moment ago."""
    if _shows_pictures(scene) and not any(COPY_MARK in each for each in bpy.data.scenes):
        find_colors(scene)
        _fitted_for.pop(scene.session_uid, None)
    on_update(scene)


@persistent
def on_frame(scene: bpy.types.Scene, *_: object) -> None:
    """After a change of frame: Blender switches to the camera that a marker binds only after this."""
    follow(scene, camera_at(scene) or scene.camera)


@persistent
def on_load(*_: object) -> None:
    """After loading or undo, for every scene: what was fitted may be another's."""
    _fitted_for.clear()
    for scene in bpy.data.scenes:
        on_update(scene)


def follow(scene: bpy.types.Scene, camera: bpy.types.Object | None) -> None:
    """Fit the scene's backdrops where something that they depend on has changed, and show that of `camera`."""
    if camera is None or not isinstance(camera.data, bpy.types.Camera):
        return
    if any(COPY_MARK in each for each in bpy.data.scenes):
        return  # a label pass is under way, and has hidden the backdrops that both scenes share
    # In fog the furthest thing decides, and that any update may change.
    facts = None if has_world_fog(scene) else _facts(scene, camera)
    if facts is not None and _fitted_for.get(scene.session_uid) == facts:
        return
    try:
        if not bpy.app.background and _shows_pictures(scene):
            find_colors(scene)
        fit_backdrop(scene, camera)
        fit_layers(scene, camera)
        fit_projections(scene)
        match_world(scene)
        fit_tile(scene)
    except Exception:
        _log.exception("a backdrop could not be fitted")  # once: it is not tried again before the next change
    if facts is not None:
        _fitted_for[scene.session_uid] = facts


def _shows_pictures(scene: bpy.types.Scene) -> bool:
    """Whether anything is there whose colours follow the scene's view."""
    return bool(backdrops(scene)) or len(scene.spade.projections) > 0 or panorama_of(scene) is not None


def camera_at(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The camera that a timeline marker binds at the current frame: the last one before it, else the first."""
    bound = sorted((m for m in scene.timeline_markers if m.camera), key=lambda marker: marker.frame)
    before = [marker for marker in bound if marker.frame <= scene.frame_current]
    return before[-1].camera if before else bound[0].camera if bound else None


def _facts(scene: bpy.types.Scene, camera: bpy.types.Object) -> tuple[Any, ...]:
    """All that a fit depends on."""
    lens, film = camera.data, getattr(scene, "cycles", None)
    scale = tuple(round(length, 6) for length in camera.matrix_world.to_scale())
    return (
        camera.session_uid,
        scale,
        *(getattr(lens, name) for name in _LENS),
        *(getattr(scene.render, name) for name in _RENDER),
        *(getattr(scene.view_settings, name, None) for name in _VIEW),
        scene.display_settings.display_device,
        film.film_exposure if film else 1.0,
        colors_group(scene) is not None,
        sky_of(scene) is not None,
        scene.render.film_transparent,
        scene.spade.show,
        scene.spade.bare,
        scene.spade.tile_width,
    )


_HANDLERS = {
    "depsgraph_update_post": on_update,
    "frame_change_post": on_frame,
    "render_init": on_render,
    "load_post": on_load,
    "undo_post": on_load,
    "redo_post": on_load,
}


def register() -> None:
    handlers.add(_HANDLERS)


def unregister() -> None:
    handlers.remove(_HANDLERS)
    _fitted_for.clear()
