# SPDX-License-Identifier: Apache-2.0
"""What a studio is told to expect of its server, by the scheduler itself on a clock that jumps."""

from benchmarks.server_simulation import Studio, simulate
from spade_core.contract.limits import Limits

SMALL = Studio(sides=(512,), shares=(1.0,), minutes=3, ms_a_picture=240, ms_a_megapixel=780)
PICTURE_S = 0.24 + 0.78 * 512 * 512 / 1e6


def test_devices_that_keep_up_let_nobody_wait_and_turn_nobody_away():
    waits, turned_away = simulate(SMALL, artists=20, number=4)
    assert turned_away == 0 and sorted(waits)[len(waits) // 2] < 1.1 * PICTURE_S


def test_what_cannot_be_kept_up_with_waits_its_turn_and_only_beyond_the_queue_is_turned_away():
    waits, turned_away = simulate(SMALL, artists=100, number=1)
    queue_s = Limits.max_queue * PICTURE_S
    assert 0 < turned_away < 100 and queue_s < max(waits) < 3 * queue_s
