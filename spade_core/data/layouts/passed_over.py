# SPDX-License-Identifier: Apache-2.0
"""Files that lie in a data set and are in none of its pairs: what there is is said, where a pair was to be expected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..exports.photos import PHOTO_ENDINGS, files_below
from .listing import IMAGE_ENDINGS, LABEL_ENDINGS, Listing

KNOWN_FOLDERS = {"confidence"}
"""How sure a segmenter was, beside the label maps that it made."""

LOOKED_AT = 500_000
"""Files."""

PICTURE_LIKE = {
    *PHOTO_ENDINGS, *LABEL_ENDINGS, ".heic", ".heif", ".avif", ".jxl", ".jp2", ".npy", ".npz", ".mat", ".exr",
    ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".psd", ".svg",
}  # fmt: skip
"""What somebody may have meant as a photo or a label map."""

KNOWN = {
    "label_set.toml", "index.csv", "conversion.json", "labelling.json", "render.json", "confidence.csv",
    "contact_sheet.jpg", "thumbs.db", "desktop.ini", "scenecategories.txt", "outdoorcategories.txt",
    "objectinfo150.txt",
}  # fmt: skip


@dataclass(frozen=True)
class PassedOver:
    """Files of one ending in one folder. folder: below the data set, two levels at most."""

    folder: str
    ending: str
    files: tuple[Path, ...]

    @property
    def is_picture_like(self) -> bool:
        return self.ending in PICTURE_LIKE

    @property
    def words(self) -> str:
        """ "images/: 6 .heic" """
        return f"{self.folder}/: {len(self.files)} {self.ending or 'without ending'}"

    @property
    def is_of_another_kind(self) -> bool:
        """Whether it looks like photos or label maps, but of an ending that is not read as such."""
        return self.is_picture_like and self.ending not in self._taken

    @property
    def why(self) -> str:
        """Why it is in no pair, and what to do."""
        if not self.is_of_another_kind:
            return "They are in no split that is read; put them into one, or leave them."
        kind = "label maps: export them as PNG" if self._is_labels else "photos: save them as JPEG or PNG"
        return f"Only {', '.join(self._taken)} are read as {kind}."

    @property
    def _is_labels(self) -> bool:
        return any(word in self.folder.lower() for word in ("label", "mask", "ann"))

    @property
    def _taken(self) -> tuple[str, ...]:
        return LABEL_ENDINGS if self._is_labels else IMAGE_ENDINGS


def passed_over(root: Path, listing: Listing) -> list[PassedOver]:
    """What is in no pair and no list of the data set, the largest groups first; what belongs to none is not told."""
    groups: dict[tuple[str, str], list[Path]] = {}
    used = set(_used(listing))
    for file in islice(files_below(root), LOOKED_AT):
        inside = file.relative_to(root).parts
        if file not in used and inside[0] not in KNOWN_FOLDERS and file.name.lower() not in KNOWN:
            folder = "/".join(inside[:-1][:2]) or "."
            groups.setdefault((folder, file.suffix.lower()), []).append(file)
    found = [PassedOver(folder, ending, tuple(files)) for (folder, ending), files in groups.items()]
    return sorted(found, key=lambda each: -len(each.files))


def what_there_is(root: Path, at_most: int = 8) -> str:
    """Endings by folder, in words: "images/: 6 .heic; labels/: 6 .png"; "" for a folder without files."""
    counts: Counter[tuple[str, str]] = Counter()
    for file in islice(files_below(root), LOOKED_AT):
        folder = "/".join(file.relative_to(root).parts[:-1][:2]) or "."
        counts[folder, file.suffix.lower() or file.name] += 1
    folders = list(dict.fromkeys(folder for (folder, _), _ in counts.most_common()))
    words = [
        f"{folder}/: "
        + ", ".join(f"{count} {ending}" for (place, ending), count in counts.items() if place == folder)
        for folder in folders[:at_most]
    ]
    return "; ".join(words) + ("; and more" if len(folders) > at_most else "")


def _used(listing: Listing) -> Iterable[Path]:
    for pair in listing.pairs:
        yield from (file for file in (pair.image, pair.labels, pair.instances) if file is not None)
    yield from (*listing.unlabelled, *listing.unpictured, *listing.unlisted, *listing.left_out)
