# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of the Blender that bakes: each thing's texels, filled, into files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..contract.errors import CannotWriteError
from ..scene.png import png
from .filling import filled
from .surface import normals, roughness
from .texels import baked_texels, prepare

_QUICK = 1
"""Of zlib: a texture is large, and every second counts more than its last tenth."""


def bake_all(
    scene: str, layer: str, things: list[list[str]], size: int, surface: bool, folder: str
) -> Iterator[dict[str, Any]]:
    """Bake things of the open file, by (full name, UV map); tells of each when its files are there.

    The answers: `thing`; `seen`, the share of its texels that a projection reaches, 0..1; `files`, by what they are.
    Raises InternalError, and CannotWriteError for a folder that takes no files.
    """
    shown = next(each for each in bpy.data.scenes if each.name_full == scene)
    window = bpy.context.window_manager.windows[0]
    window.scene, window.view_layer = shown, shown.view_layers[layer]
    prepare(shown)
    stems = _stems([name for name, _ in things])
    for name, uv_map in things:
        thing = next(each for each in bpy.data.objects if each.name_full == name)
        colors, has, reached = baked_texels(shown, thing, uv_map, size)
        known = has & reached
        whole = filled(colors, known)
        textures = {"color": whole}
        if surface:
            textures |= {"roughness": roughness(whole), "normal": normals(whole)}
        stem = stems[name]
        files = {
            kind: _write(Path(folder) / f"{stem}_{kind}.png", pixels) for kind, pixels in textures.items()
        }
        seen = float(known.sum() / max(int(has.sum()), 1))
        yield {"thing": name, "seen": seen, "files": files}


def _stems(full_names: list[str]) -> dict[str, str]:
    """What the files of things are called; things of one name, but for dots and spaces, are numbered."""
    clean = {each.name_full: bpy.path.clean_name(each.name) for each in bpy.data.objects}
    found: dict[str, str] = {}
    for name in full_names:
        alike = sum(clean[each] == clean[name] for each in found)
        found[name] = clean[name] + (f"_{alike}" if alike else "")
    return found


def _write(path: Path, pixels: np.ndarray) -> str:
    try:
        path.write_bytes(png(pixels, level=_QUICK))
    except OSError as problem:
        raise CannotWriteError(
            f"{path} cannot be written: {problem.strerror or problem}.", "Free some space, or save elsewhere."
        ) from None
    return str(path)
