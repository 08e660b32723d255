# SPDX-License-Identifier: Apache-2.0
"""What a client gets from a server that is well."""

import io
import json
import time
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from spade_core.contract.client import Delayed
from spade_core.contract.codec import encode
from spade_core.contract.errors import LabelSetMismatchError, UnknownStyleError
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import Accepted, Finished, Ping, Pong, Progress, Submit
from spade_core.contract.request import (
    CodeStyle,
    Delivery,
    ImageStyle,
    MixedStyle,
    PictureRequest,
    SeedStyle,
)
from tests.server.running import RawPeer, resident_mib
from tests.server.trivial import SLOW


def finished(client, job, timeout_s=10):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        for event in client.poll(100):
            if isinstance(event, Finished) and event.id == job:
                return event
    raise TimeoutError(job)


def test_a_label_map_becomes_its_picture(client, landscape, label_map):
    rgb = client.generate(PictureRequest(label_map, landscape, seed=3)).rgb
    assert rgb.shape == (64, 96, 3) and rgb.dtype == np.uint8
    assert np.array_equal(rgb, landscape.colorize(label_map) + np.uint8(3))


@pytest.mark.parametrize("compress", [False, True])
def test_any_layout_and_integer_dtype_of_the_map_will_do(client, landscape, label_map, compress):
    odd = np.asfortranarray(label_map.astype(np.int64))[::-1]
    rgb = client.generate(PictureRequest(odd, landscape), Delivery(compress=compress)).rgb
    assert np.array_equal(rgb, landscape.colorize(np.ascontiguousarray(odd)))


def test_a_picture_that_is_there_at_once_is_not_announced_again_and_again(server, landscape, label_map):
    submit = Submit("", "c" * 32, "landscape", landscape.digest, 0, (64, 96), "uint8", label_map.nbytes)
    numbers = []
    with RawPeer(server.connection) as peer:
        for seed in range(5):
            peer.say(replace(submit, id=f"{seed:032x}", seed=seed, no_cache=True), label_map.data)
            kinds = [type(peer.heard())]
            while kinds[-1] is not Finished:
                kinds.append(type(peer.heard()))
            assert kinds[0] is Accepted
            numbers.append(len(kinds))
    assert min(numbers) <= 3  # accepted, painting, finished; the server tells of all jobs twice a second, too


def test_a_large_picture_arrives_whole(client, landscape):
    label_map = np.random.default_rng(1).integers(0, 17, (2048, 2048)).astype(np.uint8)
    assert np.array_equal(
        client.generate(PictureRequest(label_map, landscape), Delivery(compress=True)).rgb,
        landscape.colorize(label_map),
    )


def test_the_picture_may_have_another_size_than_the_map(client, landscape, label_map):
    rgb = client.generate(PictureRequest(label_map, landscape, size=(128, 192))).rgb
    expected = landscape.colorize(label_map.repeat(2, 0).repeat(2, 1))
    assert np.array_equal(rgb, expected)


@pytest.mark.parametrize("encoding", ["png", "jpeg", "webp"])
def test_a_file_comes_where_one_is_asked_for(client, landscape, label_map, encoding):
    job = client.submit(PictureRequest(label_map, landscape), Delivery(encoding=encoding))
    reply = finished(client, job)
    picture = Image.open(io.BytesIO(reply.file))
    assert picture.format == encoding.upper() and picture.size == (96, 64)
    if encoding == "png":
        assert np.array_equal(np.asarray(picture), landscape.colorize(label_map))


def test_styles_come_from_seeds_images_and_their_mixes(client, landscape, label_map):
    plain = client.generate(PictureRequest(label_map, landscape, seed=10)).rgb.astype(int)

    def added(**style):
        rgb = client.generate(PictureRequest(label_map, landscape, seed=10, **style)).rgb.astype(int)
        return int(np.unique((rgb - plain) % 256).item())

    own, other = SeedStyle(10), SeedStyle(42)
    image = ImageStyle(np.full((40, 50, 3), 77, np.uint8))
    light = ImageStyle(np.full((32, 60, 3), 177, np.uint8))
    code = CodeStyle(np.full(4, 7, np.float32))
    assert added(style=own) == 10
    assert added(style=other) == 42
    assert added(style=MixedStyle(own, other, 0)) == 10, "not mixed in: the style of the job's own seed"
    assert added(style=MixedStyle(own, other, 0.5)) == 26
    assert added(style=other, strength=0.5) == 21
    assert added(strength=0.0) == 0
    assert added(style=image) == 77
    assert added(style=image, strength=2) == 154
    assert added(style=code) == 7
    assert added(style=MixedStyle(image, light, 0.25)) == 102
    assert added(style=MixedStyle(light, image, 0.25)) == 152
    assert added(style=MixedStyle(code, other)) == 24
    assert added(style=MixedStyle(image, code, 0.5), strength=0.5) == 21


def test_a_models_styles_come_as_pictures(client):
    model = next(each for each in client.fetch_welcome().models if each.name == "landscape")
    rgb = client.fetch_thumbnails(model.digest)
    assert len(rgb) == len(model.styles) and rgb.shape == (2, 6, 8, 3)
    assert [int(each.mean()) for each in rgb] == [30, 60]
    with pytest.raises(UnknownStyleError):
        client.fetch_thumbnails("f" * 64)


def test_a_client_of_minor_version_1_is_understood(server, landscape, label_map):
    """Its mix goes from the style of the job's own seed to the one that it names; "name" is a field it had."""
    image = np.full((40, 50, 3), 77, np.uint8)
    with RawPeer(server.connection) as peer:

        def added(style: dict, *buffers: bytes) -> int:
            job = Submit(
                uuid4().hex,
                uuid4().hex,
                "landscape",
                landscape.digest,
                10,
                (64, 96),
                "uint8",
                label_map.nbytes,
            )
            magic, header = encode(job)
            old = {**json.loads(header), "style": {"kind": "none", "name": "", "strength": 1, **style}}
            peer.send(magic, json.dumps(old).encode(), label_map.tobytes(), *buffers)
            rgb = np.frombuffer(peer.picture_heard(), np.uint8).reshape(64, 96, 3).astype(int)
            return int(np.unique((rgb - landscape.colorize(label_map) - 10) % 256).item())

        assert added({}) == 0
        assert added({"kind": "seed", "seed": 42, "mix": 0.5}) == 26
        assert added({"kind": "image", "shape": [40, 50], "mix": 0.5}, image.tobytes()) == 43


def test_the_same_question_is_answered_from_the_cache(client, landscape, label_map):
    first = finished(client, client.submit(PictureRequest(label_map, landscape, seed=501)))
    again = finished(client, client.submit(PictureRequest(label_map, landscape, seed=501)))
    anew = finished(
        client, client.submit(PictureRequest(label_map, landscape, seed=501), Delivery(no_cache=True))
    )
    other = finished(client, client.submit(PictureRequest(label_map, landscape, seed=502)))
    assert [reply.cached for reply in (first, again, anew, other)] == [False, True, False, False]
    assert np.array_equal(first.rgb, again.rgb) and first.digest == again.digest != other.digest


def test_the_terms_of_models_and_upscalers_come_in_words_and_with_every_picture(client, landscape, label_map):
    welcome = client.fetch_welcome()
    assert {model.terms for model in welcome.models} == {"A trivial generator, for tests."}
    assert len(welcome.upscaler_terms) == len(welcome.upscalers)
    assert "BSD-3-Clause" in welcome.terms_of_upscaler("embedded 0123 float32 0.5")
    assert welcome.terms_of_upscaler("nobody") == ""
    assert client.generate(PictureRequest(label_map, landscape)).terms == "A trivial generator, for tests."


def test_progress_is_told_while_a_picture_is_made(client, landscape, label_map):
    events = []
    client.generate(PictureRequest(label_map, landscape, seed=SLOW + 600), on_event=events.append)
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert isinstance(next(event for event in events if hasattr(event, "id")), Accepted)
    assert len(fractions) >= 5 and fractions == sorted(fractions) and fractions[-1] > 0.5
    left = [event for event in client.poll() if hasattr(event, "id")]
    assert left == [], "a blocking call leaves nothing of its own behind"


def test_ping_is_answered_while_the_worker_is_busy(server, landscape, label_map):

    with server.client() as client, RawPeer(server.connection) as peer:
        job = client.submit(PictureRequest(label_map, landscape, seed=SLOW + 3000))
        server.wait_for(lambda status: status.running == 1)
        slowest = 0.0
        for _ in range(20):
            began = time.monotonic()
            peer.say(Ping())
            assert peer.heard().queue == 1
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 0.5
        assert finished(client, job).timings.run_ms >= 2900


def test_the_server_introduces_itself(client, landscape):
    client.status()
    welcome = client.welcome
    assert welcome is not None and welcome.state == "ready" and welcome.limits.max_side == 2048
    assert [model.name for model in welcome.models] == ["landscape", "coco_stuff"]
    assert welcome.models[0].label_set_digest == landscape.digest


def test_the_label_set_of_a_model_can_be_fetched(client, landscape):
    assert client.fetch_label_set(landscape.digest) == landscape
    large = load_label_set("coco_stuff")
    assert client.fetch_label_set(large.digest) == large
    with pytest.raises(LabelSetMismatchError):
        client.fetch_label_set(load_label_set("ade20k").digest)


def test_an_idle_client_knows_that_the_server_is_there(client):
    client.status()
    events, end = [], time.monotonic() + 2.5
    while time.monotonic() < end:
        events += client.poll(100)
    assert any(isinstance(event, Pong) for event in events) and client.silent_s < 2.5


def test_a_flood_is_told_to_wait_and_every_job_ends(server, landscape, label_map):
    larger = np.kron(label_map, np.ones((3, 3), np.uint8))  # small ones would be painted as fast as they come
    with server.client() as client:
        jobs = {
            client.submit(PictureRequest(larger, landscape, seed=seed), Delivery(no_cache=True))
            for seed in range(40)
        }
        ended, delayed, end = [], 0, time.monotonic() + 20
        while len(ended) < len(jobs) and time.monotonic() < end:
            for event in client.poll(100):
                delayed += isinstance(event, Delayed)
                ended += [event.id] if isinstance(event, Finished) else []
    assert sorted(ended) == sorted(jobs) and delayed > 0


def test_clients_take_turns(server, landscape, label_map):
    with server.client() as greedy, server.client() as modest:
        first = greedy.submit(PictureRequest(label_map, landscape, seed=SLOW + 800))
        many = [
            greedy.submit(PictureRequest(label_map, landscape, seed=SLOW + 400 + step))
            for step in range(20, 200, 20)
        ]
        server.wait_for(lambda status: status.queued == len(many))
        began = time.monotonic()
        modest.generate(PictureRequest(label_map, landscape, seed=1))
        assert time.monotonic() - began < 1.8, "it waited for all the jobs of the other client"
        for job in [first, *many]:
            greedy.cancel(job)


def test_the_broker_stays_small_and_without_torch(server):
    broker, worker = server.status().pids
    assert resident_mib(broker) < 150
    with open(f"/proc/{broker}/maps") as maps:
        assert "torch" not in maps.read()
