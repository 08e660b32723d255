# SPDX-License-Identifier: Apache-2.0
"""Results are written in one piece: an older file stays until the new one is complete."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from .contract.errors import CannotWriteError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The name of a file to write beside `path`, which takes its place when the block ends well.

    Folders on the way are made. Raises CannotWriteError.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except (OSError, SafetensorError) as problem:
        raise cannot_write(path, problem) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def as_readable_as_others(path: Path) -> None:
    """A file that a library has made for its own user alone gets the permissions that new files have here."""
    umask = os.umask(0o077)
    os.umask(umask)
    path.chmod(0o666 & ~umask)


def claim_folder(folder: Path) -> None:
    """Make a folder and see that files can be written in it, before the long work starts. Raises CannotWriteError."""
    probe = folder / ".probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as problem:
        raise cannot_write(folder, problem) from None


def claim(path: Path) -> None:
    """See that a file of this name can be written, before the long work starts. Raises CannotWriteError."""
    if path.is_dir():
        raise CannotWriteError(f"{path} is a folder.", "Name a file after -o.")
    claim_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """UTF-8, in one piece. Raises CannotWriteError."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_torch(path: Path, value: Any) -> None:
    """Tensors and plain values, as torch.save writes them, in one piece. Raises CannotWriteError."""
    import torch  # here: most of what writes files does without

    held = io.BytesIO()  # torch's own writer turns a full disk into a RuntimeError that does not say so
    torch.save(value, held)
    with replacing(path) as part:
        part.write_bytes(held.getbuffer())


def cannot_write(path: Path, problem: OSError | SafetensorError) -> CannotWriteError:
    """The error for a file or folder that cannot be written."""
    why = (isinstance(problem, OSError) and problem.strerror or str(problem)).lower()
    fix = "Free some space, or choose another" if "space" in why else "Choose a"
    return CannotWriteError(f"{path} cannot be written: {why}.", f"{fix} folder that you may write to.")


def cache_folder() -> Path:
    """Where this user's programs keep what can be made again: spade-backdrops' own folder in it."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "spade-backdrops"
