# SPDX-License-Identifier: Apache-2.0
"""Workers that die, hang or cannot start."""

import os
import signal
import sys
import time

import numpy as np
import pytest

from spade_core.contract.client import Delayed
from spade_core.contract.errors import BusyError, InternalError, PoisonError, UnknownModelError, WarmingError
from spade_core.contract.messages import Finished, Progress
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import RunningServer, process_exists, resident_mib
from tests.server.trivial import DIES, DIES_ONCE, HANGS, NEEDS_MUCH, SLOW


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RunningServer(tmp_path_factory.mktemp("workers")) as server:
        yield server


def test_a_job_whose_worker_is_killed_is_finished_by_another(server, client, landscape, label_map):
    killed = []

    def kill_once(event):
        if not killed and isinstance(event, Progress):
            pid = server.wait_for(lambda status: status.running == 1).pids[1]
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    rgb = client.generate(PictureRequest(label_map, landscape, seed=SLOW + 1000), on_event=kill_once).rgb
    assert np.array_equal(rgb, landscape.colorize(label_map) + np.uint8((SLOW + 1000) % 251))
    assert killed and not process_exists(killed[0]) and server.status().pids[1] != killed[0]


def test_a_job_that_takes_its_worker_down_once_is_finished(server, client, landscape, label_map):
    assert client.generate(PictureRequest(label_map, landscape, seed=DIES_ONCE)).rgb.shape == (64, 96, 3)


def test_a_poisonous_job_is_given_up_and_the_next_one_finished(server, client, landscape, label_map):
    poison = client.submit(PictureRequest(label_map, landscape, seed=DIES))
    good = client.submit(PictureRequest(label_map, landscape, seed=7))
    ends, end = {}, time.monotonic() + 20
    while len(ends) < 2 and time.monotonic() < end:
        for event in client.poll(100):
            if getattr(event, "id", "") in (poison, good) and event.id not in client.live:
                ends[event.id] = event
    assert isinstance(ends[poison].error, PoisonError) and ends[poison].error.fix
    assert isinstance(ends[good], Finished)


def test_a_worker_that_falls_silent_is_replaced(server, client, landscape, label_map):
    frozen = server.status().pids[1]
    os.kill(frozen, signal.SIGSTOP)
    began = time.monotonic()
    assert client.generate(PictureRequest(label_map, landscape, seed=8)).rgb.shape == (64, 96, 3)
    assert 2 < time.monotonic() - began < 12
    assert not process_exists(frozen)


def test_a_worker_without_progress_is_replaced(server, client, landscape, label_map):
    # Its process lives and beats, its computation does not come back: only the clock can tell.
    job = client.submit(PictureRequest(label_map, landscape, seed=HANGS))
    stuck = server.wait_for(lambda status: status.running == 1).pids[1]
    server.wait_for(lambda status: stuck not in status.pids, timeout_s=16)
    client.cancel(job)
    assert client.generate(PictureRequest(label_map, landscape, seed=9)).rgb.shape == (64, 96, 3)


def test_the_device_is_released_and_taken_again_when_needed(server, client, landscape, label_map):
    worker = server.wait_for(lambda status: status.state == "ready" and len(status.pids) == 2).pids[1]
    client.release_device()
    assert len(server.wait_for(lambda status: status.state == "released").pids) == 1
    assert not process_exists(worker)
    assert client.generate(
        PictureRequest(label_map, landscape, seed=10), Delivery(no_cache=True)
    ).rgb.shape == (64, 96, 3)
    assert server.status().state == "ready"


def test_the_device_is_not_released_under_a_running_job(server, client, landscape, label_map):
    job = client.submit(PictureRequest(label_map, landscape, seed=SLOW + 1200))
    server.wait_for(lambda status: status.running == 1)
    client.release_device()
    refusals = [event for event in client.poll(300) if getattr(event, "code", "") == BusyError.code]
    end = time.monotonic() + 5
    while job in client.live and time.monotonic() < end:
        refusals += [event for event in client.poll(100) if getattr(event, "code", "") == BusyError.code]
    assert refusals and job not in client.live


def test_while_the_model_loads_a_job_is_told_to_wait_and_then_painted(tmp_path, landscape, label_map):
    with RunningServer(tmp_path, wait=False) as server, server.client() as client:
        events = []
        assert client.generate(PictureRequest(label_map, landscape), on_event=events.append).rgb.shape == (
            64,
            96,
            3,
        )
        waits = [event.error for event in events if isinstance(event, Delayed)]
        assert waits and all(isinstance(error, WarmingError) and error.fix for error in waits)


def test_a_model_that_cannot_be_loaded_is_explained_and_the_others_work(tmp_path, landscape, label_map):
    options = ("--models", "landscape", "weights/truncated.safetensors")
    with RunningServer(tmp_path, *options) as server, server.client() as client:
        with pytest.raises(UnknownModelError, match=r"ends too early\. Copy it again"):
            client.generate(PictureRequest(label_map, landscape, model="truncated"))
        assert client.generate(PictureRequest(label_map, landscape)).rgb.shape == (64, 96, 3)
        assert "ends too early" in server.console
        assert "ends too early" in client.welcome.problems[0].message


def test_a_server_without_any_model_stays_up_and_says_why(tmp_path, landscape, label_map):
    with RunningServer(tmp_path, "--models", "truncated") as server, server.client() as client:
        assert server.status().state == "failed"
        with pytest.raises(UnknownModelError, match="ends too early"):
            client.generate(PictureRequest(label_map, landscape, model="truncated"))
        with pytest.raises(UnknownModelError, match="no model 'landscape'"):
            client.generate(PictureRequest(label_map, landscape))


def test_a_worker_that_never_starts_is_given_up(tmp_path, landscape, label_map):
    with RunningServer(tmp_path, "--models", "crashing") as server, server.client() as client:
        status = server.wait_for(lambda status: status.state == "failed")
        assert "exit code -9" in status.problems[0].message
        with pytest.raises((InternalError, UnknownModelError), match="cannot start"):
            client.generate(PictureRequest(label_map, landscape, model="crashing"))
        time.sleep(1)
        assert len(server.status().pids) == 1, "it is tried for ever"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and glibc is what is told")
def test_memory_is_kept_for_the_next_picture_and_given_back_by_a_worker_that_waits(
    server, client, landscape, label_map
):
    client.generate(PictureRequest(label_map, landscape, seed=NEEDS_MUCH))
    pid = server.status().pids[1]
    kept, end = resident_mib(pid), time.monotonic() + 10
    while resident_mib(pid) > kept - 300 and time.monotonic() < end:
        time.sleep(0.1)
    assert resident_mib(pid) <= kept - 300
