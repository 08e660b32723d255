# SPDX-License-Identifier: Apache-2.0
"""Photos in one folder, masks of ids under the same names in another: found, and read with the names of the ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...contract.errors import BadImageError
from ...contract.labels import load_label_set
from .base import ClassList, Export, Record, read_json
from .masks import UNLABELLED, bare_names, by_id, ids_in_all
from .photos import PHOTO_ENDINGS, Photos, files_below
from .splits import NAMES

NAME_FILES = ("label_set.toml", "id2label.json", "classes.txt", "labels.txt", "class_names.txt")
MASK_ENDINGS = (".png", ".tif", ".tiff", ".bmp", ".webp")


@dataclass(frozen=True)
class TwinFolders:
    """Photos and the masks of one split."""

    photos: Path
    masks: Path
    split: str = ""


def twin_folders(root: Path, photos: tuple[str, ...], masks: tuple[str, ...]) -> list[TwinFolders]:
    """Folders of these names in a folder: both with splits inside, both inside splits, or without splits."""
    if not root.is_dir():
        return []
    splits = sorted(each.name for each in root.iterdir() if each.is_dir() and each.name.lower() in NAMES)
    found = [
        TwinFolders(*twin, NAMES[split.lower()]) for split in splits if (twin := _twin(root / split, photos, masks))
    ]  # fmt: skip
    if found or not (twin := _twin(root, photos, masks)):
        return found
    inner = sorted(each.name for each in twin[0].iterdir() if each.is_dir() and each.name.lower() in NAMES)
    both = [name for name in inner if (twin[1] / name).is_dir()]
    if both:
        return [TwinFolders(twin[0] / name, twin[1] / name, NAMES[name.lower()]) for name in both]
    return [TwinFolders(*twin)]


def mask_files(twin: TwinFolders) -> Iterator[Path]:
    return (file for file in files_below(twin.masks) if file.suffix.lower() in MASK_ENDINGS)


def read_twins(
    root: Path, twins: list[TwinFolders], names: dict[int, str] | None, elsewhere: Path | None
) -> Export:
    """elsewhere: a folder of photos that are not in their own. names: of the ids; None: those of a file beside them,
    else "class 0" and so on for the ids that occur.

    Raises BadImageError.
    """
    if not any(True for twin in twins for _ in mask_files(twin)):
        raise BadImageError(f"There are no masks in {root}.", "Put photos and masks into two folders.")
    notes: list[str] = []
    if names is None:
        names, notes = names_or_numbers(root, (file for twin in twins for file in mask_files(twin)))
    classes = ClassList()
    places = {id: classes.place(name, id=id) for id, name in names.items()}
    records, without, others = [], 0, Photos(elsewhere)
    for twin in twins:
        masks = bare_names(mask_files(twin), twin.masks)
        pictures = (file for file in files_below(twin.photos) if file.suffix.lower() in PHOTO_ENDINGS)
        photos = bare_names(pictures, twin.photos)
        prefix = f"{twin.split}/" if twin.split else ""
        records += [
            Record(
                f"{prefix}{name}",
                photos.get(name) or others.find(name),
                by_id(file, places),
                twin.split,
                file,
            )
            for name, file in sorted(masks.items())
        ]
        without += len(photos.keys() - masks.keys())
    notes += [f"{without} photos have no mask."] if without else []
    return Export(classes.classes, records, notes)


def names_or_numbers(root: Path, masks: Iterable[Path]) -> tuple[dict[int, str], list[str]]:
    """What a file beside them calls the ids of some masks; else "class 0" and so on, and a note that says so."""
    if (names := names_beside(root)) is not None:
        return names, []
    used = sorted(ids_in_all(masks) - {UNLABELLED})
    note = f"Nothing says what its ids are called ({NAME_FILES[1]} or {NAME_FILES[2]} would)."
    return {id: f"class {id}" for id in used}, [note]


def names_beside(root: Path) -> dict[int, str] | None:
    """What the ids are called, by a file beside them: {"0": "sky"} as JSON, or a name a line. Raises BadImageError."""
    file = next((root / name for name in NAME_FILES if (root / name).is_file()), None)
    if file is None:
        return None
    try:
        if file.suffix == ".toml":
            found = {each.id: each.name for each in load_label_set(file).classes}
        elif file.suffix == ".json":
            held = read_json(file)
            held = held.get("id2label", held)
            found = {int(id): str(name) for id, name in held.items()}
        else:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
            found = dict(enumerate(line.strip() for line in lines if line.strip()))
        if not found or not all(name.strip() and 0 <= id <= 65535 for id, name in found.items()):
            raise ValueError
        return found
    except (OSError, ValueError, AttributeError, TypeError):
        raise BadImageError(
            f"{file} is no list of names.", 'Write {"0": "sky", "1": "tree"}, or a name a line.'
        ) from None


def _twin(folder: Path, photos: tuple[str, ...], masks: tuple[str, ...]) -> tuple[Path, Path] | None:
    inside = {each.name.lower(): each for each in sorted(folder.iterdir()) if each.is_dir()}
    first, second = (
        next((inside[name] for name in names if name in inside), None) for names in (photos, masks)
    )
    return (first, second) if first and second else None
