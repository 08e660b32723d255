# SPDX-License-Identifier: Apache-2.0
"""Pictures that come from a server as files: PNG, JPEG, WebP."""

from __future__ import annotations

import io

import numpy as np

from .errors import BadImageError, BadOptionError


def decoded(file: bytes) -> np.ndarray:
    """(H, W, 3) uint8 of a picture's file. Raises BadImageError, and BadOptionError where Pillow is missing."""
    try:
        from PIL import Image
    except ImportError:  # Blender has none
        raise BadOptionError("Pillow, which reads pictures' files, is missing.", "Ask for 'raw'.") from None
    try:
        with Image.open(io.BytesIO(file)) as picture:
            return np.asarray(picture.convert("RGB"))
    except OSError:
        raise BadImageError("The server sent a damaged picture.", "Try again.") from None
