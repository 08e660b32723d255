# SPDX-License-Identifier: Apache-2.0
"""Who a server is and whom it lets in, in the user's private folder of keys (contract.keys).

users/anna.json   the public key of somebody else who may come in
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from pathlib import Path

from spade_core.contract.errors import BadOptionError, CannotWriteError, UnavailableError
from spade_core.contract.keys import KEY, KeyPair, keys_folder, read_pair

LOCAL = "local"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


class KeyStore:
    """Reads and writes the folder. Errors: CannotWriteError, UnavailableError where a file is damaged."""

    def __init__(self) -> None:
        self.folder = keys_folder()
        self._users = self.folder / "users"

    def identity(self) -> KeyPair:
        """The server's pair, made when it is first wanted."""
        return self._pair(self.folder / "identity.json")

    def local(self) -> KeyPair:
        """The pair of this machine's user."""
        return self._pair(self.folder / "local.json")

    def users(self) -> dict[str, str]:
        """Public keys of those who are let in from elsewhere, by their names."""
        try:
            files = sorted(self._users.glob("*.json"))
        except OSError:
            return {}
        found = {}
        for file in files:
            try:
                public = json.loads(file.read_text(encoding="utf-8"))["public"]
            except (OSError, ValueError, TypeError, KeyError, RecursionError):
                continue  # a damaged one lets nobody in
            if isinstance(public, str) and KEY.fullmatch(public):
                found[file.stem] = public
        return found

    def changed_at(self) -> int:
        """When somebody was let in or no longer, in nanoseconds; 0 where nobody ever was."""
        try:
            return self._users.stat().st_mtime_ns
        except OSError:
            return 0

    def allow(self, name: str, public: str) -> None:
        """Let somebody in by a public key. Raises BadOptionError where there is one of this name."""
        if not _NAME.fullmatch(name) or name == LOCAL:
            raise BadOptionError(
                f"'{name}' cannot be a user's name.", "Use up to 40 small letters, digits, dots and dashes."
            )
        if not KEY.fullmatch(public):
            raise BadOptionError(
                "That is no public key.", "It has 40 letters, as `spade-server keys` prints it."
            )
        if (self._users / f"{name}.json").exists():
            raise BadOptionError(
                f"There is a key of '{name}' already.", f"Revoke it first: keys revoke {name}"
            )
        _write(self._users / f"{name}.json", {"public": public})

    def revoke(self, name: str) -> None:
        """Let this user in no longer; a running server notices within a second. Raises BadOptionError."""
        try:
            if not _NAME.fullmatch(name):
                raise FileNotFoundError
            (self._users / f"{name}.json").unlink()
        except FileNotFoundError:
            known = ", ".join(self.users()) or "nobody"
            raise BadOptionError(f"There is no key of '{name}'.", f"Known are: {known}.") from None

    def _pair(self, file: Path) -> KeyPair:
        try:
            return read_pair(file)
        except FileNotFoundError:
            pair = KeyPair.new()
            _write(file, asdict(pair))
            return pair
        except (OSError, ValueError):
            raise UnavailableError(
                f"The key file '{file}' cannot be read.",
                "Remove it: a new one is made, and others need new key files then.",
            ) from None


def _write(file: Path, table: dict[str, str]) -> None:
    """In one piece, for the owner alone (0600 in folders of 0700)."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        for folder in (file.parent.parent, file.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            json.dump(table, opened, indent=2)
        os.replace(temporary, file)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise CannotWriteError(
            f"The key file '{file}' cannot be written: {problem.strerror}.",
            "Make room there, or give this user the right to write.",
        ) from None
