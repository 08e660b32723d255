# SPDX-License-Identifier: Apache-2.0
"""Results are written in one piece: an older file stays until the new one is complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

from ..contract.errors import CannotWrite


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The name of a file to write beside `path`, which takes its place when the block ends well.

    Folders on the way are made. Raises CannotWrite.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except (OSError, SafetensorError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else None
        raise CannotWrite(
            f"{path} cannot be written: {(why or str(problem)).lower()}.",
            "Free some space, or choose another folder that you may write to.",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def claim_folder(folder: Path) -> None:
    """Make a folder and see that files can be written in it, before the long work starts. Raises CannotWrite."""
    with replacing(folder / ".probe") as part:
        part.touch()
    (folder / ".probe").unlink(missing_ok=True)


def claim(path: Path) -> None:
    """See that a file of this name can be written, before the long work starts. Raises CannotWrite."""
    if path.is_dir():
        raise CannotWrite(f"{path} is a folder.", "Name a file after -o.")
    claim_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """UTF-8, in one piece. Raises CannotWrite."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
