# SPDX-License-Identifier: Apache-2.0
"""mmsegmentation: img_dir/train and ann_dir/train. Training reads it as it is; converted it has its classes' names."""

from __future__ import annotations

from pathlib import Path

from ....contract.errors import BadImageError
from ..base import Export, Format
from ..folders import read_twins, twin_folders
from .hugging_face import is_own

PHOTOS, MASKS = ("img_dir",), ("ann_dir",)


def recognises(root: Path) -> bool:
    return bool(twin_folders(root, PHOTOS, MASKS)) and not is_own(root)


def read(root: Path, elsewhere: Path | None) -> Export:
    """Raises BadImageError without such folders."""
    twins = twin_folders(root, PHOTOS, MASKS)
    if not twins:
        raise BadImageError(f"There are no folders img_dir/ and ann_dir/ in {root}.", "Check the path.")
    return read_twins(root, twins, None, elsewhere)


FORMAT = Format("mmsegmentation", "mmsegmentation", recognises, read)
