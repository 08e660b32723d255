# SPDX-License-Identifier: Apache-2.0
"""Clients far away, behind nets that take seconds for a picture."""

from __future__ import annotations

import time

import numpy as np
import pytest

from spade_core.contract.client import Client
from spade_core.contract.messages import SENDING, Finished, Progress
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import RunningServer
from tests.server.slow_net import SlowNet

SIDE = 1024
PICTURE = 3 * SIDE**2


@pytest.fixture
def server(tmp_path):
    with RunningServer(tmp_path) as server:
        yield server


def far_client(net: SlowNet, server: RunningServer) -> Client:
    return Client(net.address, credentials=server.connection.credentials)


def request(landscape, seed: int) -> PictureRequest:
    return PictureRequest(np.zeros((SIDE, SIDE), np.uint8), landscape, seed=seed)


def test_a_picture_that_takes_seconds_to_arrive_is_sent_once(server, landscape):
    with SlowNet(server.connection.address, PICTURE / 6) as net, far_client(net, server) as client:
        client.fetch_welcome()
        seen, before = [], net.carried
        began = time.monotonic()
        job = client.submit(request(landscape, 1), Delivery(compress=True))
        while not any(isinstance(event, Finished) for event in seen):
            seen += client.poll(100)
            assert client.silent_s < 3
            assert time.monotonic() < began + 40
        assert time.monotonic() - began > 5
        assert Progress(job, SENDING, 1.0) in seen
        assert net.connections == 1 and net.carried - before < 1.2 * PICTURE


def test_jobs_whose_words_wait_behind_a_picture_are_not_asked_for_again(server, landscape):
    with SlowNet(server.connection.address, PICTURE / 5) as net, far_client(net, server) as client:
        client.fetch_welcome()
        before, done = net.carried, set()
        jobs = {client.submit(request(landscape, seed), Delivery(compress=True)) for seed in range(2, 4)}
        end = time.monotonic() + 60
        while done < jobs and time.monotonic() < end:
            done |= {event.id for event in client.poll(100) if isinstance(event, Finished)}
        assert done == jobs
        assert net.connections == 1 and net.carried - before < 2.3 * PICTURE


def test_a_net_that_fails_while_a_picture_arrives_is_noticed_at_once(server, landscape):
    with SlowNet(server.connection.address, PICTURE / 8) as net, far_client(net, server) as client:
        client.fetch_welcome()
        job = client.submit(request(landscape, 9), Delivery(compress=True))
        while Progress(job, SENDING, 1.0) not in client.poll(100):
            pass
        client.poll(1000)
        net.cut()
        began, done = time.monotonic(), []
        while not done and time.monotonic() < began + 30:
            done = [event for event in client.poll(100) if isinstance(event, Finished)]
        assert done and net.connections > 1
        assert time.monotonic() - began < 8 + 5
