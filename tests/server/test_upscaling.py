# SPDX-License-Identifier: Apache-2.0
"""Large pictures by a real server with the embedded model: the small painting first, then the whole."""

from __future__ import annotations

import numpy as np
import pytest

from server.__main__ import main
from spade_core.contract.errors import BadHeaderError
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import Painting
from spade_core.contract.request import Delivery, PictureRequest
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.upscaling.compact import CompactConfig, CompactNet
from spade_core.upscaling.networks import save_network
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


def test_with_more_detail_the_painting_is_larger_and_the_picture_another(server):
    with server.client() as client:
        plain, events = client.generate(request()), []
        fine = client.generate(request(detail=1.5), Delivery(painting=True), on_event=events.append)
    assert [event.rgb.shape for event in events if isinstance(event, Painting)] == [(384, 384, 3)]
    here = paint(Synthesizer.load("landscape", "cpu"), request(detail=1.5))
    assert np.abs(fine.rgb.astype(int) - here.rgb).max() <= 2
    assert fine.rgb.shape == (512, 512, 3) and np.abs(fine.rgb.astype(int) - plain.rgb).max() > 20


def test_the_server_paints_what_this_process_paints(server):
    with server.client() as client:
        by_server = client.generate(request())
    here = paint(Synthesizer.load("landscape", "cpu"), request())
    assert by_server.upscaler == here.upscaler
    assert (
        np.abs(by_server.rgb.astype(int) - here.rgb).max() <= 2
    )  # another number of threads adds in another order


def test_a_server_paints_what_wraps_as_this_process_does_and_keeps_it_apart(server):
    with server.client() as client:
        wrapped = client.generate(request(wrap=(True, True)))
        plain = client.generate(request())
    here = paint(Synthesizer.load("landscape", "cpu"), request(wrap=(True, True)))
    assert np.abs(wrapped.rgb.astype(int) - here.rgb).max() <= 2
    assert np.abs(wrapped.rgb.astype(int) - plain.rgb).max() > 20


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


@pytest.fixture(scope="module")
def server_with_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    save_network(folder / "our-own.safetensors", CompactNet(CompactConfig(width=4, layers=1)), {})
    (folder / "broken.safetensors").write_bytes(b"nonsense")
    files = [str(folder / f"{name}.safetensors") for name in ("our-own", "broken")]
    with RunningServer(folder / "server", "--upscalers", *files, synthesizer=REAL) as running:
        yield running


def test_an_upscaler_file_of_the_server_is_asked_for_by_its_name(server_with_files):
    with server_with_files.client() as client:
        assert "our-own" in client.fetch_welcome().upscalers
        assert client.generate(request(upscale="our-own")).upscaler.startswith("our-own ")


def test_an_upscaler_file_that_is_wrong_is_named_and_all_else_is_served(server_with_files):
    problem = next(problem for problem in server_with_files.status().problems if problem.model == "broken")
    assert "broken.safetensors" in problem.message and problem.fix
    with server_with_files.client() as client:
        assert "broken" not in client.fetch_welcome().upscalers
        assert client.generate(request()).rgb.shape == (512, 512, 3)


@pytest.mark.parametrize("name", ["missing.safetensors", "embedded.safetensors", "two words.safetensors"])
def test_an_upscaler_file_that_cannot_be_served_stops_the_start_with_a_sentence(name: str, tmp_path, capsys):
    if name != "missing.safetensors":
        (tmp_path / name).touch()
    words = ["--connection-file", str(tmp_path / "server.json"), "--upscalers", str(tmp_path / name)]
    assert main(words) == 2
    assert name.removesuffix(".safetensors") in capsys.readouterr().err
