# SPDX-License-Identifier: Apache-2.0
"""How every command tells a person what is wrong: one sentence, and below it the remedy."""

from __future__ import annotations

import sys


def print_error(message: str, fix: str = "") -> None:
    """To stderr, after everything that was printed before."""
    sys.stdout.flush()
    print(f"error: {message}" + (f"\n  fix: {fix}" if fix else ""), file=sys.stderr, flush=True)
