# SPDX-License-Identifier: Apache-2.0
"""Which split a file of an export is in, by the folders and names that programs use."""

from __future__ import annotations

import re
from pathlib import Path

NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


def split_in(path: Path) -> str:
    """train, val or test by a folder of that name, or a word in the name of a file that holds many; else ""."""
    for folder in path.parts[:-1]:
        if folder.lower() in NAMES:
            return NAMES[folder.lower()]
    words = [word for word in re.split(r"[^a-z]+", path.name.lower()) if word in NAMES]
    return NAMES[words[0]] if words and path.suffix.lower() in (".json", ".parquet") else ""
