# SPDX-License-Identifier: Apache-2.0
"""What a file is that is named as weights, by its first bytes: nothing in it is run, and little of it is read."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

from safetensors import safe_open

from ...contract.errors import BadCheckpointError

OWN_FORMATS = {
    "spade-backdrops 1": ("a model of this program already", "Use it as it is, as in --model {path}."),
    "spade-backdrops segmenter": (
        "a segmenter of this program",
        "`spade evaluate --segmenter {path}` takes it.",
    ),
    "spade-backdrops upscaler": (
        "an upscaler of this program",
        "`spade generate --upscale {path}` takes it.",
    ),
}
"""By the beginning of what their files say of themselves: what they are, and how they are used."""


def refuse_other_files(path: Path) -> None:
    """Raises BadCheckpointError for a file of a known kind that holds no published weights; OSError."""
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(b"version https://git-lfs"):
        raise BadCheckpointError(
            f"{path.name} is a pointer of Git LFS, not the file itself.",
            "Run `git lfs pull` where it was cloned.",
        )
    if head.lstrip()[:9].lower() in (b"<!doctype", b"<html>", b"<html lan"):
        raise BadCheckpointError(
            f"{path.name} is a web page, not a PyTorch file.",
            "Download it again: what was saved is the page in front of it.",
        )
    if head[:2] == b"PK":
        _refuse_other_archives(path)
    elif head[:1] != b"\x80" and tarfile.is_tarfile(path):
        raise BadCheckpointError(
            f"{path.name} is a tar archive, not a PyTorch file.",
            "Unpack it, and name the folder with latest_net_G.pth.",
        )
    elif is_safetensors(path):
        _refuse_own(path)


def is_safetensors(path: Path) -> bool:
    """Whether it begins as safetensors do: the length of a header, and then the header, JSON."""
    with path.open("rb") as file:
        head = file.read(9)
    return head[8:] == b"{" and 8 + int.from_bytes(head[:8], "little") <= path.stat().st_size


def _refuse_other_archives(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return  # cut off: torch.load says so
    if any(name.endswith("/constants.pkl") for name in names):
        raise BadCheckpointError(
            f"{path.name} is a TorchScript program, not a state dict; it was refused unopened.",
            "Save the module's state_dict() where its code is, and import that.",
        )
    inside = [name for name in names if name.endswith((".pth", ".pt", ".tar"))]
    if inside:
        raise BadCheckpointError(
            f"{path.name} is a zip archive with {inside[0]} in it.", "Unpack it, and name what was in it."
        )


def _refuse_own(path: Path) -> None:
    with safe_open(path, framework="pt") as file:
        said = (file.metadata() or {}).get("format", "")
    for begins, (what, fix) in OWN_FORMATS.items():
        if said.startswith(begins):
            raise BadCheckpointError(f"{path.name} is {what}.", fix.format(path=path))
