# SPDX-License-Identifier: Apache-2.0
import pytest

from spade_core.contract.errors import WarmingError
from spade_core.contract.pending_jobs import PendingJobs

FRAMES = [b"frames"]


@pytest.fixture
def pending():
    pending = PendingJobs(first_patience_s=4, patience_s=15, now=0.0)
    pending.heard(0.0)
    pending.add("a", FRAMES, 0.0, patience_s=120, size=(64, 64))
    return pending


def look(pending, now):
    pending.listening(now)
    return pending.due(now)


def listen(pending, until, step=0.1, start=0.0):
    """The actions of a stretch of listening, with its moment."""
    found, now = [], start
    while now < until:
        now = round(now + step, 6)
        found.append((now, look(pending, now)))
    return found


def test_nothing_is_repeated_while_the_server_talks(pending):
    for tenth in range(100):
        pending.heard(tenth / 10)
        pending.heard_of("a", tenth / 10)
        due = look(pending, tenth / 10)
        assert not (due.resend or due.reconnect or due.unavailable or due.ping)


def test_silence_is_answered_by_repeating_and_then_by_a_new_connection(pending):
    turns = listen(pending, 3.5)
    first = next(now for now, due in turns if due.resend)
    assert 1.0 < first < 1.3
    reconnects = [now for now, due in turns if due.reconnect]
    assert reconnects and min(reconnects) > 2.0
    assert all(due.resend == [FRAMES] for now, due in turns if due.reconnect)


def test_a_job_of_which_nothing_is_heard_while_the_server_talks_is_asked_for_ever_more_rarely(pending):
    asked = []
    for tenth in range(300):
        pending.heard(tenth / 10)
        if look(pending, tenth / 10).resend:
            asked.append(tenth / 10)
    assert asked == pytest.approx([3.1, 9.2, 21.3], abs=0.3)


def test_reconnecting_backs_off(pending):
    moments = [now for now, due in listen(pending, 14.0, step=0.01) if due.reconnect]
    gaps = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    assert gaps[0] < 0.2 and 0.7 < max(gaps) < 1.3 and len(moments) < 25


def test_a_server_that_was_heard_gets_more_patience_than_one_that_never_was(pending):
    assert next(now for now, due in listen(pending, 20) if due.unavailable) == pytest.approx(15.1)
    stranger = PendingJobs(first_patience_s=4, patience_s=15, now=0.0)
    stranger.add("a", FRAMES, 0.0, patience_s=120, size=(64, 64))
    assert next(now for now, due in listen(stranger, 20) if due.unavailable) == pytest.approx(4.1)


def test_a_host_that_was_busy_elsewhere_does_not_blame_the_server(pending):
    look(pending, 0.1)
    due = look(pending, 60.0)  # Blender rendered for a minute
    assert not (due.resend or due.reconnect or due.unavailable)


def test_a_refusal_is_waited_out_and_then_sent_again(pending):
    assert pending.delay("a", WarmingError("Loading.", retry_after_ms=300), 0.0)
    pending.heard(0.0)
    assert not look(pending, 0.2).resend
    assert look(pending, 0.35).resend == [FRAMES]
    assert not look(pending, 0.4).resend


def test_refusals_are_not_waited_out_for_ever(pending):
    assert not pending.delay("a", WarmingError("Loading."), 120.0)


def test_an_idle_client_asks_whether_the_server_is_there():
    pending = PendingJobs(4, 15, now=0.0)
    turns = listen(pending, 10.0)
    pings = [now for now, due in turns if due.ping]
    assert len(pings) >= 5
    assert not any(due.unavailable or due.reconnect for _, due in turns)
