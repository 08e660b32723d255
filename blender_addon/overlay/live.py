# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels of a scene as a view shows them, kept up with its changes without slowing them down."""

from __future__ import annotations

import time
from collections.abc import Callable

import bpy
import numpy as np
from mathutils import Matrix

from ..contract.labels import LabelSet
from ..label_image.colors import paint_colors, read_labels
from ..label_set_choice import label_set_of
from ..properties import settings
from ..scene.in_steps import Steps
from ..scene.label_overview import LabelOverview, overview, overview_for_panel
from ..scene.label_sets import background_of
from ..scene.view import FLAT, camera_data, frame_aspect
from .batches import LabelBatches
from .card import gpu
from .changes import counted
from .settings import redraw_views
from .shapes import Placed, ShapeReader

_PATIENCE = 4.0
"""What took a second to read is read again after four at the earliest, so that most of the time is the user's."""
_SLICE_S, _PAUSE_S, _LABELS_S = 0.01, 0.005, 0.1
_COUNTED = 160
"""The longer side in pixels of the picture in which shares are counted."""


class LiveLabels:
    """The labels of one scene. Raises BadLabelSetError from `update` when an imported set cannot be read.

    of_render: of what the render shows, where the views may show more. when_read: called when what has changed was
    read, or can be; None for who calls `update` again and again anyway, which then reads on, a slice a call.
    """

    def __init__(self, of_render: bool = False, when_read: Callable[[], None] | None = redraw_views) -> None:
        self.label_set: LabelSet | None = None
        self.readings = 0
        """How often the scene has been read so far."""
        self._reader = ShapeReader(of_render)
        self._when_read = when_read
        self._batches: LabelBatches | None = None
        self._placed: Placed | None = None
        self._labels: LabelOverview | None = None
        self._seen: tuple = ()
        self._reading: Steps[Placed] | None = None
        self._was_read: Placed | None = None
        self._failure: Exception | None = None
        self._read_at, self._read_took = 0.0, 0.0
        self._shares: dict[int, float] = {}
        self._shares_of: tuple = ()

    def update(self, context: bpy.types.Context) -> None:
        """Take up what has changed, unless that was done a moment ago and takes long: then a little later.

        A large scene is read a few milliseconds at a time, and shown as it was until that is done.
        """
        self._take_up_what_was_read()
        if self._seen and self._seen[0] != context.scene.session_uid:
            self._reading = None  # of another scene, or of the file before
        if self._reading is not None and self._when_read is None:
            self._work_on()
            self._take_up_what_was_read()
        labels, label_set = overview_for_panel(context.scene), label_set_of(settings(context.scene))
        if labels is None:  # it is being worked out
            self._come_back_in(_LABELS_S)
            return
        seen = (context.scene.session_uid, counted(), label_set, id(labels))
        if self._reading is not None or (seen == self._seen and labels is self._labels):
            return
        wait = self._read_at + _PATIENCE * self._read_took - time.monotonic()
        if wait > 0 and self._batches is not None:
            self._come_back_in(wait)
            return
        self._begin(context, labels, label_set, seen)
        is_left = self._work_on() is not None
        if is_left and self._when_read is not None and not bpy.app.background:  # where no timer fires
            bpy.app.timers.register(self._work_on, first_interval=_PAUSE_S, persistent=True)
        self._take_up_what_was_read()

    def update_now(self, context: bpy.types.Context) -> None:
        """The same at once, however long it takes."""
        overview(context.scene)
        self.update(context)
        while self._reading is not None:
            self._work_on()
        self._take_up_what_was_read()

    def is_up_to_date(self, context: bpy.types.Context) -> bool:
        """Whether `ids` would be of the scene as it is now."""
        labels = overview_for_panel(context.scene)
        seen = (context.scene.session_uid, counted(), self.label_set, id(labels))
        return self.is_there and self._reading is None and self._was_read is None and seen == self._seen

    @property
    def is_there(self) -> bool:
        """Whether there is something to draw yet."""
        return self._batches is not None

    @property
    def unseen(self) -> tuple[str, ...]:
        """The names of what it cannot show: see `Placed`."""
        return self._placed.unseen if self._placed is not None else ()

    def draw(self, projection: Matrix, opacity: float) -> None:
        """Every thing in its class's colour, and past them the background's, over the bound frame buffer."""
        assert self.label_set is not None and self._batches is not None
        self._batches.draw(projection, paint_colors(self.label_set)[self._background_id], opacity)

    def ids(self, size: tuple[int, int], projection: Matrix) -> np.ndarray:
        """The class ids that (width, height) pixels of a view show: (H, W), row 0 at the top.

        Not for callbacks of Blender's drawing: Blender 5.2 would not find back to its own frame buffer.
        """
        assert self.label_set is not None
        width, height = size
        target = gpu.types.GPUOffScreen(width, height, format="RGBA8")
        try:
            with target.bind():
                self.draw(projection, 1.0)
                frame = gpu.state.active_framebuffer_get()
                read = frame.read_color(0, 0, width, height, 4, 0, "UBYTE")
        finally:
            target.free()
        read.dimensions = width * height * 4
        rgb = np.array(read, np.uint8).reshape(height, width, 4)[::-1, :, :3]
        return read_labels(rgb, self.label_set).label_map

    def shares(self, scene: bpy.types.Scene) -> dict[int, float]:
        """How much of the camera's picture each class id takes, 0..1, as counted last; counted anew a moment later."""
        seen_by = self._seen, scene.camera and scene.camera.matrix_world.copy().freeze()
        if seen_by != self._shares_of:
            self._shares_of = seen_by
            bpy.app.timers.register(self._count, first_interval=0.0)
        return self._shares

    def _count(self) -> None:
        """Count the shares in a small picture; called between drawings."""
        context = bpy.context
        scene = context.scene
        looks = camera_looks(context)
        if looks is None or self._batches is None or scene is None:
            self._shares = {}
        else:
            found, counts = np.unique(self.ids(_small(scene), looks), return_counts=True)
            total = int(counts.sum())
            self._shares = {int(i): int(n) / total for i, n in zip(found, counts, strict=True)}
        redraw_views()

    def _begin(
        self, context: bpy.types.Context, labels: LabelOverview, label_set: LabelSet, seen: tuple
    ) -> None:
        """Begin to read what is to be shown as `seen`."""
        before = self._seen
        if not before or (before[0], before[1][0], before[2]) != (seen[0], seen[1][0], seen[2]):
            self._reader.forget()
        palette = {entry.id: place for place, entry in enumerate(label_set.classes)}
        self._reading = self._reader.read_in_steps(
            lambda: bpy.context.evaluated_depsgraph_get(), labels.table, palette
        )
        self._seen, self._labels, self._read_took = seen, labels, 0.0
        background = background_of(label_set, settings(context.scene).background_class)
        self._read_of = label_set, background.id if background else label_set.ignore_id

    def _work_on(self) -> float | None:
        """A slice of the reading; called by Blender's timer until it is done."""
        began = time.monotonic()
        while self._reading is not None and time.monotonic() < began + _SLICE_S:
            try:
                next(self._reading)
            except StopIteration as end:
                self._reading, self._was_read, self._read_at = None, end.value, time.monotonic()
            except Exception as problem:  # told by the next drawing; read again when something changes
                self._reading, self._failure = None, problem
        self._read_took += time.monotonic() - began
        if self._reading is None:
            if self._when_read is not None:
                self._when_read()
            return None
        return _PAUSE_S

    def _come_back_in(self, seconds: float) -> None:
        if self._when_read is None or bpy.app.background:
            return
        if not bpy.app.timers.is_registered(self._when_read):
            bpy.app.timers.register(self._when_read, first_interval=seconds)

    def _take_up_what_was_read(self) -> None:
        """Give it to the graphics card, which can be talked to while Blender draws."""
        if self._failure is not None:
            problem, self._failure = self._failure, None
            raise problem
        placed, self._was_read = self._was_read, None
        if placed is None:
            return
        label_set, self._background_id = self._read_of
        self.label_set, colors = label_set, paint_colors(label_set)
        if self._batches is not None and self._placed is not None and _same_shapes(self._placed, placed):
            self._batches.place(placed)
        else:
            rows = [colors[entry.id] for entry in label_set.classes] + [colors[label_set.ignore_id]]
            self._batches = LabelBatches(placed, np.array(rows, np.uint8))
        self._placed = placed
        self.readings += 1


def _same_shapes(before: Placed, now: Placed) -> bool:
    """Whether the same shapes stand as often as before."""
    if len(before.shapes) != len(now.shapes):
        return False
    pairs = zip(before.shapes, now.shapes, before.classes, now.classes, strict=True)
    return all(old is new and len(a) == len(b) for old, new, a, b in pairs)


def _small(scene: bpy.types.Scene) -> tuple[int, int]:
    """A small (width, height) of the camera's frame."""
    aspect = frame_aspect(scene)
    return round(_COUNTED * min(1.0, aspect)) or 1, round(_COUNTED / max(1.0, aspect)) or 1


def camera_looks(context: bpy.types.Context) -> Matrix | None:
    """The projection of the scene's camera, edge to edge of its frame; None where no flat picture is taken."""
    scene = context.scene
    camera = scene.camera
    if (
        camera is None
        or not isinstance(camera.data, bpy.types.Camera)
        or camera_data(camera).type not in FLAT
    ):
        return None
    graph = context.evaluated_depsgraph_get()
    render = scene.render
    lens = camera.calc_matrix_camera(
        graph,
        x=render.resolution_x,
        y=render.resolution_y,
        scale_x=render.pixel_aspect_x,
        scale_y=render.pixel_aspect_y,
    )
    return lens @ camera.evaluated_get(graph).matrix_world.normalized().inverted()
