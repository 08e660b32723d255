# SPDX-License-Identifier: Apache-2.0
"""Label maps and pictures on disk: read what is certain, refuse the rest plainly, write in one piece."""

from __future__ import annotations

import contextlib
import struct
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import ExifTags, Image, ImageOps, PngImagePlugin

from .contract.errors import BadImageError, CannotWriteError, OutOfMemoryError, TooLargeError
from .contract.limits import MAX_SIDE
from .files import claim, replacing
from .runtime import is_out_of_memory

if TYPE_CHECKING:
    from .contract.labels import LabelSet

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
LARGEST_PHOTO = 20_000
"""Pixels a side: a large camera's; beyond it a header is more likely broken than the photo large."""
Image.MAX_IMAGE_PIXELS = LARGEST_PHOTO**2
"""Pillow's own limit is a third of such a photo; every reader here has one of its own, before anything is decoded."""
SCALABLE = {"L", "LA", "RGB", "RGBA", "CMYK"}
"""What Pillow scales down as it is."""
ID_MODES = {"1", "L", "P", "I", "I;16", "I;16L", "I;16B"}  # one channel of whole numbers
ONE_CHANNEL = "Save it as a PNG with one 8 or 16 bit channel of class ids"


def open_picture(path: Path, largest_side: int = MAX_SIDE, at_least: int = 0) -> Image.Image:
    """The decoded picture; `format` is kept. Raises BadImageError, or TooLargeError before decoding.

    With at_least, a JPEG whose short side is twice that or more is decoded at a half, a quarter or an eighth of its
    size, which is much quicker; info["full_size"] is then what it was.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # ours is tighter
            with Image.open(path) as image:
                width, height = full_size = image.size
                if max(full_size) > largest_side:
                    raise TooLargeError(
                        f"{path.name} is {width} x {height} pixels; at most {largest_side} a side are taken.",
                        "Scale it down (label maps without smoothing).",
                    )
                if at_least and image.format == "JPEG":
                    scale = at_least / min(full_size)
                    image.draft("RGB", (max(1, round(width * scale)), max(1, round(height * scale))))
                    image.info["full_size"] = full_size
                image.info["grey_bits"] = _grey_bits(path) if image.format == "PNG" else 8
                image.load()
                return image
    except FileNotFoundError:
        raise BadImageError(f"There is no file {path}.", "Check the path.") from None
    except IsADirectoryError:
        raise BadImageError(f"{path} is a folder.", "Name a picture file.") from None
    except PermissionError:
        raise BadImageError(f"{path} may not be read.", "Change its permissions or copy it.") from None
    except Image.DecompressionBombError:
        raise TooLargeError(
            f"{path.name} is far too large; at most {largest_side} pixels a side are taken.", "Scale it down."
        ) from None
    except Image.UnidentifiedImageError:
        said = "is not a picture" if path.stat().st_size else "is empty"
        raise BadImageError(f"{path.name} {said}.", "Name a PNG file; copy it again if it was one.") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        if is_out_of_memory(error):
            raise MemoryError from None
        raise BadImageError(f"{path.name} is damaged or cut short.", "Export or copy it again.") from None


def _grey_bits(path: Path) -> int:
    """Of a PNG file's grey channel, which Pillow stretches to 8 where it has fewer."""
    with path.open("rb") as file:
        head = file.read(26)
    return head[24] if len(head) == 26 and head[25] == 0 else 8


def is_lossy(picture: Image.Image) -> bool:
    """Whether the file's kind smears numbers: JPEG, also inside TIFF."""
    return picture.format == "JPEG" or picture.info.get("compression") in ("jpeg", "tiff_jpeg")


def is_grey_as_rgb(picture: Image.Image, label_set: LabelSet) -> bool:
    """Whether a colour picture is one channel of known ids, written three times, and not in the set's colours."""
    if picture.mode != "RGB":
        return False
    red, green, blue = np.moveaxis(np.asarray(picture), 2, 0)
    if not (np.array_equal(red, green) and np.array_equal(red, blue)):
        return False
    used = {int(id) for id in np.unique(red)}
    known = {entry.id for entry in label_set.classes} | {label_set.ignore_id}
    colours = {entry.rgb for entry in label_set.classes}
    return used <= known and not all((id, id, id) in colours for id in used)


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) from the file's head alone. Raises BadImageError."""
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
        raise BadImageError(f"{path.name} cannot be read as a picture.", "Export or copy it again.") from None


def read_label_map(path: Path, label_set: LabelSet) -> np.ndarray:
    """`open_picture`, then `ids_in`."""
    return ids_in(open_picture(path), label_set)


def ids_in(picture: Image.Image, label_set: LabelSet) -> np.ndarray:
    """The ids in a picture file, (H, W) uint8 or uint16, row 0 at the top, checked against `label_set`.

    One channel is ids, and so are the indices of a palette picture, unless its colours are the set's own and say
    something else. A colour picture counts as a label map only if each of its colours is exactly that of one
    class, or if it is one channel of known ids, written three times.
    Raises BadImageError, BadShapeError and BadLabelError.
    """
    if is_lossy(picture):
        raise BadImageError(
            "The label map is a JPEG, which smears ids at every border.", f"{ONE_CHANNEL}, anew."
        )
    if picture.mode in ID_MODES:
        ids = np.asarray(picture)
        if picture.mode == "P":
            _refuse_other_colors(picture, ids, label_set)
        if picture.mode == "L" and (bits := picture.info.get("grey_bits", 8)) < 8:
            ids = ids // (255 // (2**bits - 1))
        return label_set.check(ids.astype(np.uint8) if ids.dtype == np.bool_ else ids)
    if picture.mode == "LA":
        return label_set.check(_opaque(picture)[..., 0])
    if is_grey_as_rgb(picture, label_set):
        return label_set.check(np.ascontiguousarray(np.asarray(picture)[..., 0]))
    if picture.mode == "RGB":
        return label_set.check(_ids_of_colors(np.asarray(picture), label_set))
    if picture.mode in ("RGBA", "PA"):
        return label_set.check(_ids_of_colors(_opaque(picture.convert("RGBA"))[..., :3], label_set))
    raise BadImageError(f"The label map holds {picture.mode} pixels, not class ids.", f"{ONE_CHANNEL}.")


def read_photo(path: Path) -> np.ndarray:
    """A photo as (H, W, 3) uint8, upright, and scaled down where it is larger than a label map may be; raises as
    `open_picture`, and OutOfMemoryError."""
    try:
        picture = open_picture(path, LARGEST_PHOTO, at_least=MAX_SIDE)
        if max(picture.size) > MAX_SIDE:
            if picture.mode not in SCALABLE:
                picture = Image.fromarray(rgb_in(picture))
            picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
        return rgb_in(ImageOps.exif_transpose(picture))
    except MemoryError:
        raise OutOfMemoryError(
            f"There is too little memory to read {path.name}.", "Scale it down, or close other programs."
        ) from None


def rgb_in(image: Image.Image) -> np.ndarray:
    """A picture as (H, W, 3) uint8; transparency is laid on grey."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (128, 128, 128, 255)), image)
    if image.mode.startswith("I"):  # 16 bit: convert() would clip it to white
        return np.repeat((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def read_instances(path: Path) -> np.ndarray:
    """`open_picture`, then `instances_in`."""
    return instances_in(open_picture(path))


def instances_in(picture: Image.Image) -> np.ndarray:
    """An instance map, (H, W) int32: one number an object, whatever the number.

    One channel of 8, 16 or 32 bits, or colours (red first), where each colour is an object. Raises BadImageError.
    """
    if is_lossy(picture):
        raise BadImageError(
            "The instance map is a JPEG, which smears numbers at every border.", "Save it as a PNG anew."
        )
    if picture.mode in ID_MODES:
        return np.asarray(picture).astype(np.int32)
    red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB")).astype(np.int32), 2, 0)
    return red << 16 | green << 8 | blue


@contextlib.contextmanager
def picture_to_write(path: Path, source: Path | None = None) -> Iterator[PictureFile]:
    """Claim an output file before the long work starts; its content appears in one piece or not at all.

    An existing file is kept until the new one is complete. Raises CannotWriteError where the folder is missing or
    read-only, the suffix names no picture format, or the file is `source`, the label map itself.
    """
    if path.suffix.lower() not in FORMATS:
        known = ", ".join(FORMATS)
        raise CannotWriteError(
            f"'{path.name}' does not name a kind of picture.", f"End it in one of {known}."
        )
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise CannotWriteError(
            "The output would replace the label map itself.", "Choose another name after -o."
        )
    if not path.parent.is_dir():
        raise CannotWriteError(f"There is no folder {path.parent}.", "Make it first, or choose another one.")
    claim(path)
    yield PictureFile(path)


class PictureFile:
    """An output file that was claimed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, rgb: np.ndarray, notes: Mapping[str, str] | None = None) -> None:
        """Write (H, W, 3) uint8 in one piece, with `notes` as text in PNG, and as EXIF in the other formats.

        Raises CannotWriteError.
        """
        image = Image.fromarray(rgb)
        kind = FORMATS[self.path.suffix.lower()]
        options: dict = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
        if kind == "PNG" and notes:
            options["pnginfo"] = text = PngImagePlugin.PngInfo()
            for key, value in notes.items():
                text.add_itxt(key, value)
        elif notes:
            options["exif"] = exif = image.getexif()
            exif[ExifTags.Base.Software] = notes.get("Software", "")
            exif[ExifTags.Base.ImageDescription] = "; ".join(
                f"{key}: {value}" for key, value in notes.items()
            )
        with replacing(self.path) as part:
            image.save(part, kind, **options)


def _refuse_other_colors(picture: Image.Image, ids: np.ndarray, label_set: LabelSet) -> None:
    """A colour-coded map that a program saved with a palette: its indices are that program's, and no ids.

    Raises BadImageError where all colours in use are the set's own and one of them belongs to another class than the
    index.
    """
    colors = np.frombuffer(picture.palette.tobytes() if picture.palette else b"", np.uint8)
    channels = len(picture.palette.mode) if picture.palette else 3
    colors = colors[: colors.size // channels * channels].reshape(-1, channels)[:, :3]
    owners: dict[tuple, set[int]] = {}
    for entry in label_set.classes:
        owners.setdefault(entry.rgb, set()).add(entry.id)
    used = np.flatnonzero(np.bincount(ids.ravel(), minlength=256))
    if used.size == 0 or used[-1] >= len(colors):
        return
    # Black is what `colorize` paints where there is no class.
    shown = {int(index): tuple(colors[index].tolist()) for index in used}
    meant = {index: owners.get(color, set()) for index, color in shown.items()}
    wrong = [index for index, classes in meant.items() if classes and index not in classes]
    if wrong and all(meant[index] or color == (0, 0, 0) for index, color in shown.items()):
        raise BadImageError(
            f"The label map's palette has the colours of '{label_set.name}', but in another order: index {wrong[0]} "
            f"shows the colour of class {min(meant[wrong[0]])}.",
            "Convert it by its colours with `spade dataset convert`, or save it as one channel of ids.",
        )


def _opaque(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels[..., -1].min() < 255:
        raise BadImageError(
            "The label map is transparent in places, where it has no class.",
            f"{ONE_CHANNEL}, without transparency.",
        )
    return pixels


def _ids_of_colors(rgb: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """(H, W, 3) uint8 colours -> (H, W) ids, where each colour is exactly that of one class."""
    codes = (rgb.astype(np.uint32) << np.array([16, 8, 0], np.uint32)).sum(axis=2, dtype=np.uint32)
    present, position = np.unique(codes, return_inverse=True)
    owners: dict[int, list] = {}
    for entry in label_set.classes:
        owners.setdefault(int(entry.color[1:], 16), []).append(entry)
    strange = [f"#{code:06X}" for code in present.tolist() if code not in owners]
    if strange:
        listed = ", ".join(strange[:4]) + (" and others" if len(strange) > 4 else "")
        raise BadImageError(
            f"The label map is in colours that the label set '{label_set.name}' does not have: {listed}.",
            f"{ONE_CHANNEL}, or use the exact colours of `spade labels show {label_set.name}`.",
        )
    for code in present.tolist():
        if len(owners[code]) > 1:
            names = " and ".join(entry.name for entry in owners[code][:2])
            raise BadImageError(f"The colour #{code:06X} may mean {names}.", f"{ONE_CHANNEL}.")
    ids = np.array([owners[code][0].id for code in present.tolist()], label_set.dtype)
    return ids[position.reshape(codes.shape)]
