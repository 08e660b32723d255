# SPDX-License-Identifier: Apache-2.0
"""Several devices, each with a worker; and a device that is given back while nobody wants a picture."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from spade_core.contract.messages import Finished
from spade_core.contract.request import PictureRequest
from tests.server.running import ROOT, RunningServer, process_exists
from tests.server.test_batches import ends_of
from tests.server.trivial import SLOW


def test_two_devices_paint_at_the_same_time_and_one_lost_leaves_the_other(tmp_path, landscape, label_map):
    with RunningServer(tmp_path, "--devices", "cpu,cpu") as server, server.client() as client:
        server.wait_for(lambda status: len(status.pids) == 3)
        client.generate(PictureRequest(label_map, landscape, seed=1))
        jobs = {}
        for seed in (SLOW + 1500, SLOW + 1501):
            jobs[client.submit(PictureRequest(label_map, landscape, seed=seed))] = seed
            server.wait_for(lambda status: status.running == len(jobs))
        killed = server.status().pids[1]
        os.kill(killed, signal.SIGKILL)
        quick = client.submit(PictureRequest(label_map, landscape, seed=3))
        ends = ends_of(client, [*jobs, quick])
        for job, seed in jobs.items():
            assert np.array_equal(ends[job].rgb, landscape.colorize(label_map) + np.uint8(seed % 251))
        assert isinstance(ends[quick], Finished)
        assert len(server.wait_for(lambda status: len(status.pids) == 3).pids) == 3


def test_workers_are_ready_each_with_all_models(tmp_path, label_map, landscape):
    options = ("--devices", "cpu,cpu", "--models", "landscape", "coco_stuff")
    with RunningServer(tmp_path, *options) as server, server.client() as client:
        jobs = [
            client.submit(PictureRequest(label_map, landscape, seed=seed, model="landscape"))
            for seed in range(12)
        ]
        assert all(isinstance(end, Finished) for end in ends_of(client, jobs).values())


def test_a_device_is_given_back_after_a_while_and_taken_again(tmp_path, landscape, label_map):
    with RunningServer(tmp_path, "--unload-after", "0.02") as server, server.client() as client:
        client.generate(PictureRequest(label_map, landscape, seed=1))
        worker = server.status().pids[1]
        status = server.wait_for(lambda status: status.state == "released")
        assert status.pids == (server.process.pid,) and not process_exists(worker)
        assert client.generate(PictureRequest(label_map, landscape, seed=2)).rgb.shape == (64, 96, 3)


@pytest.mark.parametrize(
    "options, words",
    [
        (("--devices", "cpu,gpu"), "no device 'gpu'"),
        (("--devices", "cpu,"), "no device ''"),
        (("--unload-after", "-1"), "minutes, or 0"),
    ],
)
def test_devices_that_make_no_sense_are_refused_in_words(options, words):
    command = [sys.executable, "-m", "server", "--config", os.devnull, *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2 and words in ended.stderr
