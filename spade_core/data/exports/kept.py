# SPDX-License-Identifier: Apache-2.0
"""Photos as a data set keeps them: their own files where training reads those, PNG of them where not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ...contract.errors import BadImageError
from ...image_files import rgb_in
from ..pairs import ORIENTATION, is_turned
from .base import Record, Size
from .pictures import as_png, picture_of

ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif"}
"""Of photos that training reads as they are."""


def stored_photo(record: Record) -> tuple[bytes, str, list[Size]]:
    """The photo's file as it is kept, its ending, and the sizes that labels may have: upright, and as it is stored."""
    assert record.photo is not None
    if isinstance(record.photo, Path):
        named, data = str(record.photo), _bytes_of(record.photo)
    else:
        named, data = record.name, record.photo()
    picture = picture_of(data, named)
    data, ending = _kept(picture, data)
    sizes = [picture.size]
    if is_turned(picture) and picture.getexif()[ORIENTATION] > 4:
        sizes.insert(0, (picture.height, picture.width))
    return data, ending, sizes if picture.format in ENDINGS else sizes[:1]


def kept_photo(file: Path) -> tuple[bytes, str, np.ndarray]:
    """A photo's file as a data set keeps it, its ending, and the photo, (H, W, 3) uint8, upright. Raises SpadeError."""
    data = _bytes_of(file)
    picture = picture_of(data, str(file))
    upright = ImageOps.exif_transpose(picture) if is_turned(picture) else picture
    return *_kept(picture, data), rgb_in(upright)


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as problem:
        raise BadImageError(
            f"{file} cannot be read: {problem.strerror}.", "Change its permissions or copy it."
        ) from None


def _kept(picture: Image.Image, data: bytes) -> tuple[bytes, str]:
    """The bytes and the ending of a photo that training reads: its own, or of a PNG of it, upright."""
    if picture.format in ENDINGS and getattr(picture, "n_frames", 1) == 1:
        return data, ENDINGS[picture.format]
    upright = ImageOps.exif_transpose(picture) if is_turned(picture) else picture
    return as_png(Image.fromarray(rgb_in(upright))), ".png"
