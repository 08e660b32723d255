# SPDX-License-Identifier: Apache-2.0
import pytest

from spade_core.contract.errors import Warming
from spade_core.contract.ledger import Ledger

FRAMES = [b"frames"]


@pytest.fixture
def ledger():
    ledger = Ledger(first_patience_s=4, patience_s=15, now=0.0)
    ledger.heard(0.0)
    ledger.add("a", FRAMES, 0.0, patience_s=120)
    return ledger


def look(ledger, now):
    ledger.looked(now)
    return ledger.due(now)


def listen(ledger, until, step=0.1):
    """Every due of a stretch of listening, with its moment."""
    found, now = [], ledger._looked_at
    while now < until:
        now = round(now + step, 6)
        found.append((now, look(ledger, now)))
    return found


def test_nothing_is_repeated_while_the_server_talks(ledger):
    for tenth in range(100):
        ledger.heard(tenth / 10)
        due = look(ledger, tenth / 10)
        assert not (due.resend or due.reconnect or due.unavailable or due.ping)


def test_silence_is_answered_by_repeating_and_then_by_a_new_connection(ledger):
    turns = listen(ledger, 3.5)
    first = next(now for now, due in turns if due.resend)
    assert 1.0 < first < 1.3
    reconnects = [now for now, due in turns if due.reconnect]
    assert reconnects and min(reconnects) > 2.0
    assert all(due.resend == [FRAMES] for now, due in turns if due.reconnect)


def test_reconnecting_backs_off(ledger):
    moments = [now for now, due in listen(ledger, 14.0, step=0.01) if due.reconnect]
    gaps = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    assert gaps[0] < 0.2 and 0.7 < max(gaps) < 1.3 and len(moments) < 25


def test_a_server_that_was_heard_gets_more_patience_than_one_that_never_was(ledger):
    assert next(now for now, due in listen(ledger, 20) if due.unavailable) == pytest.approx(15.1)
    stranger = Ledger(first_patience_s=4, patience_s=15, now=0.0)
    stranger.add("a", FRAMES, 0.0, patience_s=120)
    assert next(now for now, due in listen(stranger, 20) if due.unavailable) == pytest.approx(4.1)


def test_a_host_that_was_busy_elsewhere_does_not_blame_the_server(ledger):
    look(ledger, 0.1)
    due = look(ledger, 60.0)  # Blender rendered for a minute
    assert not (due.resend or due.reconnect or due.unavailable)


def test_a_refusal_is_waited_out_and_then_sent_again(ledger):
    assert ledger.delay("a", Warming("Loading.", retry_after_ms=300), 0.0)
    ledger.heard(0.0)
    assert not look(ledger, 0.2).resend
    assert look(ledger, 0.35).resend == [FRAMES]
    assert not look(ledger, 0.4).resend


def test_refusals_are_not_waited_out_for_ever(ledger):
    assert not ledger.delay("a", Warming("Loading."), 120.0)


def test_an_idle_client_asks_whether_the_server_is_there():
    ledger = Ledger(4, 15, now=0.0)
    turns = listen(ledger, 10.0)
    pings = [now for now, due in turns if due.ping]
    assert len(pings) >= 5
    assert not any(due.unavailable or due.reconnect for _, due in turns)
