# SPDX-License-Identifier: Apache-2.0
"""How the files of a training run are called: by the number of photos seen.

RUN/model_00012000.safetensors   the averaged weights, ready to serve
RUN/state_00012000.pt            everything to go on from
"""

from __future__ import annotations

import re
from pathlib import Path

MODELS, STATES = "model_*.safetensors", "state_*.pt"
_NUMBERED = re.compile(r"(model|state)_(\d+)\.(safetensors|pt)")


def model_path(run: Path, photos: int) -> Path:
    return run / f"model_{photos:08}.safetensors"


def state_path(run: Path, photos: int) -> Path:
    return run / f"state_{photos:08}.pt"


def photos_seen(path: Path) -> int:
    """By the file's name; -1 for a file that is called otherwise."""
    found = _NUMBERED.fullmatch(path.name)
    return int(found[2]) if found else -1


def models_of(run: Path) -> list[Path]:
    """The models of a run, the newest last."""
    return _numbered(run, MODELS)


def states_of(run: Path) -> list[Path]:
    """The states of a run, the newest last."""
    return _numbered(run, STATES)


def _numbered(run: Path, pattern: str) -> list[Path]:
    return sorted((path for path in run.glob(pattern) if photos_seen(path) >= 0), key=photos_seen)
