# SPDX-License-Identifier: GPL-3.0-or-later
"""The graphics card, as Blender gives it to Python."""

from __future__ import annotations

from typing import Any, TypeAlias

import gpu as _gpu
from gpu_extras.batch import batch_for_shader

# By the stubs no array may be passed to it, nor any of its contexts entered: one alias here, no cast at every call.
gpu: Any = _gpu
Batch: TypeAlias = Any
Shader: TypeAlias = Any
Texture: TypeAlias = Any


def quad(shader: Shader, **corners: Any) -> Batch:
    """A flat shape of four corners, in order around it: their values for each input of the shader."""
    kind: Any = "TRI_STRIP"
    return batch_for_shader(
        shader, kind, {name: [each[at] for at in (0, 1, 3, 2)] for name, each in corners.items()}
    )
