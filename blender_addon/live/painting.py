# SPDX-License-Identifier: GPL-3.0-or-later
"""Painting what the camera sees, again and again, as it changes.

While things move, labels are drawn by the graphics card and painted small; one picture at a time, always of the newest
labels, and only where these, the style or the seed have changed. Once all rests, the whole picture is painted as
Generate does it, of labels by Cycles. Nothing in the scene is written, so nothing of this causes itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import bpy
import numpy as np

from ..bridge.connection import ConnectionState
from ..bridge.jobs import Job, JobState, SceneRequest
from ..contract.errors import BadOptionError
from ..contract.messages import PREVIEW
from ..overlay.changes import counted
from ..overlay.live import LiveLabels, camera_looks
from ..properties import settings
from ..scene.label_overview import label_changes
from ..scene.view import fitting_shape, flat_camera_of, label_map_shape
from ..scene_job import detail_of, scene_request
from ..session import current_session
from ..style.class_styles import PlacedStyleSettings, SpadeClassStyle
from ..style.settings import StyleSettings
from ..style.wanted import wanted_style

REST_S = 0.6
"""After which nothing moves any more."""
SHARE, AT_ONCE_S = 0.08, 2.0
"""Of the main thread's time that may go into reading and drawing labels; the share of how many seconds may be used at
once: a scene that is no large one is painted without delay when something moves after a rest."""
_SMALL = 256
"""The side of a square with as many pixels as a picture has while things move, where the model does not say."""
_PICTURE = (
    *("label_set", "custom_label_set", "background_class", "width", "height", "match_camera"),
    *("seed", "upscale", "detail", "preview", "natural_edges", "model"),
    *(*StyleSettings.__annotations__, *PlacedStyleSettings.__annotations__),
)
"""The settings of a scene that a picture depends on."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture, (h, w, 3) uint8, of what it was painted from, when that was asked for and how long it took, and
    whether it is the whole one."""

    rgb: np.ndarray
    request: SceneRequest
    asked_at: float
    seconds: float
    is_whole: bool


class LivePainting:
    """Of one scene. Call step() often; it never waits for the server.

    submit_whole: hands the whole picture of the scene to the board, as Generate does. shown: the newest picture.
    unseen: the names of things that are not in pictures before all rests.
    """

    def __init__(self, scene: bpy.types.Scene, submit_whole: Callable[[], Job]) -> None:
        self.scene_uid = scene.session_uid
        self.shown: Shown | None = None
        self.sent = 0
        """Pictures asked for so far, small or whole."""
        self._submit_whole = submit_whole
        self._labels = LiveLabels(of_render=True, when_read=None)
        self._job: Job | None = None
        self._is_whole = False
        self._looks: tuple = ()
        self._moved_at = self._asked_at = 0.0
        self._paid_at, self._readings = 0.0, 0
        self._is_stale = True
        self._painted: tuple = ()
        self._rested: tuple = ()

    @property
    def unseen(self) -> tuple[str, ...]:
        return self._labels.unseen

    @property
    def shows_newest(self) -> bool:
        """Whether the picture that was asked for last is shown."""
        return self.shown is not None and (self._job is None or self.shown.request is self._job.request)

    @property
    def is_at_work(self) -> bool:
        """Whether something may come, or is to be done, any moment."""
        return self._is_stale or self._job is not None

    def step(self, context: bpy.types.Context) -> None:
        """Take what has come, and ask for what is next. Raises SpadeError where it cannot go on."""
        refuse_surroundings(context.scene)
        self._take_picture()
        self._look(context)
        now = time.monotonic()
        if self._is_stale:
            if now >= self._paid_at - AT_ONCE_S and self._may_send():
                self._paint_small(context)
        elif now - self._moved_at >= REST_S and self._may_send():
            self._paint_whole(context)

    def close(self) -> None:
        """What is being painted is not wanted any more."""
        job, self._job = self._job, None
        if job is None:
            return
        if job.is_live:
            current_session().board.cancel(job)
        elif job.state is JobState.FINISHED:
            current_session().board.discard(job)

    def _look(self, context: bpy.types.Context) -> None:
        """Whether anything has changed that a picture may depend on."""
        looks = _looks_of(context)
        if looks == self._looks:
            return
        self._looks, self._moved_at, self._is_stale = looks, time.monotonic(), True
        if self._is_whole:
            self.close()  # the newest wins

    def _may_send(self) -> bool:
        """Whether nothing is being painted: neither by this, nor because the user pressed Generate."""
        return self._job is None and current_session().board.live_in(self.scene_uid) is None

    def _paint_small(self, context: bpy.types.Context) -> None:
        scene, began = context.scene, time.monotonic()
        shape = self._small_shape(scene)
        label_map = self._take_labels(context, shape)
        self._paid_at = max(self._paid_at, began) + (time.monotonic() - began) / SHARE
        if label_map is None:
            return
        # What went on moving while the scene was read is seen in the next one.
        self._is_stale = not self._labels.is_up_to_date(context)
        painted = label_map.tobytes(), shape, self._looks[2]
        if painted == self._painted:
            return
        self._painted = painted
        self._send(self._board_small(scene, label_map), is_whole=False)

    def _board_small(self, scene: bpy.types.Scene, label_map: np.ndarray) -> Job:
        request = scene_request(scene, label_map, wanted_style(scene), time.monotonic())
        request = replace(request, upscale="off", precision=PREVIEW)
        return current_session().board.add(request, lands=False)

    def _paint_whole(self, context: bpy.types.Context) -> None:
        """Once after each change that shows, and after any where things are that only Cycles sees."""
        rested = self._painted, self._looks if self.unseen else None
        is_small = self._small_shape(context.scene) == label_map_shape(context.scene)
        if rested == self._rested or (is_small and not self.unseen):
            return
        self._rested = rested
        self._send(self._submit_whole(), is_whole=True)
        # Where no second Blender takes the labels, their render looks like a change.
        self._looks = _looks_of(context)

    def _send(self, job: Job, is_whole: bool) -> None:
        job.lands = False
        self._job, self._is_whole, self._asked_at = job, is_whole, time.monotonic()
        self.sent += 1

    def _take_labels(self, context: bpy.types.Context, shape: tuple[int, int]) -> np.ndarray | None:
        """(H, W) ids as the camera sees them; None while the scene is being read anew."""
        flat_camera_of(context.scene)
        if bpy.app.background:
            self._labels.update_now(context)
        else:
            self._labels.update(context)
        projection = camera_looks(context)
        is_new = self._labels.is_up_to_date(context) or self._labels.readings > self._readings
        if projection is None or not is_new:
            return None
        self._readings = self._labels.readings
        height, width = shape
        ids = self._labels.ids((width, height), projection)
        assert self._labels.label_set is not None
        return ids.astype(self._labels.label_set.dtype)

    def _take_picture(self) -> None:
        job, session = self._job, current_session()
        if session.connection.state is ConnectionState.LOST and session.connection.error is not None:
            raise session.connection.error
        if job is None:
            return
        if job.state is JobState.FINISHED and job.rgb is not None:
            self._show(job.rgb, job)
            session.board.discard(job)
        elif job.painting is not None and (self.shown is None or self.shown.rgb is not job.painting):
            self._show(job.painting, job)
        if job.error is not None:
            raise job.error
        if not job.is_live:
            self._job = None

    def _show(self, rgb: np.ndarray, job: Job) -> None:
        took = time.monotonic() - self._asked_at
        self.shown = Shown(rgb, job.request, self._asked_at, took, self._is_whole)

    def _small_shape(self, scene: bpy.types.Scene) -> tuple[int, int]:
        model = current_session().connection.model_named(settings(scene).model)
        height, width = (model and model.trained_size) or (_SMALL, _SMALL)
        pixels = round(height * width * detail_of(scene) ** 2)
        small, whole = fitting_shape(scene, pixels), label_map_shape(scene)
        return small if small[0] * small[1] < whole[0] * whole[1] else whole


def refuse_surroundings(scene: bpy.types.Scene) -> None:
    """Raises BadOptionError where the next picture is none of what the camera sees."""
    if settings(scene).placement in ("PANORAMA", "TILE"):
        raise BadOptionError(
            "Live painting shows what the camera sees, not a panorama or a tile.",
            "Choose another way in Place As, and begin again.",
        )


def _looks_of(context: bpy.types.Context) -> tuple:
    """What says whether a picture may have to be another: changes so far, the camera, the settings."""
    wanted = settings(context.scene)
    of_classes = (_values(each, SpadeClassStyle.__annotations__) for each in wanted.class_styles)
    camera = str(camera_looks(context))  # which brings the scene up to date, so changes are counted after it
    return (*counted(), label_changes()), camera, (*_values(wanted, _PICTURE), *of_classes)


def _values(group: bpy.types.PropertyGroup, names: Iterable[str]) -> tuple[str, ...]:
    """Of properties, but for menus, which are another way to set those."""
    return tuple(str(getattr(group, name)) for name in names if not name.endswith("_pick"))
