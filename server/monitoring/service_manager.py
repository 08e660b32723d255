# SPDX-License-Identifier: Apache-2.0
"""What systemd is told of a service of Type=notify (sd_notify(3)): ready, leaving, how it is, and its watchdog."""

from __future__ import annotations

import os
import socket

from spade_core.contract.messages import ServerStatus


class ServiceManager:
    """Says nothing where no service manager listens."""

    def __init__(self) -> None:
        # Taken away, so that no worker speaks for the server.
        address = os.environ.pop("NOTIFY_SOCKET", "")
        watchdog_us = os.environ.pop("WATCHDOG_USEC", "0")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_s = int(watchdog_us) / 2e6 if watchdog_us.isdecimal() else 0.0
        self._watchdog_at = 0.0
        self._told: list[str] = []

    def tell(self, status: ServerStatus, now: float) -> None:
        """What has changed, and that the server lives. It is ready when its first load is over, well or not."""
        if not self._address:
            return
        lines = [f"STATUS={status.state}, {status.running} running, {status.queued} waiting"]
        if status.state != "warming":
            lines.append("STOPPING=1" if status.state == "draining" else "READY=1")
        news = [line for line in lines if line not in self._told]
        self._told = lines
        if self._watchdog_s and now >= self._watchdog_at:
            self._watchdog_at = now + self._watchdog_s
            news.append("WATCHDOG=1")
        if news:
            self._send("\n".join(news))

    def _send(self, text: str) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
                manager.setblocking(False)
                manager.sendto(text.encode(), self._address)
        except OSError:
            pass  # it listens no more, or its queue is full: the next look says it again
