# SPDX-License-Identifier: Apache-2.0
"""Nobody waits for a large picture of somebody else's: short ones are painted between its parts."""

import os
import signal
import time

import numpy as np
import pytest

from spade_core.contract.messages import Cancelled, Finished, Progress
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import RunningServer
from tests.server.test_batches import ends_of
from tests.server.test_cancelling import REAL
from tests.server.trivial import SLOW

LONG = Delivery(no_cache=True, deadline_s=600, patience_s=600)


def hills(side: int, shift: float = 0.0) -> np.ndarray:
    down, across = np.mgrid[:side, :side] / side
    return np.select([down < 0.5 + 0.1 * np.sin(9 * across + shift), down < 0.8], [0, 4], 9).astype(np.uint8)


def until_half_way(client, job, share):
    done = 0.0
    while done < share:
        for event in client.poll(20):
            assert not isinstance(event, Finished)
            done = event.fraction if isinstance(event, Progress) and event.id == job else done


def long_one(server, landscape, client, milliseconds):
    """A server that has learnt that this size takes long, and a picture of it under way."""
    client.generate(PictureRequest(hills(256), landscape, seed=SLOW + 4500), Delivery(no_cache=True))
    job = client.submit(PictureRequest(hills(256), landscape, seed=SLOW + milliseconds), LONG)
    server.wait_for(lambda status: status.running == 1)
    return job, hills(32)


@pytest.mark.slow
def test_small_pictures_are_painted_while_a_large_one_is_enlarged_and_both_have_their_own_bytes(
    tmp_path, landscape
):
    with (
        RunningServer(tmp_path, synthesizer=REAL, wait=False) as server,
        server.client() as one,
        server.client() as other,
    ):
        server.wait_for(lambda status: status.state == "ready", timeout_s=120)
        small = [PictureRequest(hills(64, shift), landscape, seed=shift) for shift in range(3)]
        large = PictureRequest(hills(3072), landscape, seed=1)
        alone = [other.generate(each, LONG).rgb for each in small]
        expected = one.generate(large, LONG).rgb
        job = one.submit(large, LONG)
        until_half_way(one, job, 0.3)
        for each, rgb in zip(small, alone, strict=True):
            assert np.array_equal(other.generate(each, LONG).rgb, rgb)
        assert job in one.live, "the large one is not ready yet"
        assert np.array_equal(ends_of(one, [job], 300)[job].rgb, expected)


def test_however_many_small_ones_come_the_large_one_takes_at_most_about_twice_its_time(tmp_path, landscape):
    with RunningServer(tmp_path) as server, server.client() as one, server.client() as other:
        job, small = long_one(server, landscape, one, 4500)
        began, ended, painted, live = time.monotonic(), None, 0, set()
        while ended is None:
            while len(live) < 12:
                request = PictureRequest(small, landscape, seed=SLOW + 40 + (painted + len(live)) % 20)
                live.add(other.submit(request, LONG))
            for event in other.poll(1):
                if isinstance(event, Finished):
                    live.discard(event.id)
                    painted += 1
            if any(isinstance(event, Finished) and event.id == job for event in one.poll(0)):
                ended = time.monotonic()
        assert ended - began < 3 * 4.5, "a busy machine is given half as much again"
        assert painted > 20
        for each in live:
            other.cancel(each)


def test_what_is_neither_large_nor_small_has_its_turn_after_the_large_one_however_many_small_ones_come(
    tmp_path, landscape
):
    with RunningServer(tmp_path) as server, server.client() as one, server.client() as other:
        job, small = long_one(server, landscape, one, 1500)
        middle = one.submit(PictureRequest(hills(240), landscape, seed=SLOW + 2000), LONG)
        sent, live, ended, end = 0, set(), set(), time.monotonic() + 30
        while not {job, middle} <= ended and time.monotonic() < end:
            while len(live) < 12:
                sent += 1
                live.add(other.submit(PictureRequest(small, landscape, seed=SLOW + 40 + sent % 20), LONG))
            live -= {event.id for event in other.poll(1) if isinstance(event, Finished)}
            ended |= {event.id for event in one.poll(0) if isinstance(event, Finished)}
        assert {job, middle} <= ended
        for each in live:
            other.cancel(each)


def test_a_large_one_that_is_cancelled_meanwhile_ends_and_the_small_one_is_finished(tmp_path, landscape):
    with RunningServer(tmp_path) as server, server.client() as one, server.client() as other:
        job, small = long_one(server, landscape, one, 20_000)
        worker = server.status().pids[1]
        quick = other.submit(PictureRequest(small, landscape, seed=SLOW + 400), LONG)
        server.wait_for(lambda status: status.running == 2)
        one.cancel(job)
        assert isinstance(ends_of(one, [job])[job], Cancelled)
        assert isinstance(ends_of(other, [quick])[quick], Finished)
        assert other.generate(PictureRequest(small, landscape, seed=3), LONG).rgb.shape == (32, 32, 3)
        assert server.status().pids[1] == worker, "nobody had to end it"


def test_a_worker_that_dies_with_both_paints_both_again(tmp_path, landscape):
    with RunningServer(tmp_path) as server, server.client() as one, server.client() as other:
        job, small = long_one(server, landscape, one, 5000)
        quick = other.submit(PictureRequest(small, landscape, seed=SLOW + 600), LONG)
        server.wait_for(lambda status: status.running == 2)
        os.kill(server.status().pids[1], signal.SIGKILL)
        assert isinstance(ends_of(one, [job], 60)[job], Finished)
        assert isinstance(ends_of(other, [quick], 60)[quick], Finished)
