# SPDX-License-Identifier: Apache-2.0
"""Who may reach a server: nobody but this machine, as long as there are no keys."""

from __future__ import annotations

import ipaddress
import re

from spade_core.contract.errors import BadOptionError, ForbiddenError


def refuse_open_address(bind: str) -> None:
    """Raises ForbiddenError unless `bind` is a loopback port: there are no keys to guard any other."""
    found = re.fullmatch(r"tcp://(\d+\.\d+\.\d+\.\d+):(\*|\d{1,5})", bind)
    try:
        local = found is not None and ipaddress.ip_address(found[1]).is_loopback
        port = found[2] if found else "*"
    except ValueError:
        local, port = False, "*"
    if port != "*" and not 1 <= int(port) <= 65535:
        raise BadOptionError(
            f"There is no port {port}.", "Choose one from 1 to 65535, or * for any free one."
        )
    if not local:
        raise ForbiddenError(
            f"Listening at '{bind}' could let other machines in, and this release has no keys to guard it.",
            "Use --bind tcp://127.0.0.1:* and reach it from elsewhere through an SSH tunnel.",
        )
