# SPDX-License-Identifier: Apache-2.0
"""Why a folder is no data set, by what lies in it: another program's export, other endings, other names."""

from __future__ import annotations

from pathlib import Path

from ...contract.errors import BadImageError
from ..exports.base import Format
from ..exports.masks import common_ending
from ..exports.registry import format_named, how_to_convert, recognised, titles
from .listing import Listing
from .passed_over import passed_over, what_there_is


def no_pairs(root: Path, split: str | None, expects: str, found: Listing) -> BadImageError:
    """With what there is instead, and the command where it is another program's export."""
    exports = recognised(root)
    if exports:
        return to_convert(root, exports)
    where = f" for '{split}'" if split else ""
    seen = what_there_is(root)
    message = f"No photo with a label map of the same name was found in {root}{where}"
    fix = expects
    endings = (common_ending([file.stem for file in some]) for some in (found.unlabelled, found.unpictured))
    if any(pair_endings := tuple(endings)):
        other = " and ".join(f"'{ending}'" for ending in pair_endings if ending)
        command = how_to_convert(root, [format_named("hugging-face")]).removesuffix("`")
        fix = f"Their names end in {other}: take that away, or run {command} --format hugging-face`"
    elif unread := next((each for each in passed_over(root, found) if each.is_of_another_kind), None):
        fix = unread.why.removesuffix(".")
    elif found.left_out and not found.unlisted:
        message = f"Of the pairs in {root}, index.csv puts none into {split or 'train or val'}"
        fix = "Write train or val behind each name"
    elif found.unlisted:
        fix = f"Write names as {found.unlisted[0].stem} into index.csv, and train or val behind each"
    return BadImageError(f"{message} ({seen})." if seen else f"{message}.", f"{fix}.")


def to_convert(root: Path, exports: list[Format]) -> BadImageError:
    """For another program's export: with the command that reads it."""
    return BadImageError(
        f"{root} looks like {titles(exports)}, which has to be converted.",
        f"Run {how_to_convert(root, exports)}.",
    )


def of_no_layout(root: Path, expects: str, layouts: list[str]) -> BadImageError:
    """For a folder of none of the known layouts. expects: where files of a plain folder belong."""
    if exports := recognised(root):
        return to_convert(root, exports)
    seen = what_there_is(root)
    return BadImageError(
        f"{root} is laid out as none of the known data sets{f' ({seen})' if seen else ''}.",
        f"{expects}; or name one of {', '.join(layouts)}.",
    )
