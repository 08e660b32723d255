# SPDX-License-Identifier: Apache-2.0
"""Which upscaler enlarges a picture: the one that is named, or the best for the machine.

Loaded ones are kept: a worker needs the same one for every picture.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from .names import available

if TYPE_CHECKING:
    from .upscaler import Upscaler


@lru_cache(maxsize=4)
def loaded(name: str, device: str) -> Upscaler:
    """name: "auto", or as Upscaler.load. Raises what that raises."""
    from .upscaler import Upscaler

    return Upscaler.load(available()[0] if name == "auto" else name, device)
