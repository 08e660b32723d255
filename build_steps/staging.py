# SPDX-License-Identifier: Apache-2.0
"""Staging the extension: blender_addon/ plus a copy of the contract, as Blender will see it.

Blender wants an extension to be one package with relative imports only, and the contract has one source, in
spade_core/contract/. So the two are put together here, in milliseconds, by every command.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .environments import ROOT

ADDON = ROOT / "blender_addon"
CONTRACT = ROOT / "spade_core" / "contract"
STAGE = ROOT / "build" / "stage" / "spade_backdrops"
LEFT_OUT = {"__pycache__", ".DS_Store"}


def sources() -> dict[Path, Path]:
    """Every staged file: its path inside the extension -> the file it is a copy of."""
    found = {}
    for folder, inside in ((ADDON, Path()), (CONTRACT, Path("contract"))):
        for file in sorted(folder.rglob("*")):
            if file.is_file() and not LEFT_OUT & set(file.relative_to(folder).parts):
                found[inside / file.relative_to(folder)] = file
    return found


def stage(target: Path = STAGE) -> Path:
    """Bring `target` in line with the sources: copy what differs, delete what is stale. Returns `target`."""
    wanted = sources()
    for relative, source in wanted.items():
        copy = target / relative
        content = source.read_bytes()
        if not copy.is_file() or copy.read_bytes() != content:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
    _delete_stale(target, wanted)
    return target


def stage_for_import() -> None:
    """Stage, and let this process `import spade_backdrops`."""
    sys.path.insert(0, str(stage().parent))


def _delete_stale(target: Path, wanted: dict[Path, Path]) -> None:
    folders = {folder for relative in wanted for folder in relative.parents}
    for found in sorted(target.rglob("*")):  # a folder before what it holds
        relative = found.relative_to(target)
        if found.is_dir() and found.name != "__pycache__" and relative not in folders:
            shutil.rmtree(found)
        elif found.is_file() and "__pycache__" not in relative.parts and relative not in wanted:
            found.unlink()
