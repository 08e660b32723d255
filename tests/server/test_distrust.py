# SPDX-License-Identifier: Apache-2.0
"""What a client believes a server, and a server whatever it is started with."""

import hashlib
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import zmq

from spade_core.contract.client import Client
from spade_core.contract.codec import decode_client_message, encode
from spade_core.contract.connection import read_connection_file
from spade_core.contract.errors import ForbiddenError, InternalError, UnavailableError
from spade_core.contract.messages import Failed, Finished, Submit
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import ROOT, TRIVIAL, RunningServer
from tests.server.trivial import SLOW


class LyingServer(threading.Thread):
    """Answers each Submit with what `lie` makes of it."""

    def __init__(self, lie):
        super().__init__(daemon=True)
        self.lie, self.heard, self.over = lie, 0, False
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self.address = f"tcp://127.0.0.1:{self._socket.bind_to_random_port('tcp://127.0.0.1')}"

    def run(self):
        while not self.over:
            if self._socket.poll(20):
                peer, *frames = self._socket.recv_multipart()
                message, _ = decode_client_message(frames)
                if isinstance(message, Submit):
                    self.heard += 1
                    self._socket.send_multipart([peer, *self.lie(message)])
        self._context.destroy(linger=0)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.join()


def finished(submit, shape, digest=None):
    picture = np.zeros((*shape, 3), np.uint8).tobytes()
    digest = hashlib.sha256(picture).hexdigest() if digest is None else digest
    return encode(Finished(submit.id, shape, "0" * 64, digest=digest), [picture])


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        (lambda submit: finished(submit, (10, 10)), "10 x 10 in place of 96 x 64"),
        (lambda submit: finished(submit, submit.shape, "0" * 64), "damaged on its way"),
        (lambda submit: encode(Finished(submit.id, submit.shape, "0" * 64), [b"\0"]), "incomplete"),
        (lambda submit: encode(Finished(submit.id, submit.shape, "0" * 64)), "incomplete"),
    ],
)
def test_a_picture_that_is_not_the_one_asked_for_is_not_handed_out(lie, says, landscape, label_map):
    with LyingServer(lie) as server, Client(server.address, credentials=None) as client:
        with pytest.raises(InternalError, match=says):
            client.generate(PictureRequest(label_map, landscape), timeout_s=10)


def test_what_a_server_says_cannot_command_a_terminal(landscape, label_map):
    def lie(submit):
        return encode(Failed(submit.id, "INTERNAL", "\x1b[2Jgone\x07", "\u202eturn it"))

    with LyingServer(lie) as server, Client(server.address, credentials=None) as client:
        with pytest.raises(InternalError) as told:
            client.generate(PictureRequest(label_map, landscape), timeout_s=10)
    assert (told.value.message + told.value.fix).isprintable() and "gone" in told.value.message


@pytest.mark.parametrize("milliseconds", [-5_000, -1, 10**15])
def test_a_server_cannot_make_its_client_storm_or_wait_for_ever(milliseconds, landscape, label_map):
    def lie(submit):
        return encode(Failed(submit.id, "BUSY", "Full.", "", True, milliseconds))

    with LyingServer(lie) as server, Client(server.address, credentials=None) as client:
        client.submit(PictureRequest(label_map, landscape), Delivery(patience_s=600))
        end = time.monotonic() + 2
        while time.monotonic() < end:
            client.poll(50)
        assert 1 <= server.heard < 20


@pytest.mark.parametrize("encoding", ["png", "jpeg", "webp"])
def test_a_picture_that_comes_as_a_file_is_read(client, landscape, label_map, encoding):
    request = PictureRequest(label_map, landscape, seed=7)
    plain = client.generate(request).rgb
    picture = client.generate(request, Delivery(encoding=encoding))
    assert picture.rgb.shape == plain.shape and picture.file
    assert abs(picture.rgb.astype(int) - plain).mean() < (1e-9 if encoding == "png" else 12)


@pytest.mark.parametrize(
    "text", ["5", "[]", '{"address": 5}', "[" * 100_000, '{"address": "tcp://127.0.0.1:1", "pid": []}', ""]
)
def test_a_connection_file_that_says_nonsense_announces_nobody(tmp_path, text):
    file = tmp_path / "server.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(UnavailableError, match="No server is announced"):
        read_connection_file(file)


@pytest.mark.skipif(sys.platform == "win32", reason="file modes")
def test_a_connection_file_that_others_could_have_written_is_not_believed(tmp_path):
    with RunningServer(tmp_path, wait=False) as server:
        server.file.chmod(0o666)
        with pytest.raises(ForbiddenError, match="Other users"):
            Client.from_connection_file(server.file)


def test_a_second_server_does_not_take_the_connection_file_of_a_living_one(tmp_path, landscape, label_map):
    with RunningServer(tmp_path) as server:
        command = [sys.executable, "-m", "server", "--connection-file", str(server.file)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 2 and "A server runs already" in ended.stderr, ended.stderr
        with server.client() as client:
            assert client.generate(PictureRequest(label_map, landscape)).rgb.shape == (64, 96, 3)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--bind", "tcp://127.0.0.1:99999"], "no port 99999"),
        (["--bind", "tcp://127.0.0.1:0"], "no port 0"),
        (["--max-side", "0"], "--max-side is 0"),
        (["--max-side", "99999"], "--max-side is 99999"),
        (["--threads", "-3"], "--threads is -3"),
        (["--device", "meta"], "no device 'meta'"),
        (["--models"], "No model is named"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_words(tmp_path, words, says):
    command = [sys.executable, "-m", "server", "--connection-file", str(tmp_path / "server.json"), *words]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and says in ended.stderr and "fix:" in ended.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="makes the pipe small")
def test_a_console_that_nobody_reads_holds_up_nobody(tmp_path, landscape, label_map):
    import fcntl

    reader, writer = os.pipe()
    fcntl.fcntl(writer, 1031, 4096)  # F_SETPIPE_SZ
    file = tmp_path / "server.json"
    command = [sys.executable, "-m", "server", "--connection-file", str(file), "--synthesizer", TRIVIAL]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=writer, env=os.environ | {"TRIVIAL_MARKS": str(tmp_path)}
    )
    os.close(writer)
    try:
        end = time.monotonic() + 60
        while not file.exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        with Client.from_connection_file(file) as client:
            for _ in range(12):  # each leaves a traceback on the console
                with pytest.raises(InternalError):
                    client.generate(PictureRequest(label_map, landscape, seed=1005), timeout_s=30)
            assert client.generate(PictureRequest(label_map, landscape), timeout_s=30).rgb.shape == (
                64,
                96,
                3,
            )
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        os.close(reader)


def test_a_client_of_high_priority_that_is_always_quicker_starves_nobody(server, landscape, label_map):
    with server.client() as greedy, server.client() as modest:
        jobs = 0
        mine = modest.submit(PictureRequest(label_map, landscape, seed=5), Delivery(priority=0))
        end = time.monotonic() + 25
        while mine in modest.live and time.monotonic() < end:
            while len(greedy.live) < 8:
                urgent = PictureRequest(label_map, landscape, seed=SLOW + 200 + jobs % 3)
                greedy.submit(urgent, Delivery(priority=2, no_cache=True))
                jobs += 1
            greedy.poll(20)
            modest.poll(0)
        assert mine not in modest.live, "it still waits"
        for job in greedy.live:
            greedy.cancel(job)
