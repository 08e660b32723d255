# SPDX-License-Identifier: Apache-2.0
"""Large pictures by a real server with the embedded model: the small painting first, then the whole."""

from __future__ import annotations

import numpy as np
import pytest

from spade_core.contract.errors import BadHeaderError
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import Painting
from spade_core.contract.request import Delivery, PictureRequest
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer
from tests.server.running import RunningServer

REAL = "spade_core.synthesis.synthesizer:Synthesizer"
LANDSCAPE = load_label_set("landscape")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RunningServer(tmp_path_factory.mktemp("server"), synthesizer=REAL) as running:
        yield running


def request(seed: int = 3, **changes) -> PictureRequest:
    ids = np.zeros((512, 512), np.uint8)
    ids[300:] = 6
    return PictureRequest(ids, LANDSCAPE, seed=seed, **changes)


def test_the_small_painting_comes_first_where_it_was_asked_for(server):
    with server.client() as client:
        events: list = []
        picture = client.generate(request(), Delivery(painting=True, no_cache=True), on_event=events.append)
        paintings = [event for event in events if isinstance(event, Painting)]
        assert [painting.rgb.shape for painting in paintings] == [(256, 256, 3)]
        assert picture.rgb.shape == (512, 512, 3) and picture.upscaler.startswith("embedded ")
        events.clear()
        client.generate(request(), Delivery(no_cache=True), on_event=events.append)
        assert not [event for event in events if isinstance(event, Painting)]


def test_the_server_paints_what_this_process_paints(server):
    with server.client() as client:
        by_server = client.generate(request())
    here = paint(Synthesizer.load("landscape", "cpu"), request())
    assert by_server.upscaler == here.upscaler
    assert (
        np.abs(by_server.rgb.astype(int) - here.rgb).max() <= 2
    )  # another number of threads adds in another order


def test_upscaled_or_not_are_two_pictures_in_the_cache(server):
    with server.client() as client:
        off, auto = client.generate(request(upscale="off")), client.generate(request())
        again = client.generate(request(upscale="off"))
    assert not np.array_equal(off.rgb, auto.rgb) and np.array_equal(off.rgb, again.rgb)


def test_an_upscaler_that_the_server_does_not_have_is_refused_with_those_it_has(server):
    with server.client() as client, pytest.raises(BadHeaderError) as refused:
        assert "embedded" in client.fetch_welcome().upscalers
        client.generate(request(upscale="no-such"))
    assert "embedded" in refused.value.fix
