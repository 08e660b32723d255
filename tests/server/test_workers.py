# SPDX-License-Identifier: Apache-2.0
"""Workers that die, hang or cannot start."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from spade_core.contract.client import Client, Delayed
from spade_core.contract.errors import BusyError, InternalError, PoisonError, UnknownModelError, WarmingError
from spade_core.contract.messages import Failed, Finished, Progress
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import ROOT, RunningServer, process_exists, resident_mib
from tests.server.trivial import DIES, DIES_ONCE, HANGS, NEEDS_MUCH, SLOW, write_checkpoint


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


def test_a_job_whose_workers_somebody_kills_again_and_again_is_no_poison(
    server, client, landscape, label_map
):
    job = client.submit(PictureRequest(label_map, landscape, seed=SLOW + 900), Delivery(no_cache=True))
    killed: set[int] = set()
    ended, end = None, time.monotonic() + 60
    while ended is None and time.monotonic() < end:
        for event in client.poll(50):
            if isinstance(event, Finished | Failed) and event.id == job:
                ended = event
        painting = {worker.pid for worker in server.status().workers if worker.state == "painting"}
        for pid in painting - killed if len(killed) < 5 else ():
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
    assert len(killed) == 5 and isinstance(ended, Finished), ended


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_workers_threads_sleep_while_they_wait_so_that_other_programs_get_their_cores(server):
    (worker,) = server.status().pids[1:]
    assert b"OMP_WAIT_POLICY=passive" in Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")


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


def test_a_worker_that_never_starts_is_given_up_for_a_while_and_the_jobs_are_told(
    tmp_path, monkeypatch, landscape, label_map
):
    ends = "import os, sys\nif 'server.worker' in sys.orig_argv:\n    os._exit(7)\n"
    (tmp_path / "sitecustomize.py").write_text(ends)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with RunningServer(tmp_path / "server") as server:
        status = server.wait_for(lambda status: status.state == "failed")
        assert "it ended with exit code 7" in status.problems[0].message
        with server.client() as client, pytest.raises(InternalError, match="cannot start"):
            client.generate(PictureRequest(label_map, landscape))
        time.sleep(1)
        assert len(server.status().pids) == 1, "it is tried without a rest"


def test_a_worker_that_is_killed_whenever_it_starts_costs_no_job_once_that_ends(
    tmp_path, monkeypatch, landscape, label_map
):
    """As often as five times before it has loaded anything, as an overloaded machine may do."""
    killed = tmp_path / "killed"
    killed.touch()
    dies = (
        "import os, sys\n"
        "if 'server.worker' in sys.orig_argv:\n"
        f"    with open({str(killed)!r}, 'r+') as file:\n"
        "        times = len(file.read())\n"
        "        file.write('.')\n"
        "    if times < 5:\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    (tmp_path / "sitecustomize.py").write_text(dies)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with RunningServer(tmp_path / "server", wait=False) as server, server.client() as client:
        assert client.generate(PictureRequest(label_map, landscape)).rgb.shape == (64, 96, 3)
        assert len(killed.read_text()) == 6 and "exit code -9" in server.console


def test_a_model_that_ends_its_worker_is_set_aside_and_the_others_serve_on(tmp_path, landscape, label_map):
    options = ("--models", "landscape", "crashing")
    with RunningServer(tmp_path, *options) as server, server.client() as client:
        with pytest.raises(UnknownModelError, match="left alone"):
            client.generate(PictureRequest(label_map, landscape, model="crashing"))
        assert client.generate(PictureRequest(label_map, landscape)).rgb.shape == (64, 96, 3)
        assert server.status().state == "ready" and "'crashing' is set aside" in server.console


def test_a_model_that_ended_its_worker_is_served_once_its_file_is_mended(tmp_path, landscape, label_map):
    write_checkpoint(tmp_path, 1, load_s=-1)
    file = tmp_path / "model_00000001.safetensors"
    with RunningServer(tmp_path / "server", "--models", str(file)) as server, server.client() as client:
        assert "left alone" in server.wait_for(lambda status: status.state == "failed").problems[0].message
        digest = write_checkpoint(tmp_path, 1)
        server.wait_for(lambda status: status.state == "ready")
        found = client.generate(PictureRequest(label_map, landscape, model="model_00000001"))
        assert found.model_digest == digest


def test_seventy_models_with_long_names_are_served_and_listed(tmp_path, landscape, label_map):
    names = [f"{number:02}-" + "\N{MOUNT FUJI}" * 40 for number in range(70)]
    missing = "weights/" + "\N{MOUNT FUJI}" * 60 + "/truncated.safetensors"
    with RunningServer(tmp_path, "--models", *names, missing) as server, server.client() as client:
        welcome = client.fetch_welcome()
        assert welcome.state == "ready" and [model.name for model in welcome.models] == names
        assert "ends too early" in welcome.problems[0].message
        picture = client.generate(PictureRequest(label_map, landscape, model=names[-1]))
        assert picture.rgb.shape == (64, 96, 3)


def test_nothing_of_the_current_folder_is_executed(tmp_path, landscape, label_map):
    """Neither by the worker's name, nor by that of a module that a model needs."""
    here = tmp_path / "here"
    (here / "server").mkdir(parents=True)
    for name in ("server/__init__.py", "server/worker.py", "safetensors.py", "zmq.py", "json.py"):
        (here / name).write_text("open('executed', 'w')\nraise SystemExit(3)\n")
    command = [sys.executable, "-P", "-m", "server", "--connection-file", str(tmp_path / "server.json")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=here, env=environment, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "server.json").exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        with Client.from_connection_file(tmp_path / "server.json") as client:
            picture = client.generate(PictureRequest(label_map, landscape), timeout_s=120)
        assert picture.rgb.shape == (64, 96, 3) and not (here / "executed").exists()
    finally:
        process.terminate()
        process.wait(20)


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
