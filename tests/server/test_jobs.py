# SPDX-License-Identifier: Apache-2.0
"""The life of a job: one terminal reply, whatever happens on the way."""

import subprocess
import sys
import time
import uuid
from dataclasses import replace

import pytest

from spade_core.contract.errors import DeadlineError
from spade_core.contract.messages import (
    Accepted,
    Cancel,
    Cancelled,
    Failed,
    Finished,
    Progress,
    Submit,
)
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import ROOT, RawPeer
from tests.server.trivial import SLOW

GRASS = bytes([6]) * 64 * 64
TERMINAL = Finished | Failed | Cancelled


@pytest.fixture
def peer(server):
    with RawPeer(server.connection) as peer:
        yield peer


@pytest.fixture
def slow(landscape):
    return Submit(
        uuid.uuid4().hex, uuid.uuid4().hex, "landscape", landscape.digest, SLOW + 1000, (64, 64), "uint8",
        raw_bytes=4096,
        no_cache=True,
    )  # fmt: skip


def another(job, **changes):
    return replace(job, id=uuid.uuid4().hex, **changes)


def ends_of(replies, job):
    return [reply for reply in replies if isinstance(reply, TERMINAL) and reply.id == job.id]


def heard_until_ended(peer, *jobs, longer_s=0.3):
    """All replies until every one of these jobs has ended, and a little longer: nothing more may come."""
    replies, end = [], time.monotonic() + 15
    while not all(ends_of(replies, job) for job in jobs):
        replies.append(peer.heard(end - time.monotonic()))
    return replies + peer.all_heard(longer_s)


def test_a_queued_job_can_be_cancelled(server, peer, slow):
    waiting = another(slow)
    peer.say(slow, GRASS)
    peer.say(waiting, GRASS)
    server.wait_for(lambda status: status.queued == 1)
    peer.say(Cancel(waiting.id))
    replies = heard_until_ended(peer, slow, waiting)
    assert ends_of(replies, waiting) == [Cancelled(waiting.id)]
    assert not [r for r in replies if isinstance(r, Progress) and r.id == waiting.id], "it was started"
    assert isinstance(ends_of(replies, slow)[0], Finished)


def test_a_running_job_can_be_cancelled_and_its_worker_goes_on_to_the_next(server, peer, slow):
    endless = replace(slow, seed=SLOW + 30_000)
    peer.say(endless, GRASS)
    server.wait_for(lambda status: status.running == 1)
    peer.say(Cancel(endless.id))
    following = another(slow, seed=5)
    peer.say(following, GRASS)
    replies = heard_until_ended(peer, following)
    assert ends_of(replies, endless) == [Cancelled(endless.id)]
    assert [type(reply) for reply in replies if isinstance(reply, TERMINAL)] == [Cancelled, Finished]


def test_a_cancelled_job_never_places_an_image(client, landscape, label_map, server):
    job = client.submit(PictureRequest(label_map, landscape, seed=SLOW + 3010))  # no other test's picture
    server.wait_for(lambda status: status.running == 1)
    client.cancel(job)
    events, end = [], time.monotonic() + 1
    while time.monotonic() < end:
        events += client.poll(50)
    ends = [event for event in events if isinstance(event, TERMINAL)]
    assert ends == [Cancelled(job)]


def test_cancelling_what_is_over_or_unknown_is_no_error(peer, slow):
    done = replace(slow, seed=1)
    peer.say(done, GRASS)
    peer.heard_of(Finished)
    peer.say(Cancel(done.id))
    peer.say(Cancel("0" * 32))
    assert peer.all_heard(0.3) == []


def test_the_same_id_twice_gets_one_terminal_reply(peer, slow):
    for _ in range(3):
        peer.say(slow, GRASS)
    replies = heard_until_ended(peer, slow)
    peer.say(slow, GRASS)
    replies += peer.all_heard(0.4)
    assert len(ends_of(replies, slow)) == 1


def test_a_client_that_reconnects_gets_the_reply_it_missed(server, peer, slow):
    before = server.status().finished
    peer.say(slow, GRASS)
    peer.heard_of(Accepted)
    with RawPeer(server.connection) as reconnected:
        reconnected.say(slow, GRASS)  # still running: attached to the new connection
        assert isinstance(reconnected.heard_of(Finished), Finished)
    with RawPeer(server.connection) as late:
        late.say(slow, GRASS)  # over: the kept reply, not another run
        reply = late.heard_of(Finished)
        assert reply.id == slow.id and reply.timings.run_ms >= 900 and not reply.cached
        assert server.status().finished == before + 1
    assert ends_of(peer.all_heard(0.2), slow) == []


def test_a_newer_request_makes_the_older_one_stale(server, peer, slow):
    newer = another(slow, seed=2, replaces=slow.id)
    peer.say(slow, GRASS)
    server.wait_for(lambda status: status.running == 1)
    peer.say(newer, GRASS)
    replies = heard_until_ended(peer, newer)
    assert ends_of(replies, slow) == [Cancelled(slow.id)]
    assert isinstance(ends_of(replies, newer)[0], Finished)


def test_a_job_past_its_deadline_fails(client, landscape, label_map):
    began = time.monotonic()
    with pytest.raises(DeadlineError, match="in its time"):
        client.generate(PictureRequest(label_map, landscape, seed=SLOW + 20_000), Delivery(deadline_s=0.3))
    assert time.monotonic() - began < 5


def test_interactive_work_overtakes_background_work(server, peer, slow):
    peer.say(slow, GRASS)
    server.wait_for(lambda status: status.running == 1)
    background = another(slow, seed=3, priority=0)
    interactive = another(slow, seed=4, priority=2)
    peer.say(background, GRASS)
    peer.say(interactive, GRASS)
    replies = heard_until_ended(peer, slow, interactive, background, longer_s=0)
    assert [reply.id for reply in replies if isinstance(reply, Finished)] == [
        slow.id,
        interactive.id,
        background.id,
    ]


def test_a_waiting_job_hears_of_itself_all_the_time(peer, slow, server):
    waiting = another(slow, seed=6)
    peer.say(replace(slow, seed=SLOW + 2000), GRASS)
    peer.say(waiting, GRASS)
    replies = heard_until_ended(peer, waiting, longer_s=0)
    told = [reply for reply in replies if isinstance(reply, Accepted) and reply.id == waiting.id]
    assert len(told) >= 4 and all(reply.position == 1 for reply in told)


VICTIM = """
import sys, time, numpy as np
from spade_core.contract.client import Client
from spade_core.contract.labels import load_label_set
from spade_core.contract.request import PictureRequest
client = Client.at(sys.argv[1])
for seed in range({seed}, {seed} + 3):
    client.submit(PictureRequest(np.zeros((64, 64), np.uint8), load_label_set("landscape"), seed=seed))
while True:
    client.poll(50)
    print("up", flush=True)
"""


def test_a_client_killed_in_the_middle_leaks_nothing(server, client, landscape, label_map):
    command = [sys.executable, "-c", VICTIM.format(seed=SLOW + 60_000), server.connection.address]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as victim:
        victim.stdout.readline()
        server.wait_for(lambda status: status.running == 1 and status.queued == 2)
        victim.kill()
    # Its jobs wait a few seconds for it to come back, and are then dropped, the running one too.
    server.wait_for(lambda status: status.running == status.queued == 0, timeout_s=12)
    assert client.generate(PictureRequest(label_map, landscape, seed=9)).rgb.shape == (64, 96, 3)
