# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping what the user moved and has not keyed yet.

Every render makes Blender evaluate the animation of the current frame again, in the user's scene too: an animated
object that was moved by hand would jump back to its curve, before the picture is taken and in the viewport.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import bpy

from .animated import animated
from .borrow import borrowed


class _Edit(NamedTuple):
    """A value (of `owner`, a data-block) that is not what its animation curve says at this frame."""

    owner: Any
    curve: bpy.types.FCurve
    value: Any


@contextmanager
def unkeyed_edits_kept(scene: bpy.types.Scene) -> Iterator[None]:
    """Let renders of this frame show values that differ from their curves as they are, and leave them so afterwards."""
    with unkeyed_edits_restored(scene) as edits, ExitStack() as stack:
        for edit in edits:
            stack.enter_context(borrowed(edit.curve, mute=True))
        yield


@contextmanager
def unkeyed_edits_restored(scene: bpy.types.Scene) -> Iterator[list[_Edit]]:
    """Let the block evaluate animation as it likes; what was not keyed is put back on any exit."""
    edits = _unkeyed_edits(scene.frame_current_final)
    try:
        yield edits
    finally:
        if edits:
            # What the curves still have to move, they shall move now, and not after these are put back.
            bpy.context.view_layer.update()
            for edit in edits:
                _put(edit)
            bpy.context.view_layer.update()


def _unkeyed_edits(frame: float) -> list[_Edit]:
    found = []
    for owner in animated():
        if owner.animation_data.action is None:
            continue
        for curve in _curves(owner.animation_data):
            if not curve.mute:
                value = _value(owner, curve)
                if value is not None and abs(value - curve.evaluate(frame)) > 1e-5 * max(1.0, abs(value)):
                    found.append(_Edit(owner, curve, value))
    return found


def _curves(animation: bpy.types.AnimData) -> list[bpy.types.FCurve]:
    """The animation curves that move a data-block, however this version of Blender keeps them."""
    action = animation.action
    if not hasattr(action, "layers"):  # Blender 4.3 and older
        return list(action.fcurves)
    bags = (strip.channelbag(animation.action_slot) for layer in action.layers for strip in layer.strips)
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


def _value(owner: Any, curve: bpy.types.FCurve) -> float | None:
    """The number that a curve moves; None where there is no such number (any more)."""
    try:
        value = owner.path_resolve(curve.data_path)
    except ValueError:
        return None
    try:
        number = value if isinstance(value, int | float) else value[curve.array_index]
    except (TypeError, IndexError):
        return None
    return number if isinstance(number, int | float) else None


def _put(edit: _Edit) -> None:
    path, value = edit.curve.data_path, edit.value
    if path.endswith('"]'):  # a custom property
        holder, _, name = path.rpartition("[")
        (edit.owner.path_resolve(holder) if holder else edit.owner)[name[1:-2]] = value
        return
    holder, _, name = path.rpartition(".")
    owner = edit.owner.path_resolve(holder) if holder else edit.owner
    if isinstance(getattr(owner, name), int | float):
        setattr(owner, name, value)
    else:
        getattr(owner, name)[edit.curve.array_index] = value
