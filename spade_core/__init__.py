# SPDX-License-Identifier: Apache-2.0
"""Spade Backdrops from Python.

    from spade_core import Synthesizer

    rgb = Synthesizer.load("landscape").render(label_map, seed=7)  # (H, W) ids -> (H, W, 3) uint8

A name below is imported when it is first used: `import spade_core` brings neither torch nor numpy along.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoint.file import load_checkpoint
    from .contract.client import Client
    from .contract.labels import LabelSet
    from .contract.request import PictureRequest
    from .synthesis.synthesizer import Synthesizer

__all__ = ["Client", "LabelSet", "PictureRequest", "Synthesizer", "load_checkpoint"]

_HOMES = {
    "Client": "spade_core.contract.client",
    "LabelSet": "spade_core.contract.labels",
    "PictureRequest": "spade_core.contract.request",
    "Synthesizer": "spade_core.synthesis.synthesizer",
    "load_checkpoint": "spade_core.checkpoint.file",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'spade_core' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
