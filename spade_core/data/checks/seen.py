# SPDX-License-Identifier: Apache-2.0
"""What a check saw that no single pair shows: black-and-white masks, names in two spellings, files in no pair."""

from __future__ import annotations

import shlex
import unicodedata
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from ...contract.labels import LabelSet
from ..exports.base import Format
from ..exports.registry import format_named, how_to_convert, recognised, titles
from ..layouts.layouts import OWN_LABEL_SET, TRAIN, VAL, layout_of
from ..layouts.listing import Listing, read_index
from ..layouts.passed_over import PassedOver
from ..pairs import UNLABELLED
from .inspection import ERROR, Finding, Inspected

PLAIN = ("folder", "split-folders", "flickr")
"""Layouts in which every picture is meant to be trained on; published data sets bring others along."""

BY_RULE = "ade20k-outdoor"
"""Layouts of which a rule leaves pairs out; how many is said elsewhere."""

BLACK_AND_WHITE = "black-and-white"


def is_black_and_white(ids: Collection[int], label_set: LabelSet) -> bool:
    """Whether label maps show 0 and 255 alone, and 255 is no class of the set: what is white would be without a class.

    ids: those in the label maps as they are read, where 255 is the set's ignore id.
    """
    classes = {each.id for each in label_set.classes}
    return set(ids) == {0, label_set.ignore_id} and not {UNLABELLED, label_set.ignore_id} & classes


def black_and_white(root: Path, inspected: list[Inspected], label_set: LabelSet) -> list[Finding]:
    """Masks of 0 and 255 alone, of which nothing would be learned."""
    if not is_black_and_white({id for each in inspected for id in each.pixels}, label_set):
        return []
    first = next((each.name for each in label_set.classes if each.id == 0), "one class")
    message = f"All label maps hold only 0 and 255, black and white: 255 is read as no class, and all else is {first}."
    command = how_to_convert(root, [format_named(BLACK_AND_WHITE)]).removesuffix("`")
    names = tuple(each.pair.name for each in inspected)
    fix = f"Make two classes of them: {command} --format {BLACK_AND_WHITE}`."
    return [Finding(ERROR, message, fix, len(names), names)]


def notes_on(root: Path, layout: str, listing: Listing, over: list[PassedOver]) -> list[str]:
    """The label set that is taken for want of another, an export that is read as it is, splits of no use, spellings,
    and files in no pair."""
    return [
        *_about_label_set(root, layout),
        *_about_splits(root, layout),
        *_about_spellings(listing),
        *([f"Passed over: {'; '.join(each.words for each in over)}."] if over else []),
    ]


def _about_label_set(root: Path, layout: str) -> list[str]:
    if layout_of(root, layout).label_set or (root / OWN_LABEL_SET).exists():
        return []
    exports = [each for each in recognised(root) if each.name != BLACK_AND_WHITE]
    if exports:
        return [f"It looks like {titles(exports)}; {_with_names(root, exports)}"]
    other = sorted(file.name for file in root.glob("*.toml"))
    misnamed = f" ({other[0]} is not called so)" if other else ""
    return [f"There is no {OWN_LABEL_SET}{misnamed}: the ids are read as those of the set named above."]


def _with_names(root: Path, exports: list[Format]) -> str:
    return f"{how_to_convert(root, exports)} writes it with a label set of its own."


def _about_splits(root: Path, layout: str) -> list[str]:
    index = root / "index.csv"
    if layout_of(root, layout).name not in ("folder", "flickr") or not index.exists():
        return []
    others = Counter(split for split in read_index(index).values() if split not in (TRAIN, VAL))
    return [
        f"index.csv puts {count} {'name' if count == 1 else 'names'} into '{split}', neither train nor val: left out."
        for split, count in others.items()
    ]


def _about_spellings(listing: Listing) -> list[str]:
    """Names that are written with other characters on both sides, and look the same."""
    pairs = [
        pair
        for pair in listing.pairs
        if pair.image.stem != pair.labels.stem
        and unicodedata.normalize("NFC", pair.image.stem) == unicodedata.normalize("NFC", pair.labels.stem)
    ]
    if not pairs:
        return []
    return [
        f"Photo and label map of {shlex.quote(pairs[0].name)}{f' and {len(pairs) - 1} others' if pairs[1:] else ''} "
        "spell their name in two ways that look the same (Unicode NFC and NFD): they are taken as pairs."
    ]
