# SPDX-License-Identifier: Apache-2.0
"""Jobs that are alike are painted together, and come out as each would alone."""

import time

import numpy as np
import pytest

from spade_core.contract.errors import InternalError
from spade_core.contract.messages import Cancelled, Failed, Finished
from spade_core.contract.request import PictureRequest
from tests.server.running import RunningServer
from tests.server.trivial import IS_BROKEN, SLOW


@pytest.fixture
def folder(tmp_path):
    return tmp_path


@pytest.fixture
def server(folder):
    with RunningServer(folder) as server:
        yield server


def busy(server, client, landscape, label_map) -> str:
    """Give the worker something large to do, so that what follows waits, and is expected to be quick."""
    large = label_map.repeat(8, 0).repeat(8, 1)
    job = client.submit(PictureRequest(large, landscape, seed=SLOW + 700))
    server.wait_for(lambda status: status.running == 1)
    return job


def ends_of(client, jobs, timeout_s=30):
    """The terminal event of each job."""
    ends, end = {}, time.monotonic() + timeout_s
    while len(ends) < len(jobs):
        assert time.monotonic() < end, f"{len(jobs) - len(ends)} jobs are lost"
        for event in client.poll(50):
            if isinstance(event, Finished | Failed | Cancelled) and event.id in jobs:
                ends[event.id] = event
    return ends


def batches(folder) -> list[int]:
    """How many pictures each batch had that a worker painted at once."""
    marks = folder / "batches"
    return [int(line) for line in marks.read_text().splitlines()] if marks.exists() else []


def test_jobs_that_wait_and_are_alike_are_painted_at_once(server, client, folder, landscape, label_map):
    busy(server, client, landscape, label_map)
    jobs = {client.submit(PictureRequest(label_map, landscape, seed=seed)): seed for seed in range(8)}
    ends = ends_of(client, jobs)
    assert batches(folder) == [8]
    for job, seed in jobs.items():
        assert np.array_equal(ends[job].rgb, landscape.colorize(label_map) + np.uint8(seed))


def test_jobs_of_another_size_are_in_another_batch(server, client, folder, landscape, label_map):
    busy(server, client, landscape, label_map)
    maps = [label_map, np.ascontiguousarray(label_map.T)]
    jobs = {
        client.submit(PictureRequest(maps[seed % 2], landscape, seed=seed)): maps[seed % 2]
        for seed in range(8)
    }
    ends = ends_of(client, jobs)
    assert batches(folder) == [4, 4]
    assert all(ends[job].rgb.shape[:2] == wanted.shape for job, wanted in jobs.items())


def test_one_that_fails_does_not_take_the_others_of_its_batch(server, client, landscape, label_map):
    busy(server, client, landscape, label_map)
    bad = client.submit(PictureRequest(label_map, landscape, seed=IS_BROKEN))
    good = [client.submit(PictureRequest(label_map, landscape, seed=seed)) for seed in range(4)]
    ends = ends_of(client, [bad, *good])
    assert isinstance(ends[bad].error, InternalError)
    assert all(isinstance(ends[job], Finished) for job in good)


def test_one_that_is_cancelled_does_not_take_the_others_of_its_batch(server, client, landscape, label_map):
    busy(server, client, landscape, label_map)
    slow = [client.submit(PictureRequest(label_map, landscape, seed=SLOW + 800 + i)) for i in range(3)]
    server.wait_for(lambda status: status.running == 3)
    worker = server.status().pids[1]
    client.cancel(slow[1])
    ends = ends_of(client, slow)
    assert isinstance(ends[slow[1]], Cancelled)
    assert isinstance(ends[slow[0]], Finished) and isinstance(ends[slow[2]], Finished)
    assert server.status().pids[1] == worker, "its worker went on"


def test_pictures_that_each_keep_the_device_busy_are_not_held_up_for_one_another(
    tmp_path, landscape, label_map
):
    with RunningServer(tmp_path) as server, server.client() as client:
        ends_of(client, [client.submit(PictureRequest(label_map, landscape, seed=SLOW + 900))])
        ends_of(
            client,
            [client.submit(PictureRequest(label_map, landscape, seed=SLOW + i)) for i in (900, 901, 902)],
        )
        assert batches(tmp_path) == []


def test_a_batch_leaves_no_device_without_work(tmp_path, landscape, label_map):
    with RunningServer(tmp_path, "--devices", "cpu,cpu") as server, server.client() as client:
        server.wait_for(lambda status: len(status.pids) == 3)
        two = [client.submit(PictureRequest(label_map, landscape, seed=SLOW + 600 + i)) for i in range(2)]
        server.wait_for(lambda status: status.running == 2)
        jobs = [client.submit(PictureRequest(label_map, landscape, seed=i)) for i in range(8)]
        ends_of(client, [*two, *jobs])
        assert max(batches(tmp_path)) <= 4
