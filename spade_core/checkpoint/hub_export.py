# SPDX-License-Identifier: Apache-2.0
"""A checkpoint as the folder of a Hugging Face repository: its card, what it is made of, and the file itself."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from ..files import replacing, write_text
from ..model.build import config_to_json
from .file import FORMAT, Checkpoint, file_digest, load_checkpoint
from .hub import CONFIG, WEIGHTS
from .model_card import CardRequest, model_card

CARD, LABEL_SET = "README.md", "label_set.toml"


def export_hub(file: Path, folder: Path, request: CardRequest) -> list[Path]:
    """Write the folder, each file in one piece, and return what is in it; the checkpoint byte for byte.

    Raises BadCheckpointError, CannotWriteError, and UnavailableError without huggingface_hub.
    """
    checkpoint = load_checkpoint(file)
    texts = {
        CARD: model_card(checkpoint, request),
        CONFIG: json.dumps(_config(checkpoint, file), indent=2, ensure_ascii=False) + "\n",
        LABEL_SET: checkpoint.label_set.to_toml(),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    if not (folder / WEIGHTS).exists() or not file.samefile(folder / WEIGHTS):
        with replacing(folder / WEIGHTS) as part:
            shutil.copyfile(file, part)
    return [folder / name for name in (*texts, WEIGHTS)]


def _config(checkpoint: Checkpoint, file: Path) -> dict[str, Any]:
    """What the checkpoint's own head says, for programs that do not open it."""
    encoder, label_set = checkpoint.style_encoder, checkpoint.label_set
    return {
        "library_name": "spade-backdrops",
        "format": FORMAT,
        "sha256": file_digest(file),
        "generator": config_to_json(checkpoint.generator),
        "style_encoder": encoder and dataclasses.asdict(encoder),
        "label_set": {
            "name": label_set.name,
            "digest": label_set.digest,
            "ignore_id": label_set.ignore_id,
            "classes": {str(entry.id): entry.name for entry in label_set.classes},
        },
        "native_size": checkpoint.native_size,
        "trained_size": checkpoint.trained_size,
    }
