# SPDX-License-Identifier: Apache-2.0
"""An export written as a data set of this program: images/, labels/, label_set.toml, index.csv, a sheet.

All is written into a folder beside it, which takes its name at the end. A conversion that is refused leaves nothing;
one that is stopped leaves that folder, and the same command goes on in it.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ...contract.errors import BadImageError, CannotWriteError, SpadeError
from ...files import cannot_write, replacing, write_text
from ...image_files import rgb_in
from ...progress import Progress, silent
from ..checks.contact_sheet import sheet_of_folder
from ..conversion import write_label_map
from ..layouts.layouts import OWN_LABEL_SET
from ..pairs import ORIENTATION, is_turned
from .base import MALFORMED, Export, Record, Size
from .meanings import Meanings
from .pictures import as_png, picture_of

ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif"}
"""Of photos that training reads as they are."""
RECIPE, SHEET = "conversion.json", "contact_sheet.jpg"
AT_ONCE = 256
"""Records that are waiting for a thread; what they hold is read only then."""


@dataclass
class Imported:
    """What came of an export."""

    written: int = 0
    skipped: int = 0
    """Were there already, from an earlier run."""
    empty: int = 0
    """Show no class anywhere, and are left out."""
    refused: dict[str, SpadeError] = field(default_factory=dict)
    """By name."""
    splits: Counter[str] = field(default_factory=Counter)
    pixels: Counter[int] = field(default_factory=Counter)
    """By id, of all label maps that were written now."""


def write_dataset(
    export: Export, meanings: Meanings, output: Path, recipe: dict, progress: Progress = silent
) -> Imported:
    """Write photos and label maps; a record that cannot be used is refused alone.

    recipe: what decides on the label maps, to tell whether an interrupted run may be gone on with. Raises
    CannotWriteError, also where the output is there already, and the records' error where all of them are refused.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise CannotWriteError(f"{output} is there already.", "Choose another folder after -o, or delete it.")
    part = output.with_name(output.name + ".part")
    try:
        _claim(part, recipe | {"classes": meanings.label_set.digest, "ids": list(meanings.ids)})
        done = _write_records(export, meanings, part, progress)
        if not done.written and not done.skipped:
            raise _all_refused(done)
        write_text(part / OWN_LABEL_SET, meanings.label_set.to_toml())
        sheet_of_folder(part, meanings.label_set, part / SHEET, output.resolve().name)
        (part / RECIPE).unlink()
        with contextlib.suppress(FileNotFoundError):
            output.rmdir()
        os.replace(part, output)
    except SpadeError:
        shutil.rmtree(part, ignore_errors=True)
        raise
    except OSError as problem:
        shutil.rmtree(part, ignore_errors=True)
        raise cannot_write(output, problem) from None
    return done


def _claim(part: Path, recipe: dict) -> None:
    """What an earlier run has left is kept if it was the same conversion."""
    text = json.dumps(recipe, sort_keys=True)
    try:
        same = (part / RECIPE).read_text(encoding="utf-8") == text
    except OSError:
        same = False
    if not same:
        shutil.rmtree(part, ignore_errors=True)
        write_text(part / RECIPE, text)


def _write_records(export: Export, meanings: Meanings, part: Path, progress: Progress) -> Imported:
    done, names = Imported(), file_names([record.name for record in export.records])
    jobs = list(zip(names, export.records, strict=True))
    rows: list[tuple[str, str]] = []

    def one(job: tuple[str, Record]) -> np.ndarray | SpadeError | None:
        try:
            return _write_record(*job, meanings, part)
        except CannotWriteError:
            raise
        except SpadeError as problem:
            return problem

    for number, ((name, record), came) in enumerate(_in_threads(one, jobs), 1):
        if isinstance(came, SpadeError):
            done.refused[record.name] = came
        elif came is not None and not _shows_a_class(came, meanings):
            done.empty += 1
        else:
            done.skipped += came is None
            done.written += came is not None
            done.pixels.update(dict(enumerate(came.tolist())) if came is not None else {})
            done.splits[record.split] += 1
            rows.append((name, record.split or "train"))
        progress("converting", number, len(jobs))
    if set(done.splits) - {""}:
        # What an export calls test is kept apart; where nothing else is set aside, it is what is measured on.
        spare = "test" if "val" in done.splits else "val"
        _write_index(
            part / "index.csv", [(name, spare if split == "test" else split) for name, split in rows]
        )
    done.pixels = +done.pixels
    return done


def _in_threads(one: Callable[[Any], Any], jobs: list) -> Iterator[tuple]:
    """Each job with what came of it, in order, a few hundred at once: decoding lets other threads run."""
    with ThreadPoolExecutor() as threads:
        for start in range(0, len(jobs), AT_ONCE):
            some = jobs[start : start + AT_ONCE]
            try:
                yield from zip(some, threads.map(one, some), strict=True)
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise


def _write_record(name: str, record: Record, meanings: Meanings, part: Path) -> np.ndarray | None:
    """Pixels by id, of a label map that was written unless it shows no class; None where it was there already.

    Raises SpadeError.
    """
    labels = part / "labels" / f"{name}.png"
    if _is_there(labels, record.source):
        return None
    if record.photo is None:
        raise BadImageError(
            f"There is no photo for {record.name}.", "Name the folder of the photos: --photos DIR."
        )
    photo, ending, sizes = _photo(record)
    size = record.size or sizes[0]
    if size not in sizes:
        raise _sizes_differ(record, size, sizes[0])
    try:
        class_map = record.class_map(size)
    except MALFORMED:
        raise BadImageError(f"The labels of {record.name} cannot be drawn.", "Export them again.") from None
    if class_map.shape[::-1] not in sizes:
        raise _sizes_differ(record, class_map.shape[::-1], sizes[0])
    ids = meanings.label_set.check(meanings.applied(class_map))
    pixels = np.bincount(ids.ravel())
    if not _shows_a_class(pixels, meanings):
        return pixels
    with replacing(part / "images" / f"{name}{ending}") as file:
        file.write_bytes(photo)
    write_label_map(labels, ids)
    return pixels


def _shows_a_class(pixels: np.ndarray, meanings: Meanings) -> bool:
    """pixels: how many there are, by id."""
    return pixels.sum() > pixels[meanings.label_set.ignore_id : meanings.label_set.ignore_id + 1].sum()


def _is_there(labels: Path, source: Path | None) -> bool:
    if not labels.exists():
        return False
    return source is None or labels.stat().st_mtime_ns >= source.stat().st_mtime_ns


def _photo(record: Record) -> tuple[bytes, str, list[Size]]:
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


def _sizes_differ(record: Record, labels: tuple[int, ...], photo: Size) -> BadImageError:
    return BadImageError(
        f"The labels of {record.name} are of {labels[0]} x {labels[1]} pixels, its photo has {photo[0]} x {photo[1]}.",
        "Put the photo there that was labelled.",
    )


def file_names(names: list[str]) -> list[str]:
    """A name for each record's files: the last part of its name, or all of them where two would be alike."""
    last = [PurePosixPath(name).name for name in names]
    seen = Counter(_clean(name).casefold() for name in last)
    found, taken = [], set()
    for name, short in zip(names, last, strict=True):
        chosen = _clean(short if seen[_clean(short).casefold()] == 1 else name.strip("/").replace("/", "-"))
        number, free = 2, chosen
        while free.casefold() in taken:
            free, number = f"{chosen}-{number}", number + 1
        taken.add(free.casefold())
        found.append(free)
    return found


def _clean(name: str) -> str:
    """Without what some system forbids in names, and never hidden."""
    return re.sub(r'[\\/:*?"<>|\x00-\x1f]', "-", name).lstrip(".") or "photo"


def _write_index(file: Path, rows: list[tuple[str, str]]) -> None:
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerows([("name", "split"), *rows])
    write_text(file, held.getvalue())


def _all_refused(done: Imported) -> SpadeError:
    """The first record's error, saying of how many it is one."""
    first = next(iter(done.refused.values()), None)
    if first is None:
        return BadImageError("The export holds no labelled photo.", "Export it with annotations and photos.")
    return type(first)(f"None of {len(done.refused)} pictures could be used. {first.message}", first.fix)


def recipe_of(root: Path, form: str, table: str | None, unknown: str) -> dict:
    """What decides on the label maps, besides the classes."""
    content = (
        hashlib.sha256(Path(table).read_bytes()).hexdigest() if table and Path(table).is_file() else table
    )
    return {"source": str(root.resolve()), "format": form, "table": content, "unknown": unknown}
