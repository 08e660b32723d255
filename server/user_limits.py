# SPDX-License-Identifier: Apache-2.0
"""What one user may have on a server at once, as its configuration says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UserLimits:
    """What a user from another machine may have on the server at once."""

    jobs: int = 32
    """that wait or run"""

    megabytes: int = 32
    """of label maps and style pictures of these jobs"""

    connections: int = 16
    """from one or several machines"""


NOT_LIMITED = UserLimits(jobs=10**9, megabytes=10**9, connections=10**9)
"""Who runs the server could as well stop it."""
