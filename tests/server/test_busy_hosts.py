# SPDX-License-Identifier: Apache-2.0
"""Hosts that do not poll: rendering, in a debugger, on a laptop that sleeps. Their process lives, and so do their jobs.

Each client is a process of its own, for what goes wrong here ends the process: libzmq aborts it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.server.running import ROOT, RunningServer
from tests.server.trivial import SLOW

HOST = """
import sys, time
import numpy as np
from spade_core.contract.client import Client
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import Finished
from spade_core.contract.request import Delivery, PictureRequest

address, jobs, seed, blocked_s = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
label_map, label_set = np.full((64, 64), 6, np.uint8), load_label_set("landscape")
delivery = Delivery(no_cache=True, deadline_s=600, patience_s=600)
with Client.at(address) as client:
    waiting = {client.submit(PictureRequest(label_map, label_set, seed=seed + i), delivery) for i in range(jobs)}
    client.poll(300)
    print("submitted", flush=True)
    time.sleep(blocked_s)
    while waiting:
        for event in client.poll(100):
            if getattr(event, "id", "") in waiting and type(event).__name__ in ("Finished", "Failed", "Cancelled"):
                waiting.discard(event.id)
                print(type(event).__name__, getattr(event, "code", ""), flush=True)
"""


@pytest.fixture
def server(tmp_path):
    """One for each test, whose only worker is theirs."""
    with RunningServer(tmp_path) as server:
        yield server


@pytest.fixture
def host(server):
    """Starts a client in a process: how many jobs, of which seed, and how long it does not poll."""
    started = []

    def start(jobs: int, seed: int, blocked_s: float = 0.0) -> subprocess.Popen[str]:
        words = (server.connection.address, str(jobs), str(seed), str(blocked_s))
        process = subprocess.Popen(
            [sys.executable, "-c", HOST, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == "submitted\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "blocked_s", [10, pytest.param(120, marks=[pytest.mark.slow, pytest.mark.timeout(240)])]
)
def test_a_host_that_renders_for_long_gets_every_picture_it_waited_for(host, blocked_s):
    jobs = 16  # progress for each comes twice a second
    process = host(jobs, seed=SLOW + 1500, blocked_s=blocked_s)
    output, _ = process.communicate(timeout=blocked_s + 60)
    assert process.returncode == 0 and output.split() == ["Finished"] * jobs


@pytest.mark.skipif(os.name == "nt", reason="SIGSTOP")
def test_a_host_that_is_suspended_goes_on_where_it_was(host):
    jobs = 8
    process = host(jobs, seed=SLOW + 1000)
    process.send_signal(signal.SIGSTOP)
    time.sleep(12)
    process.send_signal(signal.SIGCONT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and output.split() == ["Finished"] * jobs


@pytest.mark.skipif(os.name == "nt", reason="SIGSTOP")
def test_a_host_whose_server_is_another_one_after_its_sleep_gets_its_pictures_from_that_one(
    tmp_path, server, host
):
    jobs = 4
    process = host(jobs, seed=SLOW + 1000)
    process.send_signal(signal.SIGSTOP)
    server.process.kill()
    server.process.wait()
    with RunningServer(tmp_path / "next", "--bind", server.connection.address):
        time.sleep(6)
        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and output.split() == ["Finished"] * jobs
