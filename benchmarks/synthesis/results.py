# SPDX-License-Identifier: Apache-2.0
"""What was measured, as a file that further runs add to."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from .measuring import Row
from .profile import Profile
from .systems import has_bf16


@dataclass(frozen=True)
class Large:
    """A picture of the embedded model in tiles: seconds of the clock and of the processor, memory over the loaded
    process."""

    side: int
    seconds: float
    processor_seconds: float
    mebibytes: float

    @property
    def key(self) -> str:
        return str(self.side)


@dataclass(frozen=True)
class Results:
    """By their keys. machine: in words."""

    machine: str = ""
    rows: dict[str, Row] = field(default_factory=dict)
    large: dict[str, Large] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
    layers: dict[str, float] = field(default_factory=dict)
    """As of layer.layers."""
    preview: dict[str, float] = field(default_factory=dict)
    """As of layer.preview_differences."""

    @classmethod
    def read(cls, file: Path) -> Results:
        if not file.exists():
            return cls()
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            found["machine"],
            {key: Row(**each) for key, each in found["rows"].items()},
            {key: Large(**each) for key, each in found["large"].items()},
            {key: Profile(**each) for key, each in found["profiles"].items()},
            found["layers"],
            found["preview"],
        )

    def write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        part.replace(file)

    def on_this_machine(self) -> Results:
        """Those of another machine are left out."""
        kinds = [torch.backends.cpu.get_cpu_capability(), *(["with bfloat16"] if has_bf16() else [])]
        machine = f"{_processor()}, {os.cpu_count()} cores, torch {torch.__version__} ({' '.join(kinds)})"
        return self if self.machine == machine else Results(machine)

    def with_rows(self, rows: Sequence[Row]) -> Results:
        return replace(self, rows={**self.rows, **{row.key: row for row in rows}})

    def with_large(self, large: Large) -> Results:
        return replace(self, large={**self.large, large.key: large})

    def with_profile(self, profile: Profile) -> Results:
        return replace(self, profiles={**self.profiles, profile.key: profile})

    def with_layers(self, layers: dict[str, float], preview: dict[str, float]) -> Results:
        return replace(self, layers=layers, preview=preview)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
