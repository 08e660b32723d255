# SPDX-License-Identifier: GPL-3.0-or-later
"""What went wrong in an installation, as one sentence and a remedy, from its log."""

from __future__ import annotations

import re

from ..contract.errors import CannotWriteError, SpadeError, UnavailableError

_AGAIN = "Then press Install Server again."
# the likeliest cause first
_REASONS: tuple[tuple[str, type[SpadeError], str, str], ...] = (
    (
        r"No space left on device|Errno 28|not enough space|WinError 112",
        CannotWriteError,
        "The disk filled up while the server was being installed.",
        f"Free some space. {_AGAIN}",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerification",
        UnavailableError,
        "The package index could not be trusted: its certificate was refused.",
        f"Behind a company proxy, tell pip its certificate: `pip config set global.cert FILE`. {_AGAIN}",
    ),
    (
        r"NewConnectionError|NameResolution|name resolution|getaddrinfo failed|Max retries exceeded"
        r"|ReadTimeout|ConnectTimeout|ConnectionReset|ProxyError|Network is unreachable|Connection refused",
        UnavailableError,
        "The package index cannot be reached.",
        f"Check the network, or choose a folder of wheels. {_AGAIN}",
    ),
    (
        r"Permission denied|Errno 13|WinError 5\b",
        CannotWriteError,
        "A file of the server's environment could not be written.",
        f"Close programs that use it, a virus scanner included. {_AGAIN}",
    ),
    (
        r"No module named '?(?:venv|ensurepip)|ensurepip is not available|No module named pip",
        UnavailableError,
        "Blender's Python cannot make an environment: its modules venv and ensurepip are missing.",
        "Where Blender uses the system's Python, install its package for venv (python3-venv); or use Blender from "
        "blender.org.",
    ),
    (
        r"No matching distribution found for (?P<wanted>[^\s;]+)",
        UnavailableError,
        "There is no {wanted} for this Python and system where the packages were looked for.",
        f"Complete the folder of wheels, or install from the network. {_AGAIN}",
    ),
    (
        r"requires a different Python|is not a supported wheel on this platform",
        UnavailableError,
        "The server inside this add-on is for another Python than this Blender's.",
        "Install the zip of the add-on for this Blender.",
    ),
    (
        r"is invalid\.|BadZipFile|Invalid wheel|has an invalid wheel|HASHES? DO(?:ES)? NOT MATCH",
        UnavailableError,
        "A package is damaged.",
        f"Fetch it anew, or install from the network. {_AGAIN}",
    ),
    (
        r"ImportError|ModuleNotFoundError|OSError: .*\.(?:so|dll|dylib)",
        UnavailableError,
        "What was installed does not start on this computer.",
        "Save the diagnostics and read install.log in them: its last lines name the part that is missing.",
    ),
)


def explain(log: str) -> SpadeError:
    """The error to show for an installation that failed with this log."""
    for pattern, kind, message, fix in _REASONS:
        if found := re.search(pattern, log):
            return kind(message.format(**found.groupdict()), fix)
    lines = [line.strip() for line in log.splitlines() if line.strip() and line[0] not in "@$"]
    last = f" Its last words: {lines[-1][:160]}" if lines else ""
    return UnavailableError(
        f"The server could not be installed.{last}", fix=f"Save the diagnostics to read all. {_AGAIN}"
    )
