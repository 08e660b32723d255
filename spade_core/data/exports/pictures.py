# SPDX-License-Identifier: Apache-2.0
"""Pictures from bytes, read with the caution of pictures from files."""

from __future__ import annotations

import io
import struct
import warnings

from PIL import Image

from ...contract.errors import BadImageError, TooLargeError
from ...image_files import LARGEST_PHOTO


def picture_of(data: bytes, name: str) -> Image.Image:
    """The decoded picture; `format` is kept. Raises BadImageError, or TooLargeError before decoding."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as picture:
                if max(picture.size) > LARGEST_PHOTO:
                    size = f"{picture.width} x {picture.height} pixels"
                    raise TooLargeError(
                        f"{name} is {size}; at most {LARGEST_PHOTO} a side are taken.",
                        "Scale photo and labels down.",
                    )
                picture.load()
                return picture
    except Image.DecompressionBombError:
        raise TooLargeError(f"{name} is far too large.", "Scale photo and labels down.") from None
    except Image.UnidentifiedImageError:
        said = "is not a picture that can be read" if data else "is empty"
        raise BadImageError(f"{name} {said}.", "Save it as JPEG or PNG, or copy it again.") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error):
        raise BadImageError(f"{name} is damaged or cut short.", "Export or copy it again.") from None


def as_png(picture: Image.Image) -> bytes:
    """Without loss."""
    held = io.BytesIO()
    picture.save(held, "PNG")
    return held.getvalue()
