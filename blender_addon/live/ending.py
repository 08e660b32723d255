# SPDX-License-Identifier: GPL-3.0-or-later
"""The one live painting there is, if any, and all that ends it: the button, Esc, another file, a render, an error."""

from __future__ import annotations

import logging

import bpy

from .. import handlers, timer
from ..bridge.connection import ConnectionState
from ..bridge.jobs import Job
from ..contract.errors import InternalError, SpadeError
from ..overlay.settings import redraw_views
from ..scene.visible import COPY_MARK
from ..scene_job import submit_scene
from ..session import current_session
from ..sidebar import redraw
from .painting import LivePainting

_TICK_S, _BUSY_TICK_S = 0.03, 0.012
_log = logging.getLogger(__name__)
_current: LivePainting | None = None
_drawn: tuple | None = None


def current_live() -> LivePainting | None:
    """The live painting, while there is one."""
    return _current


def begin(scene: bpy.types.Scene) -> LivePainting:
    """Paint this scene live from now on, and no other. Raises SpadeError where that cannot begin."""
    global _current
    end()
    _current = LivePainting(scene, _submit_whole)
    if not bpy.app.background:
        bpy.app.timers.register(_tick, first_interval=0.0)
    return _current


def end() -> None:
    """There is no live painting any more, for certain."""
    global _current
    live, _current = _current, None
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if live is not None:
        live.close()
        if not bpy.app.background:
            timer.wake()  # for what goes on without it
        redraw_views()
        redraw()


def step() -> None:
    """What the timer does; scripts and tests call it themselves. What goes wrong ends it, and stands in the panel."""
    global _drawn
    live = _current
    if live is None:
        return
    try:
        is_other = bpy.context.scene is None or bpy.context.scene.session_uid != live.scene_uid
        if is_other or current_session().connection.state is ConnectionState.OFF:
            end()
            return
        live.step(bpy.context)
    except SpadeError as problem:
        current_session().show(problem, "spade.live")
        end()
        return
    except Exception as problem:
        _log.exception("live painting failed")
        sentence = f"Live painting has ended because of a fault in the add-on ({type(problem).__name__})."
        current_session().show(
            InternalError(sentence, fix="Please report it with what the system console says.")
        )
        end()
        return
    if (shown := (id(live.shown), live.unseen)) != _drawn:
        _drawn = shown
        redraw_views()


def _tick() -> float | None:
    timer.tick()  # so that what has come is shown in the same moment
    step()
    if _current is None:
        return None
    return _BUSY_TICK_S if _current.is_at_work else _TICK_S


def _submit_whole() -> Job:
    return submit_scene(bpy.context)


@bpy.app.handlers.persistent
def _before_load(*_) -> None:
    end()


@bpy.app.handlers.persistent
def _before_render(scene: bpy.types.Scene, *_) -> None:
    if COPY_MARK not in scene:  # labels that are taken by rendering are part of it
        end()


_HANDLERS: handlers.Handlers = {"load_pre": _before_load, "render_init": _before_render}


def register() -> None:
    handlers.add(_HANDLERS)


def unregister() -> None:
    end()
    handlers.remove(_HANDLERS)
