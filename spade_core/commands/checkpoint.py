# SPDX-License-Identifier: Apache-2.0
"""`spade checkpoint`: what a model file holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class Checkpoint:
    """Say what a checkpoint file holds."""

    action: tyro.conf.Positional[Literal["info"]]
    """what to do"""
    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """a .safetensors checkpoint"""

    def run(self) -> int:
        from ..checkpoint import file_digest, load_checkpoint

        held = load_checkpoint(self.file)
        label_set = held.label_set
        weights = [*held.generator_weights.values(), *held.encoder_weights.values()]
        kinds = sorted({str(weight.dtype).removeprefix("torch.") for weight in weights})
        rows = {
            "file": f"{self.file} ({self.file.stat().st_size / 1e6:.1f} MB)",
            "digest": file_digest(self.file),
            "label set": f"{label_set.name} ({len(label_set.classes)} classes), {label_set.digest[:12]}",
            "native size": f"{held.native_size} x {held.native_size}",
            "weights": f"{sum(weight.numel() for weight in weights) / 1e6:.2f} million, {', '.join(kinds)}",
            "generator": held.generator,
            "style encoder": held.style_encoder or "none",
            **held.provenance,
        }
        width = max(map(len, rows))
        for name, value in rows.items():
            print(f"{name:<{width}}  {value}")
        return 0
