# SPDX-License-Identifier: Apache-2.0
"""On a CPU, memory for a step or a picture is not cleared again and again, and is given back in the end; cores are
shared with other programs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PIECES = """
import resource, sys
import torch
from spade_core.runtime import keep_freed_memory, return_freed_memory

def held():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1024

def work():
    pieces = [torch.empty(12_000_000).fill_(1) for _ in range(4)]

if "keep" in sys.argv and not keep_freed_memory():
    sys.exit(77)
for _ in range(10):  # until there is room for all of them, wherever each comes to lie
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    work()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
kept = held()
return_freed_memory()
print(faults, kept, held())
"""
PAGES = 5 * 4 * 12_000_000 * 4 // 4096
"""Pages of 4 KB that the five rounds fill."""


def run(*words: str) -> tuple[int, int, int]:
    """Pages that the system had to clear, MB held after the work, and MB held when it was given back."""
    ended = subprocess.run([sys.executable, "-c", PIECES, *words], capture_output=True, text=True)
    if ended.returncode == 77:
        pytest.skip("This system's allocator is not glibc's.")
    faults, kept, left = map(int, ended.stdout.split())
    return faults, kept, left


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and glibc is what is told")
def test_what_a_round_has_freed_serves_the_next_one_and_goes_back_when_asked():
    cleared, _, _ = run()
    assert cleared > PAGES / 2  # as the allocator is: the test would notice if nothing were told
    faults, kept, left = run("keep")
    assert faults < PAGES / 100
    assert left < kept - 150


LARGE_BLOCKS = """
import sys
import torch
from spade_core.runtime import keep_freed_memory

def addresses():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmData")) // 1024

if not keep_freed_memory():
    sys.exit(77)
before = addresses()
block = torch.empty(3 * 2**28)  # 3 GiB that nobody writes to
taken = addresses() - before
del block
print(taken, addresses() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and glibc is what is told")
def test_what_is_kept_may_be_more_than_two_gigabytes():
    ended = subprocess.run([sys.executable, "-c", LARGE_BLOCKS], capture_output=True, text=True)
    if ended.returncode == 77:
        pytest.skip("This system's allocator is not glibc's.")
    taken, kept = map(int, ended.stdout.split())
    assert taken > 3000 and kept > 3000


PASSED_ON = """
import resource, sys
from spade_core.runtime import _glibc, keep_small_change_only, return_freed_memory

def held():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1024

if _glibc() is None:
    sys.exit(77)
if "keep" in sys.argv:
    keep_small_change_only()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        picture = bytearray(b"1") * 786_432
        del picture
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
idle, cleared = held(), faults()
large = [bytearray(b"1") * 8_000_000 for _ in range(10)]
del large
after_large = held() - idle
many = [bytearray(b"1") * 786_432 for _ in range(100)]
last = bytearray(b"1") * 786_432  # above them, so that the end of the heap is not free
del many
return_freed_memory(beyond=2**30)
kept = held() - idle
return_freed_memory(beyond=2**24)
print(cleared, after_large, kept, held() - idle)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and glibc is what is told")
def test_a_process_that_passes_pictures_on_keeps_room_for_a_few_and_no_more():
    ended = subprocess.run([sys.executable, "-c", PASSED_ON, "keep"], capture_output=True, text=True)
    if ended.returncode == 77:
        pytest.skip("This system's allocator is not glibc's.")
    cleared, after_large, kept, left = map(int, ended.stdout.split())
    assert cleared < 50 * 192 / 10  # of the pages of 50 pictures
    assert after_large < 8
    assert kept > 60 and left < 8


SLEEPS = """
import os
from spade_core.runtime import share_cores

share_cores()
import torch

print(os.environ["OMP_WAIT_POLICY"], torch.ones(1).item())
"""


def test_threads_that_wait_leave_their_core_to_others_unless_the_user_wants_it_otherwise():
    def said(**environment: str) -> str:
        command = [sys.executable, "-c", SLEEPS]
        others = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        return subprocess.run(
            command, env=others | environment, capture_output=True, text=True, check=True
        ).stdout

    assert said() == "passive 1.0\n"
    assert said(OMP_WAIT_POLICY="active") == "active 1.0\n"
