# SPDX-License-Identifier: Apache-2.0
"""Pictures of 8192 pixels a side, from a server that was told to take them."""

from pathlib import Path

import numpy as np
import pytest

from spade_core.contract.errors import TooLargeError
from spade_core.contract.request import PictureRequest
from tests.server.running import RunningServer


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    with RunningServer(tmp_path_factory.mktemp("large"), "--max-side", "8192") as server:
        yield server


def most_mib(pid: int) -> float:
    """Of the memory that a process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def test_a_picture_of_8192_squared_comes_whole(large, landscape):
    blocks = np.random.default_rng(0).integers(0, 17, (256, 256), np.uint8)
    label_map = blocks.repeat(32, 0).repeat(32, 1)
    with large.client() as client:
        rgb = client.generate(PictureRequest(label_map, landscape)).rgb
    assert np.array_equal(rgb[::32, ::32], landscape.colorize(blocks))
    assert np.array_equal(rgb[31::32, 31::32], landscape.colorize(blocks))
    broker, _ = large.status().pids
    assert most_mib(broker) < 512


def test_more_is_refused_before_it_is_sent(large, landscape):
    with large.client() as client:
        client.status()
        with pytest.raises(TooLargeError, match="the server takes up to 8192 a side"):
            client.submit(PictureRequest(np.zeros((64, 8224), np.uint8), landscape))
