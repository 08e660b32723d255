# SPDX-License-Identifier: Apache-2.0
"""A segmenter by what the user names: our own file, or a Hugging Face checkpoint."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from ..contract.errors import LabelSetMismatchError
from ..contract.labels import LabelSet, load_label_set
from .own_segmenter import OwnSegmenter, SegmenterFile
from .segmenter import Segmenter


def load_segmenter(path: Path, label_set: LabelSet, device: torch.device) -> Segmenter:
    """Our own segmenter from a file, or a Hugging Face one from a folder.

    Raises BadCheckpointError, LabelSetMismatchError, and UnavailableError where a folder needs a library that is not
    installed.
    """
    if path.is_dir():
        from .hugging_face import HuggingFaceSegmenter

        return HuggingFaceSegmenter(path, label_set, device)
    file = SegmenterFile.load(path)
    if file.label_set.digest != label_set.digest:
        raise LabelSetMismatchError(
            f"The segmenter {path.name} tells the classes of '{file.label_set.name}', not of '{label_set.name}'.",
            "Train one on pairs of that label set with: spade train-segmenter",
        )
    return OwnSegmenter(file, path.name, device)


def label_set_for(path: Path, named: str | None) -> LabelSet:
    """The label set that was named, or that of our own segmenter; for a folder, whose classes have names only,
    landscape. Raises BadLabelSetError and BadCheckpointError."""
    if named:
        return load_label_set(named)
    return load_label_set("landscape") if path.is_dir() else SegmenterFile.load(path).label_set


def segmenter_digest(path: Path) -> str:
    """Equal for equal files: of our own segmenter by content, of a checkpoint's folder by names, sizes and dates."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(path.iterdir()):
            about = file.stat()
            digest.update(f"{file.name}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    else:
        digest.update(path.read_bytes())
    return digest.hexdigest()
