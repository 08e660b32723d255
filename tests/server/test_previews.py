# SPDX-License-Identifier: Apache-2.0
"""Previews: a server says whether it has any, and confuses them with no exact picture."""

import numpy as np
import pytest

from spade_core.contract.messages import Finished
from spade_core.contract.request import PictureRequest
from tests.server.running import RunningServer
from tests.server.test_batches import batches, busy, ends_of


@pytest.fixture
def faster(tmp_path):
    """A server whose device has numbers that are faster than float32."""
    with RunningServer(tmp_path, synthesizer="tests.server.trivial:PreviewSynthesizer") as server:
        yield server


def replied(client, request: PictureRequest) -> Finished:
    job = client.submit(request)
    end = ends_of(client, [job])[job]
    assert isinstance(end, Finished)
    return end


def test_a_preview_and_the_exact_picture_are_kept_apart(faster, landscape, label_map):
    with faster.client() as client:
        assert client.fetch_welcome().preview == "bfloat16"
        exact = landscape.colorize(label_map) + np.uint8(3)
        for _ in range(2):
            for precision, wanted in (("exact", exact), ("preview", exact + np.uint8(1))):
                end = replied(client, PictureRequest(label_map, landscape, seed=3, precision=precision))
                assert np.array_equal(end.rgb, wanted)
        assert end.cached


def test_no_batch_holds_both(faster, tmp_path, landscape, label_map):
    with faster.client() as client:
        busy(faster, client, landscape, label_map)
        jobs = {
            client.submit(
                PictureRequest(label_map, landscape, seed=seed, precision="preview" if seed % 2 else "exact")
            ): seed
            for seed in range(8)
        }
        ends = ends_of(client, jobs)
        assert batches(tmp_path) == [4, 4]
        for job, seed in jobs.items():
            expected = landscape.colorize(label_map) + np.uint8(seed) + np.uint8(seed % 2)
            assert np.array_equal(ends[job].rgb, expected)


def test_where_none_is_faster_a_preview_is_the_exact_picture(tmp_path, landscape, label_map):
    with RunningServer(tmp_path) as server, server.client() as client:
        assert client.fetch_welcome().preview == ""
        exact = replied(client, PictureRequest(label_map, landscape, seed=3))
        preview = replied(client, PictureRequest(label_map, landscape, seed=3, precision="preview"))
        assert preview.cached and np.array_equal(preview.rgb, exact.rgb)
