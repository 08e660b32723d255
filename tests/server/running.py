# SPDX-License-Identifier: Apache-2.0
"""A real server in a real process, and a peer that can say anything to it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zmq

from spade_core.contract.client import Client
from spade_core.contract.codec import decode_server_message, encode
from spade_core.contract.connection import ConnectionInfo, read_connection_file
from spade_core.contract.messages import Failed, Finished, ServerStatus

ROOT = Path(__file__).parents[2]
TRIVIAL = "tests.server.trivial:TrivialSynthesizer"


class RunningServer:
    """`spade-server`, with the trivial generator unless told otherwise; a context manager that leaves nothing
    behind."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        wait: bool = True,
        synthesizer: str = TRIVIAL,
        before: Sequence[str] = (),
        strict: bool = True,
    ):
        """before: words in front of the command, of a program that becomes it. strict: a warning ends it."""
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "server.json"
        self._console = folder / "console.txt"
        python = [sys.executable, *(["-W", "error"] if strict else [])]
        command = [*python, "-m", "server", "--connection-file", str(self.file)]
        with self._console.open("w") as console:
            self.process = subprocess.Popen(
                [*before, *command, "--config", os.devnull, "--synthesizer", synthesizer, *options],
                cwd=ROOT,
                stderr=console,
                env=os.environ | {"TRIVIAL_MARKS": str(folder)},
            )
        try:
            self.connection = self._announced()
            if wait:
                self.wait_for(lambda status: status.state != "warming")
        except BaseException:
            self.__exit__()
            raise

    @property
    def console(self) -> str:
        """All that the server has said."""
        return self._console.read_text(encoding="utf-8")

    def client(self, **options: Any) -> Client:
        """A new client of this server."""
        return Client.from_connection_file(self.file, **options)

    def status(self) -> ServerStatus:
        """How it is, over the control socket."""
        with Client.control_of(self.file) as control:
            return control.status()

    def wait_for(self, holds, timeout_s: float = 20) -> ServerStatus:
        """Wait until its status is as wanted."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            status = self.status()
            if holds(status):
                return status
            time.sleep(0.05)
        raise TimeoutError(self.console)

    def __enter__(self) -> RunningServer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _announced(self):
        end = time.monotonic() + 20
        while not self.file.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(self.console)
            time.sleep(0.02)
        return read_connection_file(self.file)


class RawPeer:
    """A connection that sends any frames at all and reads typed replies; it has the keys of the connection file."""

    def __init__(self, connection: ConnectionInfo, address: str = "", rcvhwm: int = 0, identity: bytes = b""):
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.rcvhwm = rcvhwm
        if identity:
            self.socket.routing_id = identity
        keys = connection.credentials
        if keys is not None:
            self.socket.curve_serverkey = keys.server_key.encode()
            self.socket.curve_publickey = keys.client.public.encode()
            self.socket.curve_secretkey = keys.client.secret.encode()
        self.socket.connect(address or connection.address)

    def send(self, *frames: bytes) -> None:
        self.socket.send_multipart(frames)

    def say(self, message: Any, *buffers: Any) -> None:
        self.socket.send_multipart(encode(message, buffers))

    def picture_heard(self, timeout_s: float = 5.0) -> bytes:
        """The buffers of the next picture, the other replies skipped."""
        while self.socket.poll(round(timeout_s * 1000)):
            reply, buffers = decode_server_message(self.socket.recv_multipart())
            if isinstance(reply, Finished):
                return b"".join(buffers)
            assert not isinstance(reply, Failed), reply
        raise TimeoutError("no picture")

    def heard(self, timeout_s: float = 5.0) -> Any:
        """The next reply; raises TimeoutError where none comes."""
        if not self.socket.poll(round(timeout_s * 1000)):
            raise TimeoutError("no reply")
        return decode_server_message(self.socket.recv_multipart())[0]

    def heard_of(self, kind: type, timeout_s: float = 5.0) -> Any:
        """The next reply of one kind, the others skipped."""
        end = time.monotonic() + timeout_s
        while True:
            reply = self.heard(max(0.0, end - time.monotonic()))
            if isinstance(reply, kind):
                return reply

    def all_heard(self, during_s: float) -> list[Any]:
        """Every reply within a time."""
        replies, end = [], time.monotonic() + during_s
        while (left := end - time.monotonic()) > 0:
            try:
                replies.append(self.heard(left))
            except TimeoutError:
                break
        return replies

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)


def process_exists(pid: int) -> bool:
    """Whether a process lives (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def resident_mib(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)
