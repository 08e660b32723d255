# SPDX-License-Identifier: Apache-2.0
import itertools
from dataclasses import replace

import pytest

from server.admission import AdmittedJob
from server.queue import AGING_S, JobQueue, ScheduledJob
from server.reply_cache import CachedReply, ReplyCache
from spade_core.contract.errors import BusyError
from spade_core.contract.limits import Limits
from spade_core.contract.messages import Cancelled, Submit

_clock = itertools.count()


def job(client, name, priority=1, nbytes=1):
    submit = Submit(name, client, "landscape", "d", 0, (64, 64), "uint8", 4096, priority=priority)
    admitted = AdmittedJob(submit, [bytes(nbytes)], "", "", (64, 64))
    return ScheduledJob((client, name), admitted, b"peer", queued_at=next(_clock), deadline=1e9)


def queue_of(*jobs):
    queue = JobQueue(Limits(max_inflight=4, max_queue=10))
    for entry in jobs:
        queue.add(entry)
    return queue


def order(queue):
    names = []
    while (entry := queue.next(0.0)) is not None:
        names.append(entry.id)
    return names


def test_clients_take_turns():
    queue = queue_of(
        *(job("a", f"a{n}") for n in range(3)), *(job("b", f"b{n}") for n in range(2)), job("c", "c0")
    )
    assert order(queue) == ["a0", "b0", "c0", "a1", "b1", "a2"]


def test_users_take_turns_however_many_clients_each_has():
    farm = [job(f"farm/{n}", f"f{n}") for n in range(4)]
    anna = [job("anna/a", "a0"), job("anna/a", "a1")]
    for entry in farm:
        entry.admitted = replace(entry.admitted, user="farm")
    for entry in anna:
        entry.admitted = replace(entry.admitted, user="anna")
    assert order(queue_of(*farm, *anna)) == ["f0", "a0", "f1", "a1", "f2", "f3"]


def test_higher_priority_goes_first_and_then_clients_take_turns():
    queue = queue_of(job("a", "low", 0), job("a", "high", 2), job("b", "normal"), job("c", "high too", 2))
    assert order(queue) == ["high", "high too", "normal", "low"]


def test_an_interrupted_job_goes_before_all_others():
    first, second = job("a", "first"), job("b", "second", priority=2)
    queue = queue_of(first)
    assert queue.next(0.0) is first and first.running
    queue.add(second)
    queue.requeue(first)
    assert not first.running
    assert order(queue) == ["first", "second"]


def test_a_job_is_removed_wherever_it_is():
    running, interrupted, queued = job("a", "r"), job("a", "i"), job("a", "q")
    queue = queue_of(running, interrupted, queued)
    queue.next(0.0), queue.next(0.0)
    queue.requeue(interrupted)
    for entry in (running, interrupted, queued):
        queue.remove(entry)
    assert len(queue) == 0 and queue.next(0.0) is None


def test_one_client_cannot_fill_the_queue():
    queue = queue_of(*(job("a", str(n)) for n in range(4)))
    with pytest.raises(BusyError) as refused:
        queue.add(job("a", "one too many"))
    assert refused.value.retryable and refused.value.retry_after_ms > 0
    queue.add(job("b", "another client"))


def test_the_queue_is_finite_in_jobs_and_in_bytes():
    queue = queue_of(*(job(str(n), str(n)) for n in range(10)))
    with pytest.raises(BusyError):
        queue.add(job("late", "late"))
    queue = queue_of(job("a", "huge", nbytes=200 * 2**20))
    with pytest.raises(BusyError):
        queue.add(job("b", "huge too", nbytes=100 * 2**20))


def test_the_jobs_ahead_are_those_running_and_those_before():
    first, second, third = job("a", "1"), job("b", "2"), job("c", "3")
    queue = queue_of(first, second, third)
    queue.next(0.0)
    assert queue.ahead_of(third) == [first, second] and queue.ahead_of(second) == [first]


def test_the_cache_forgets_the_least_used_and_the_old():
    cache = ReplyCache(max_bytes=4000, max_s=300)
    for name in "abc":
        cache.put(name, CachedReply(Cancelled(name), [bytes(600)]), now=0.0)
    assert cache.get("a", 1.0) is not None
    cache.put("d", CachedReply(Cancelled("d"), [bytes(600)]), now=2.0)
    assert cache.get("b", 3.0) is None and cache.get("a", 3.0) is not None
    assert cache.get("a", 301.0) is None
    cache.forget_old(303.0)
    assert cache.get("d", 0.0) is None


def test_what_is_larger_than_the_cache_is_not_kept():
    cache = ReplyCache(max_bytes=1000)
    cache.put("small", CachedReply(Cancelled("small")), now=0.0)
    cache.put("large", CachedReply(Cancelled("large"), [bytes(2000)]), now=0.0)
    assert cache.get("large", 0.0) is None and cache.get("small", 0.0) is not None


def test_who_waits_rises_in_rank():
    modest, greedy = job("a", "m", priority=0), job("b", "g", priority=2)
    modest.queued_at = greedy.queued_at = 0
    queue = queue_of(modest, greedy)
    assert queue.next(3 * AGING_S) is greedy, "both have waited alike"
    late = job("b", "l", priority=2)
    late.queued_at = 3 * AGING_S
    queue.add(late)
    assert queue.next(3 * AGING_S) is modest


def test_who_has_many_jobs_on_a_slow_device_does_not_go_before_a_neighbour_for_having_waited():
    """Each job takes longer than it needs to rise; the flood's have waited long, the neighbour's has just come."""
    flood = [job("flood", f"f{n}") for n in range(4)]
    for entry in flood:
        entry.queued_at = 0.0
    queue = queue_of(*flood)
    first = queue.next(60.0)
    assert first is flood[0]
    late = job("neighbour", "late")
    late.queued_at = 61.0
    queue.add(late)
    queue.remove(first)
    assert queue.next(80.0) is late
    queue.remove(late)
    assert queue.next(81.0) is flood[1]


def test_a_user_of_many_programs_does_not_go_before_another_for_having_waited():
    farm = [job(f"farm/{n}", f"f{n}") for n in range(4)]
    for entry in farm:
        entry.admitted, entry.queued_at = replace(entry.admitted, user="farm"), 0.0
    queue = queue_of(*farm)
    first = queue.next(60.0)
    anna = job("anna/a", "a0")
    anna.admitted, anna.queued_at = replace(anna.admitted, user="anna"), 61.0
    queue.add(anna)
    queue.remove(first)
    assert queue.next(80.0) is anna


def test_a_background_job_beside_another_clients_urgent_ones_is_painted_in_the_end():
    patient = job("patient", "low", 0)
    patient.queued_at = 0.0
    queue = queue_of(patient)
    for at in itertools.count(1):
        urgent = job("urgent", f"u{at}", 2)
        urgent.queued_at = float(at)
        queue.add(urgent)
        chosen = queue.next(float(at))
        queue.remove(chosen)
        if chosen is patient:
            break
        assert at < 3 * AGING_S + 1
