# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing what a render sees, and nothing else.

For a render, Blender evaluates copies of all data-blocks in a dependency graph of its own and shows that graph to the
handlers of a frame change before it renders. What is changed there, in the copies, goes into this one render: keys and
drivers have been applied by then, so they change nothing back, and the user's data-blocks are never written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import bpy

Block = TypeVar("Block", bpy.types.Object, bpy.types.Material)

_OF_RENDERS = (
    "frame_change_pre",
    "frame_change_post",
    "render_init",
    "render_pre",
    "render_post",
    "render_write",
    "render_stats",
    "render_complete",
    "render_cancel",
)


@contextmanager
def prepared_renders(
    scene: bpy.types.Scene, prepare: Callable[[bpy.types.Depsgraph], None]
) -> Iterator[None]:
    """Let `prepare` change the evaluated copies in every render of `scene` (a scene of our own) within the block.

    Handlers of others are not called: what they do after a render (sounds, files) is not for this one. An error that
    `prepare` raised is raised at the end of the block.
    """
    problems: list[Exception] = []

    def before_render(shown: bpy.types.Scene, graph: Any) -> None:
        if graph.mode != "RENDER" or shown.original != scene:
            return
        try:
            prepare(graph)
        except Exception as problem:  # Blender would print it and render on.
            problems.append(problem)

    with quiet_handlers(_OF_RENDERS):
        # The stubs know of one argument only.
        bpy.app.handlers.frame_change_post.append(before_render)  # pyright: ignore[reportArgumentType]
        yield
    if problems:
        raise problems[0]


def evaluated_objects(graph: bpy.types.Depsgraph) -> list[bpy.types.Object]:
    """The graph's own copies of objects, safe to change; those only there as instances, which `ids` lacks, included."""
    return _evaluated(bpy.data.objects, graph)


def evaluated_materials(graph: bpy.types.Depsgraph) -> list[bpy.types.Material]:
    """The graph's own copies of materials, likewise."""
    return _evaluated(bpy.data.materials, graph)


def original_of(copy: Block) -> Block:
    """The user's own data-block that a copy was evaluated from."""
    original = copy.original
    assert original is not None
    return original  # pyright: ignore[reportReturnType] the stubs forget of what kind


def _evaluated(blocks, graph: bpy.types.Depsgraph) -> list:
    copies = (block.evaluated_get(graph) for block in blocks)
    return [copy for copy in copies if copy.is_evaluated]


@contextmanager
def quiet_handlers(names: Iterable[str]) -> Iterator[None]:
    """Let Blender call none of the handlers of these names within the block."""
    handlers = [getattr(bpy.app.handlers, name) for name in names]
    before = [list(each) for each in handlers]
    try:
        for each in handlers:
            each.clear()
        yield
    finally:
        for each, functions in zip(handlers, before, strict=True):
            each[:] = functions
