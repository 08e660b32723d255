# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scene's view makes of light, undone: which light is seen as a given colour.

A view (transform, gamma, white balance, display) is whatever Blender and its OpenColorIO configuration say, and few are
given with an inverse. So it is found: light goes through Blender's own pipeline, an image saved as a render, and
Newton's method moves it until the wanted colours come out. Some colours a view cannot show at any light, AgX none that
are bright and vivid at once; they become the nearest it was led to.

Looks, curves and exposure are no part of it: the first two are grading, which is for the picture, too, and exposure is
a factor.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

STEPS = 33
"""Colours on each axis of the table: one every 8 of 255."""
LIGHT_SCALE = 0.02
PRIMARIES = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float64
)
"""Light is counted in a wide gamut, in which what views can show is positive: rows make scene light of it."""
_BRIGHTEST, _DARKEST = 32.0, -0.2
_START = 0.35  # a grey that every view can show; the way to each colour begins there
_LEGS, _TURNS, _LAST_TURNS = 6, 2, 6
_NUDGE = 0.02
_CLOSE = 4 / 255
_WIDTH = 256


@dataclass(frozen=True)
class View:
    """All that decides how light is seen, but for exposure, look and curves."""

    display: str
    transform: str
    gamma: float
    white: tuple[float, float] | None

    @classmethod
    def of(cls, scene: bpy.types.Scene) -> View:
        """A scene's."""
        view = scene.view_settings
        balanced = getattr(view, "use_white_balance", False)
        white = (view.white_balance_temperature, view.white_balance_tint) if balanced else None
        return cls(scene.display_settings.display_device, view.view_transform, view.gamma, white)

    def set_on(self, scene: bpy.types.Scene) -> None:
        """Let a scene have this view."""
        scene.display_settings.display_device = self.display
        view = scene.view_settings
        view.view_transform, view.gamma = self.transform, self.gamma
        if self.white is not None:
            view.use_white_balance = True
            view.white_balance_temperature, view.white_balance_tint = self.white


class ViewInverse:
    """The search for one view's inverse. Call step() until `table` is there; each takes some hundredths of a second.

    table: (STEPS, STEPS, STEPS, 3) float32 by red, green and blue of a colour; `light_of` makes light of an entry.
    missed: the share, 0..1, of its colours that no light was found for.
    """

    def __init__(self, view: View):
        self.view = view
        self.table: np.ndarray | None = None
        self.missed = 0.0
        self._search = self._searching()

    def step(self) -> bool:
        """Go on for a moment; returns whether it is done."""
        try:
            next(self._search)
        except StopIteration:
            return True
        return False

    def finish(self) -> np.ndarray:
        """Go on to the end."""
        while not self.step():
            pass
        assert self.table is not None
        return self.table

    def _searching(self) -> Iterator[None]:
        axis = np.linspace(0, 1, STEPS)
        wanted = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
        now = np.full_like(wanted, self._grey())
        seen = start = self._seen(now)
        slopes = np.empty((len(wanted), 3, 3))
        yield
        for leg in range(1, _LEGS + 1):
            target = start + (wanted - start) * (leg / _LEGS)
            for turn in range(_TURNS if leg < _LEGS else _LAST_TURNS):
                if turn % 3 == 0:
                    for channel in range(3):
                        nudged = now.copy()
                        nudged[:, channel] += _NUDGE
                        slopes[:, :, channel] = (self._seen(nudged) - seen) / _NUDGE
                        yield
                moved = np.clip(
                    now + _newton(slopes, target - seen), _encoded(_DARKEST), _encoded(_BRIGHTEST)
                )
                yield
                seen_then = self._seen(moved)
                _correct(slopes, moved - now, seen_then - seen)
                better = np.abs(target - seen_then).max(1) <= np.abs(target - seen).max(1)
                now[better], seen = moved[better], np.where(better[:, None], seen_then, seen)
                yield
        self.missed = float(np.mean(np.abs(wanted - seen).max(1) > _CLOSE))
        self.table = now.reshape(STEPS, STEPS, STEPS, 3).astype(np.float32)

    def _grey(self) -> float:
        """The encoded light of a medium grey."""
        greys = np.linspace(0, _encoded(1.0), 512)
        seen = self._seen(np.repeat(greys[:, None], 3, 1)).mean(1)
        return float(greys[np.argmin(np.abs(seen - _START))])

    def _seen(self, encoded: np.ndarray) -> np.ndarray:
        return displayed(light_of(encoded), self.view)


def light_of(encoded: np.ndarray) -> np.ndarray:
    """(N, 3) scene light of encoded light; the material's nodes do the same."""
    return LIGHT_SCALE * np.sinh(encoded) @ PRIMARIES.T


def displayed(light: np.ndarray, view: View) -> np.ndarray:
    """(N, 3) colours, 0..1, that a view makes of (N, 3) light. Takes a scene and an image of its own for it."""
    height = -(-len(light) // _WIDTH)
    pixels = np.ones((height * _WIDTH, 4), np.float32)
    pixels[: len(light), :3] = light
    scene = bpy.data.scenes.new("Spade View")
    sent = bpy.data.images.new("Spade Light", _WIDTH, height, float_buffer=True)
    try:
        view.set_on(scene)
        output = scene.render.image_settings
        output.file_format, output.color_mode, output.color_depth, output.compression = "PNG", "RGB", "16", 0
        flat: Any = pixels.ravel()  # a sequence to Blender, though not to its type stubs
        sent.pixels.foreach_set(flat)
        sent.update()
        with tempfile.TemporaryDirectory(prefix="spade-") as folder:
            file = str(Path(folder) / "seen.png")
            sent.save_render(file, scene=scene)
            came = bpy.data.images.load(file)
            came.colorspace_settings.is_data = True
            came.pixels.foreach_get(flat)
            bpy.data.images.remove(came)
    finally:
        bpy.data.images.remove(sent)
        bpy.data.scenes.remove(scene)
    return pixels[: len(light), :3].astype(np.float64)


def _encoded(light: float) -> float:
    return float(np.arcsinh(light / LIGHT_SCALE))


def _newton(slopes: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """The damped step that should bring what is missing, where the slopes say so."""
    squares = np.einsum("nji,njk->nik", slopes, slopes) + 1e-5 * np.eye(3)
    sides = np.einsum("nji,nj->ni", slopes, missing)
    return np.clip(np.linalg.solve(squares, sides[..., None])[..., 0], -1, 1)


def _correct(slopes: np.ndarray, step: np.ndarray, change: np.ndarray) -> None:
    """Broyden's update: let the slopes say what the last step did."""
    length = np.maximum((step * step).sum(1), 1e-12)
    error = change - np.einsum("nij,nj->ni", slopes, step)
    slopes += np.einsum("ni,nj->nij", error, step) / length[:, None, None]
