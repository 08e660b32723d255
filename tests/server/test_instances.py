# SPDX-License-Identifier: Apache-2.0
"""Instance maps on their way to a real server with a real, small, untrained network that looks at them."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from spade_core.checkpoint.file import save_checkpoint
from spade_core.contract.codec import encode
from spade_core.contract.errors import BadOptionError, SpadeError
from spade_core.contract.labels import load_label_set
from spade_core.contract.limits import Limits
from spade_core.contract.messages import Failed, Finished, InstancesPart, Submit
from spade_core.contract.request import Delivery, ImageStyle, PictureRequest
from spade_core.contract.session import Session
from spade_core.contract.submission import submit_from
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer
from tests.server.running import RawPeer, RunningServer
from tests.support.tiny import tiny_checkpoint, with_instance_edges

LANDSCAPE = load_label_set("landscape")
REAL = "spade_core.synthesis.synthesizer:Synthesizer"
TREES = np.full((64, 96), LANDSCAPE.match("tree").id, np.uint8)
TWO = np.ones(TREES.shape, np.int32)
TWO[:, 40:] = 70_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_checkpoint(folder / "edges.safetensors", with_instance_edges(tiny_checkpoint()))
    save_checkpoint(folder / "plain.safetensors", tiny_checkpoint())
    return folder


@pytest.fixture(scope="module")
def server(folder):
    models = [str(folder / f"{name}.safetensors") for name in ("edges", "plain")]
    # Torch's own imports warn.
    with RunningServer(folder / "run", "--models", *models, synthesizer=REAL, strict=False) as server:
        yield server


def asked(objects: np.ndarray | None, model: str = "edges", **more) -> PictureRequest:
    return PictureRequest(TREES, LANDSCAPE, model, 7, instance_map=objects, upscale="off", **more)


def reply_to(client, request: PictureRequest) -> Finished:
    job = client.submit(request)
    ends = [event for event in client.events(timeout_s=60) if getattr(event, "id", "") == job]
    assert isinstance(ends[-1], Finished), ends
    return ends[-1]


def test_welcome_says_which_models_look_at_objects(client):
    assert {each.name: each.instance_edges for each in client.fetch_welcome().models} == {
        "edges": True,
        "plain": False,
    }


def test_two_objects_of_one_class_have_a_border_as_they_have_in_this_process(client, folder):
    model = Synthesizer.load(folder / "edges.safetensors", "cpu")
    one, two = (client.generate(asked(objects)).rgb for objects in (None, TWO))
    assert np.array_equal(two, paint(model, asked(TWO)).rgb)
    assert np.array_equal(one, paint(model, asked(None)).rgb)
    assert not np.array_equal(one, two)
    far = np.abs(one.astype(int) - two).max(axis=(0, 2))
    assert far[36:44].max() > far[:16].max(), "it is the border that differs, not the light"


def test_requests_that_differ_in_the_instance_map_alone_are_not_mixed_up_in_the_cache(client):
    moved = TWO.copy()
    moved[:32, 40:] = 1
    replies = [reply_to(client, asked(objects, natural_edges=0.0)) for objects in (None, TWO, moved)]
    assert len({reply.digest for reply in replies}) == 3
    again = [reply_to(client, asked(objects)) for objects in (None, TWO, moved)]
    assert all(reply.cached for reply in again)
    assert [reply.digest for reply in again] == [reply.digest for reply in replies]
    compressed = client.generate(asked(TWO), Delivery(compress=True))
    assert np.array_equal(compressed.rgb, again[1].rgb)


def test_jobs_that_are_painted_together_have_each_their_own_objects(client, folder):
    model = Synthesizer.load(folder / "edges.safetensors", "cpu")
    maps = [None, TWO, TWO.max() - TWO.repeat(2, 0)[:64, ::-1] + 1, np.ones_like(TWO)]
    jobs = {client.submit(asked(objects), Delivery(no_cache=True)): objects for objects in maps * 2}
    ends = {event.id: event for event in client.events(timeout_s=60) if isinstance(event, Finished)}
    assert ends.keys() == jobs.keys()
    for job, objects in jobs.items():
        assert np.array_equal(ends[job].rgb, paint(model, asked(objects)).rgb)


def test_a_style_and_natural_edges_go_with_it(client, folder):
    model = Synthesizer.load(folder / "edges.safetensors", "cpu")
    style = ImageStyle(np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8))
    wanted = asked(TWO, style=style, natural_edges=1.0)
    assert np.array_equal(client.generate(wanted).rgb, paint(model, wanted).rgb)


def test_a_model_that_does_not_look_at_them_refuses_them_in_words(client):
    with pytest.raises(BadOptionError, match="'plain' does not look at instances"):
        client.generate(asked(TWO, "plain"))


def test_a_client_of_an_older_version_is_served_as_before(server, client):
    """It knows neither the field of the job nor that of the model."""
    with RawPeer(server.connection) as peer:
        submit, buffers = submit_from(asked(None), Delivery(no_cache=True), uuid4().hex, Limits())
        magic, header = encode(submit)
        old = {name: value for name, value in json.loads(header).items() if name != "instances"}
        peer.send(magic, json.dumps(old).encode(), *buffers)
        heard = np.frombuffer(peer.picture_heard(60), np.uint8).reshape(*TREES.shape, 3)
    assert np.array_equal(heard, client.generate(asked(None)).rgb)


def refused(peer: RawPeer, part: InstancesPart | None, *buffers: bytes) -> Failed:
    job = Submit(
        uuid4().hex, uuid4().hex, "edges", LANDSCAPE.digest, 7, (64, 96), "uint8", 64 * 96, instances=part
    )
    peer.say(job, TREES.tobytes(), *buffers)
    return peer.heard_of(Failed)


def test_instance_maps_that_are_none_are_refused_by_type_and_the_server_lives(server):
    whole = bytes(64 * 96)
    with RawPeer(server.connection) as peer:
        assert refused(peer, InstancesPart("uint8", 64 * 96)).code == "BAD_FRAMES"
        assert refused(peer, None, whole).code == "BAD_FRAMES"
        assert refused(peer, InstancesPart("int64", 64 * 96 * 8), bytes(64 * 96 * 8)).code == "BAD_SHAPE"
        assert refused(peer, InstancesPart("uint8", 64 * 96), whole[1:]).code == "SIZE_MISMATCH"
        assert refused(peer, InstancesPart("uint8", 64 * 96, "lzma"), whole).code == "BAD_HEADER"
        bomb = zlib.compress(bytes(10**7))
        assert refused(peer, InstancesPart("uint8", 64 * 96, "zlib"), bomb).code == "SIZE_MISMATCH"
        assert refused(peer, InstancesPart("uint8", 2**40), whole).code == "TOO_LARGE"
    assert server.status().state == "ready"


class _SilentTransport:
    address = "tcp://old:1"
    refusal: SpadeError | None = None
    local = True

    def __init__(self, welcome):
        self.sent, self._welcome = [], [welcome]

    def send(self, frames):
        self.sent.append(frames)

    def wait(self, seconds):
        return bool(self._welcome)

    def receive(self):
        return self._welcome.pop() if self._welcome else None

    def reconnect(self): ...

    def lost_connection(self):
        return False

    def close(self): ...


def test_a_server_of_an_earlier_version_is_not_sent_what_it_cannot_read(client):
    welcome = client.fetch_welcome()
    magic, header, *tables = encode(welcome)
    older = json.dumps({**json.loads(header), "minor": 6}).encode()
    transport = _SilentTransport([magic, older, *tables])
    session = Session(transport, "test", 10, 10)
    session.poll()
    before = len(transport.sent)
    with pytest.raises(BadOptionError, match="earlier version"):
        session.submit(asked(TWO))
    assert len(transport.sent) == before
    session.submit(asked(None))
    assert len(transport.sent) == before + 1
