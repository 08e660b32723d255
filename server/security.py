# SPDX-License-Identifier: Apache-2.0
"""Where a server may listen: on this machine always, beyond it only for those who have been given keys."""

from __future__ import annotations

import ipaddress
import re

from spade_core.contract.errors import BadOptionError, ForbiddenError

from .keys import KeyStore


def refuse_open_address(bind: str, store: KeyStore) -> None:
    """Raises BadOptionError where `bind` is no address, and ForbiddenError where it is beyond this machine while nobody
    has a key."""
    found = re.fullmatch(r"tcp://(\*|\d+\.\d+\.\d+\.\d+):(\*|\d{1,5})", bind)
    try:
        host = ipaddress.ip_address("0.0.0.0" if found and found[1] == "*" else found[1] if found else "")
    except ValueError:
        raise BadOptionError(
            f"'{bind}' is no address to listen at.", "Write tcp://127.0.0.1:5555; * is any free port."
        ) from None
    assert found is not None
    if found[2] != "*" and not 1 <= int(found[2]) <= 65535:
        raise BadOptionError(
            f"There is no port {found[2]}.", "Choose one from 1 to 65535, or * for a free one."
        )
    if not host.is_loopback and not store.users():
        raise ForbiddenError(
            f"At '{bind}' other machines can reach this server, and nobody on them has a key.",
            "Make one with `spade-server keys new NAME`, or use --bind tcp://127.0.0.1:*.",
        )
