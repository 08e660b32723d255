# SPDX-License-Identifier: GPL-3.0-or-later
"""The live picture over the 3D views: in the camera's frame, or small in a corner where they look from elsewhere."""

from __future__ import annotations

import logging
from typing import Any

import blf
import bpy

from ..overlay.card import Texture, gpu
from ..overlay.drawing import draw_texture, frame_corners, texture_of
from ..overlay.settings import overlay_settings
from .painting import LivePainting, Shown

_INSET, _LARGEST_INSET, _GAP = 0.4, 480, 16
"""Of a view's width, and pixels before scaling."""
_FONT, _POINTS = 0, 12
_log = logging.getLogger(__name__)
_handles: list[Any] = []
_texture: tuple[Shown, Texture] | None = None
_has_failed = False


def _draw() -> None:
    """Called by Blender for each 3D view, when all of it is drawn; what fails is said once."""
    global _texture, _has_failed
    from .ending import current_live

    live, context = current_live(), bpy.context
    if live is None or context.scene is None or context.scene.session_uid != live.scene_uid:
        _texture = None
        return
    try:
        _draw_live(live, context)
    except Exception:
        if not _has_failed:
            _log.exception("the live picture cannot be drawn")
        _has_failed = True


def _draw_live(live: LivePainting, context: bpy.types.Context) -> None:
    global _texture
    shown = live.shown
    if shown is None:
        _write("Live: waiting for the first picture", _GAP, _GAP, context)
        return
    if _texture is None or _texture[0] is not shown:
        _texture = shown, texture_of(shown.rgb)
    inset = _inset_corners(context, shown)
    corners = frame_corners(context, shown.request) or inset
    opacity = 1.0 if corners is inset else overlay_settings(context).live_opacity
    draw_texture(_texture[1], corners, opacity)
    _write(words_of(live, shown), *corners[0], context)


def words_of(live: LivePainting, shown: Shown) -> str:
    """What is said of the picture."""
    words = f"Live, {shown.seconds:.1f} s"
    if not shown.is_whole and live.unseen:
        return f"{words}; when all rests, also: {', '.join(live.unseen[:3])}{' ...' if len(live.unseen) > 3 else ''}"
    return words


def _inset_corners(context: bpy.types.Context, shown: Shown) -> list[tuple[float, float]]:
    """The lower right, beside the sidebar."""
    region, scale = context.region, context.preferences.system.ui_scale or 1.0
    sidebar = 0
    if context.preferences.system.use_region_overlap and context.area is not None:
        sidebar = sum(each.width for each in context.area.regions if each.type == "UI" and each.width > 1)
    width = min(_INSET * region.width, _LARGEST_INSET * scale)
    height = width * shown.rgb.shape[0] / shown.rgb.shape[1]
    right, bottom = region.width - sidebar - _GAP * scale, _GAP * scale
    left, top = right - width, bottom + height
    return [(left, bottom), (right, bottom), (right, top), (left, top)]


def _write(words: str, x: float, y: float, context: bpy.types.Context) -> None:
    scale = context.preferences.system.ui_scale or 1.0
    blf.size(_FONT, _POINTS * scale)
    gpu.state.blend_set("ALPHA")
    for shift, color in ((1, (0.0, 0.0, 0.0, 0.9)), (0, (1.0, 1.0, 1.0, 1.0))):
        blf.color(_FONT, *color)
        blf.position(_FONT, x + 8 * scale + shift, y + 8 * scale - shift, 0)
        blf.draw(_FONT, words)
    gpu.state.blend_set("NONE")


def register() -> None:
    if not bpy.app.background:
        _handles.append(bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL"))


def unregister() -> None:
    global _texture
    while _handles:
        bpy.types.SpaceView3D.draw_handler_remove(_handles.pop(), "WINDOW")
    _texture = None
