# SPDX-License-Identifier: Apache-2.0
"""A slow net between a client and a server on this machine: a relay that carries so many bytes a second."""

from __future__ import annotations

import socket
import threading
import time

_PIECE = 16 * 1024


class SlowNet:
    """Listens at `address` and carries what comes to a server's, at `bytes_s` each way; a context manager."""

    def __init__(self, to: str, bytes_s: float):
        """to: the server's address, tcp://127.0.0.1:PORT."""
        self._to, self._bytes_s = int(to.rpartition(":")[2]), bytes_s
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.address = f"tcp://127.0.0.1:{self._listening.getsockname()[1]}"
        self.carried = 0
        """Bytes from the server so far."""
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> SlowNet:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self.cut()

    def cut(self) -> None:
        """End the connections, as a net that fails does."""
        for each in self._open:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended already
            each.close()
        self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            far = socket.create_connection(("127.0.0.1", self._to))
            # The system would take megabytes at once, in place of the net.
            for each in (near, far):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * _PIECE)
                each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _PIECE)
            self._open += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        down = source.getpeername()[1] == self._to
        try:
            while piece := source.recv(_PIECE):
                time.sleep(len(piece) / self._bytes_s)
                target.sendall(piece)
                self.carried += len(piece) * down
        except OSError:
            pass
        _end(source, target)


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other direction was quicker
