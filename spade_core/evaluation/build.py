# SPDX-License-Identifier: Apache-2.0
"""A segmenter by what the user names: our own file, or a Hugging Face checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch

from ..contract.errors import LabelSetMismatchError
from ..contract.labels import LabelSet
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
