# SPDX-License-Identifier: Apache-2.0
"""Single keys, read without Enter."""

from __future__ import annotations

import sys
import time
from typing import Any


class Keyboard:
    """The terminal behind stdin, within its `with`; where that is none, no key is ever pressed."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None

    def pressed(self, timeout_s: float) -> str:
        """The next key, waited for; "" where none comes in time."""
        if sys.platform == "win32":
            import msvcrt

            end = time.monotonic() + timeout_s
            while time.monotonic() < end:
                if msvcrt.kbhit():
                    return msvcrt.getwch()
                time.sleep(0.05)
            return ""
        import select

        if self._before is None:
            time.sleep(timeout_s)
            return ""
        readable, _, _ = select.select([sys.stdin], [], [], timeout_s)
        return sys.stdin.read(1) if readable else ""

    def __enter__(self) -> Keyboard:
        if sys.platform != "win32" and sys.stdin.isatty():
            import termios
            import tty

            self._before = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(self, *_: object) -> None:
        if sys.platform != "win32" and self._before is not None:
            import termios

            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)
