# SPDX-License-Identifier: Apache-2.0
"""How programs use the client: finding a server, events, asyncio, closing, forking, and replies that got lost."""

import os
import re
import subprocess
import sys
import time
import uuid

import pytest

from spade_core.contract.client import Client
from spade_core.contract.errors import DeadlineError, UnavailableError
from spade_core.contract.messages import Finished, Progress, Submit
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import ROOT, RawPeer, RunningServer
from tests.server.trivial import SLOW


def test_a_client_finds_the_server_that_is_named_or_in_the_environment_or_its_users_own(
    server, tmp_path, monkeypatch, landscape, label_map
):
    request = PictureRequest(label_map, landscape)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("SPADE_SERVER", raising=False)
    with pytest.raises(UnavailableError, match="No server is announced in"):
        Client.connect()
    for named in (server.file, str(server.file), server.connection.address):
        with Client.connect(named) as client:
            assert client.generate(request).rgb.any()
    monkeypatch.setenv("SPADE_SERVER", str(server.file))
    with Client.connect() as client:
        assert client.generate(request).rgb.any()
    monkeypatch.delenv("SPADE_SERVER")
    (tmp_path / "spade-backdrops").mkdir()
    (tmp_path / "spade-backdrops" / "server.json").write_bytes(server.file.read_bytes())
    (tmp_path / "spade-backdrops" / "server.json").chmod(0o600)
    with Client.connect() as client:
        assert client.generate(request).rgb.any()
    with pytest.raises(UnavailableError, match="no server address"):
        Client.connect("studio")


def test_what_the_manual_says_runs_as_it_stands(server):
    text = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 4
    source = "\n".join([*blocks, "assert len(pictures) == 4"])
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        cwd=ROOT,
        env=os.environ | {"SPADE_SERVER": str(server.file)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("(64, 96, 3)") == 5


def test_the_events_of_all_jobs_come_until_none_is_live(client, landscape, label_map):
    jobs = [
        client.submit(PictureRequest(label_map, landscape, seed=SLOW + 300 + n), Delivery(no_cache=True))
        for n in range(3)
    ]
    events = list(client.events(timeout_s=30))
    assert sorted(event.id for event in events if isinstance(event, Finished)) == sorted(jobs)
    assert any(isinstance(event, Progress) for event in events)
    assert list(client.events()) == []


def test_waiting_for_events_ends_in_time(client, landscape, label_map):
    job = client.submit(PictureRequest(label_map, landscape, seed=SLOW + 3000), Delivery(no_cache=True))
    with pytest.raises(DeadlineError):
        for _ in client.events(timeout_s=0.5):
            pass
    client.cancel(job)


def test_a_client_may_be_closed_at_any_moment_and_then_says_so(server, landscape, label_map):
    request = PictureRequest(label_map, landscape, seed=SLOW + 2000)
    with server.client() as client:
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="closed"):
            client.generate(request, on_event=lambda event: client.close())
        client.close()
        assert time.monotonic() - began < 3
        for call in (client.poll, client.status, lambda: client.submit(request)):
            with pytest.raises(UnavailableError, match="closed"):
                call()
    unheard = Client("tcp://127.0.0.1:9", credentials=None)
    unheard.submit(PictureRequest(label_map, landscape))
    unheard.close()
    assert list(unheard.events()) == []


FORK = """
import os, sys, time
import numpy as np
from spade_core.contract.client import Client
from spade_core.contract.errors import SpadeError
from spade_core.contract.labels import load_label_set
from spade_core.contract.request import PictureRequest

label_map, label_set = np.full((64, 64), 6, np.uint8), load_label_set("landscape")
client = Client.connect(sys.argv[1])
client.generate(PictureRequest(label_map, label_set, seed=1))
if os.fork() == 0:
    try:
        client.generate(PictureRequest(label_map, label_set, seed=2), timeout_s=6)
    except SpadeError as error:
        print("child:", error.message, flush=True)
    client.close()
    with Client.connect(sys.argv[1]) as own:
        print("own:", own.generate(PictureRequest(label_map, label_set, seed=3)).rgb.shape, flush=True)
    sys.exit(0)
_, status = os.wait()
print("child ended", status, flush=True)
print("parent:", client.generate(PictureRequest(label_map, label_set, seed=4)).rgb.shape)
client.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_client_in_a_forked_child_refuses_in_one_sentence_and_hangs_nobody(server):
    ended = subprocess.run(
        [sys.executable, "-c", FORK, str(server.file)], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stderr
    assert "belongs to the process that made it" in lines[0] and lines[1] == "own: (64, 64, 3)"
    assert lines[2:] == ["child ended 0", "parent: (64, 64, 3)"]


@pytest.mark.timeout(120)
def test_a_reply_that_was_dropped_for_a_reader_that_slept_is_said_when_it_is_asked_for(tmp_path, landscape):
    label_map = bytes([6]) * 1024 * 1024
    session = uuid.uuid4().hex
    jobs = [
        Submit(
            uuid.uuid4().hex,
            session,
            "landscape",
            landscape.digest,
            seed,
            (1024, 1024),
            "uint8",
            2**20,
            no_cache=True,
        )
        for seed in range(30)
    ]
    with RunningServer(tmp_path) as server, RawPeer(server.connection, rcvhwm=2) as peer:
        for job in jobs:
            peer.say(job, label_map)
            time.sleep(0.2)
        time.sleep(5)
        ended = {
            reply.id
            for reply in peer.all_heard(during_s=2)
            if hasattr(reply, "code") or hasattr(reply, "rgb")
        }
        end = time.monotonic() + 60
        while len(ended) < len(jobs) and time.monotonic() < end:
            for job in [job for job in jobs if job.id not in ended][:8]:
                peer.say(job, label_map)
            replies = peer.all_heard(during_s=2)
            ended |= {reply.id for reply in replies if isinstance(reply, Finished)}
        assert len(ended) == len(jobs)
