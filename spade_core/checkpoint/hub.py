# SPDX-License-Identifier: Apache-2.0
"""Models by their names on the Hugging Face hub, org/name: read from the cache on this machine.

Nothing is fetched but by `download`, and of a repository only the checkpoint and its description: no code, no pickles.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..contract.errors import UnavailableError, UnknownModelError

WEIGHTS, CONFIG = "model.safetensors", "config.json"
"""What a repository calls a checkpoint, and its description, by which the hub counts downloads."""

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
CACHED = re.compile(r"models--(?P<org>.+?)--(?P<name>.+)")

FILES = {".safetensors", ".pt", ".pth"}
"""What ends so is a file, and not there."""

INSTALL = "Run: pip install 'spade-backdrops[hub]'."


def is_hub_name(word: str) -> bool:
    """Whether it looks like org/name, and no file or folder is called so."""
    path = Path(word)
    return NAME.fullmatch(word) is not None and path.suffix not in FILES and not path.exists()


def cached_model(name: str) -> Path | None:
    """The checkpoint of a repository in the cache of this machine; None where there is none, or no library to ask."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = try_to_load_from_cache(name, WEIGHTS)
    return Path(found) if isinstance(found, str) else None


def hub_name(path: Path) -> str | None:
    """org/name of a checkpoint in the cache; None of any other file."""
    found = next((match for part in path.parts if (match := CACHED.fullmatch(part))), None)
    return found and f"{found['org']}/{found['name']}"


def download(name: str, revision: str | None = None) -> Path:
    """Fetch a repository's checkpoint into the cache. revision: a branch, tag or commit; None: its main branch.

    Raises UnavailableError and UnknownModelError.
    """
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
    except ImportError:
        raise UnavailableError(
            "Fetching models from the Hugging Face hub needs the library huggingface_hub.", INSTALL
        ) from None
    if not NAME.fullmatch(name):
        raise UnknownModelError(f"'{name}' is no name on the Hugging Face hub.", "Name it as ORG/NAME.")
    try:
        fetched = [_fetched(huggingface_hub, name, file, revision) for file in (WEIGHTS, CONFIG)]
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError, TimeoutError) as problem:
        raise UnavailableError(
            f"The Hugging Face hub cannot be reached ({type(problem).__name__}).",
            "Check the connection; models that were fetched before are used without one.",
        ) from None
    except (HfHubHTTPError, OSError) as problem:
        first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise UnknownModelError(
            f"{WEIGHTS} of '{name}' cannot be fetched: {first[:150]}",
            "Check the name on huggingface.co; `hf auth login` opens what is private.",
        ) from None
    return fetched[0]


def _fetched(library: Any, name: str, file: str, revision: str | None) -> Path:
    return Path(library.hf_hub_download(name, file, revision=revision, library_name="spade-backdrops"))
