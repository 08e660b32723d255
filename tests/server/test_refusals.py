# SPDX-License-Identifier: Apache-2.0
"""Bad input on a real socket: each gets its typed refusal, and the server stays well."""

import json
import time
import uuid
import zlib
from dataclasses import replace

import numpy as np
import pytest

from spade_core.contract.codec import encode
from spade_core.contract.errors import (
    BadHeaderError,
    BadShapeError,
    InternalError,
    LabelSetMismatchError,
    OutOfMemoryError,
    UnknownModelError,
)
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import (
    Accepted,
    Cancel,
    Drain,
    Failed,
    Finished,
    Output,
    Ping,
    Pong,
    StylePart,
    Submit,
    SubmitStyle,
)
from spade_core.contract.request import CodeStyle, PictureRequest
from tests.server.running import RawPeer
from tests.server.trivial import IS_BROKEN, NEEDS_TOO_MUCH

GRASS = bytes([6]) * 64 * 64


@pytest.fixture
def peer(server):
    with RawPeer(server.connection) as peer:
        yield peer


@pytest.fixture
def submit(landscape):
    return Submit(
        uuid.uuid4().hex, uuid.uuid4().hex, "landscape", landscape.digest, 0, (64, 64), "uint8", 64 * 64
    )


def test_a_good_job_by_hand_is_painted(peer, submit):
    peer.say(submit, GRASS)
    assert isinstance(peer.heard(), Accepted)
    assert peer.heard_of(Finished).shape == (64, 64)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([b"SPB2", b"{}"], "BAD_VERSION"),
        ([b"hello"], "BAD_VERSION"),
        ([b""], "BAD_VERSION"),
        ([b"SPB1"], "BAD_FRAMES"),
        ([b"SPB1", b"{}"] + [b"x"] * 17, "BAD_FRAMES"),
        ([b"SPB1", b"{]"], "BAD_HEADER"),
        ([b"SPB1", b" " * 17000], "BAD_HEADER"),
        ([b"SPB1", b'{"kind":"Dance"}'], "BAD_KIND"),
        ([b"SPB1", b'{"kind":"Finished"}'], "BAD_KIND"),
        ([b"SPB1", b'{"kind":"Submit"}'], "BAD_HEADER"),
    ],
)
def test_garbage_frames_get_a_typed_refusal(peer, frames, code):
    peer.send(*frames)
    refusal = peer.heard()
    assert isinstance(refusal, Failed) and refusal.code == code and refusal.message and refusal.fix
    assert "SPB1" in refusal.message or code != "BAD_VERSION"


@pytest.mark.parametrize(
    ("changes", "buffers", "code"),
    [
        ({"model": "../../etc/passwd"}, [GRASS], "UNKNOWN_MODEL"),
        ({"model": "x" * 5000}, [GRASS], "UNKNOWN_MODEL"),
        ({"label_set": load_label_set("ade20k").digest}, [GRASS], "LABEL_SET_MISMATCH"),
        ({}, [bytes([99]) * 4096], "BAD_LABEL"),
        ({}, [GRASS[:-1]], "SIZE_MISMATCH"),
        ({}, [GRASS + b"x"], "SIZE_MISMATCH"),
        ({}, [], "BAD_FRAMES"),
        ({}, [GRASS, GRASS], "BAD_FRAMES"),
        ({"shape": (64, 65)}, [GRASS], "SIZE_MISMATCH"),
        ({"shape": (-64, -64)}, [GRASS], "BAD_SHAPE"),
        ({"shape": (0, 64), "raw_bytes": 0}, [b""], "BAD_SHAPE"),
        ({"shape": (2**40, 2**40)}, [GRASS], "TOO_LARGE"),
        ({"shape": (64, 2049), "raw_bytes": 64 * 2049}, [bytes(64 * 2049)], "TOO_LARGE"),
        ({"raw_bytes": 2**40}, [GRASS], "TOO_LARGE"),
        ({"output": Output((64, 9999))}, [GRASS], "TOO_LARGE"),
        ({"output": Output((1, 1))}, [GRASS], "BAD_SHAPE"),
        ({"output": Output(wrap=(True,))}, [GRASS], "BAD_HEADER"),
        ({"output": Output(encoding="exe")}, [GRASS], "BAD_HEADER"),
        ({"dtype": "float32"}, [GRASS], "BAD_SHAPE"),
        ({"dtype": "object"}, [GRASS], "BAD_SHAPE"),
        ({"encoding": "pickle"}, [GRASS], "BAD_HEADER"),
        ({"encoding": "zlib"}, [GRASS], "SIZE_MISMATCH"),
        ({"encoding": "zlib"}, [zlib.compress(bytes(10**8), 9)], "SIZE_MISMATCH"),
        ({"encoding": "zlib"}, [zlib.compress(GRASS)[:-2]], "SIZE_MISMATCH"),
        ({"seed": -1}, [GRASS], "BAD_HEADER"),
        ({"priority": 9}, [GRASS], "BAD_HEADER"),
        ({"deadline_ms": 0}, [GRASS], "BAD_HEADER"),
        ({"style": SubmitStyle("telepathy")}, [GRASS], "BAD_HEADER"),
        ({"style": SubmitStyle(strength=1e9)}, [GRASS], "BAD_HEADER"),
        ({"style": SubmitStyle("image")}, [GRASS, GRASS], "BAD_HEADER"),
        ({"style": SubmitStyle("image", shape=(64, 64))}, [GRASS, GRASS], "SIZE_MISMATCH"),
        ({"style": SubmitStyle("image", shape=(64, 9999))}, [GRASS, GRASS], "TOO_LARGE"),
        ({"style": SubmitStyle("code")}, [GRASS], "BAD_FRAMES"),
        ({"style": SubmitStyle("code")}, [GRASS, b"\0\0\0"], "SIZE_MISMATCH"),
        ({"style": SubmitStyle("code")}, [GRASS, b""], "BAD_SHAPE"),
        ({"style": SubmitStyle("code")}, [GRASS, np.full(4, np.nan, "<f4").tobytes()], "BAD_SHAPE"),
        ({"style": SubmitStyle("mixed")}, [GRASS], "BAD_HEADER"),
        ({"style": SubmitStyle("mixed", parts=(StylePart("seed"),) * 3)}, [GRASS], "BAD_HEADER"),
        ({"style": SubmitStyle("mixed", mix=2, parts=(StylePart("seed"),) * 2)}, [GRASS], "BAD_HEADER"),
        ({"style": SubmitStyle("mixed", parts=(StylePart("mixed"),) * 2)}, [GRASS], "BAD_HEADER"),
        ({"id": "../x"}, [GRASS], "BAD_HEADER"),
        ({"client": ""}, [GRASS], "BAD_HEADER"),
        ({"replaces": "everything"}, [GRASS], "BAD_HEADER"),
    ],
)
def test_a_bad_job_gets_its_code_and_a_fix(peer, submit, changes, buffers, code):
    bad = replace(submit, **changes)
    peer.say(bad, *buffers)
    refusal = peer.heard()
    assert isinstance(refusal, Failed) and (refusal.code, refusal.id) == (code, bad.id), refusal
    assert refusal.fix and not refusal.retryable


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"model": "unheard-of"}, UnknownModelError),
        ({"seed": NEEDS_TOO_MUCH}, OutOfMemoryError),
        ({"seed": IS_BROKEN}, InternalError),
        ({"wrap": (True, True, True)}, BadHeaderError),
        ({"style": CodeStyle(np.zeros(5, np.float32))}, BadShapeError),
    ],
)
def test_the_client_raises_the_typed_error(client, landscape, label_map, options, refusal):
    with pytest.raises(refusal) as refused:
        client.generate(PictureRequest(label_map, landscape, **options))
    assert refused.value.message and refused.value.fix
    assert client.generate(PictureRequest(label_map, landscape)).rgb.shape == (64, 96, 3), (
        "the server is not well afterwards"
    )


def test_another_label_set_is_refused_with_the_one_to_choose(client):
    other = load_label_set("ade20k")
    with pytest.raises(LabelSetMismatchError, match="'landscape'"):
        client.generate(PictureRequest(np.zeros((64, 64), np.uint8), other))


def test_the_client_knows_the_limits_of_its_server(client, landscape):
    client.status()
    with pytest.raises(Exception, match="up to 2048"):
        client.submit(PictureRequest(np.zeros((64, 2100), np.uint8), landscape))
    with pytest.raises(BadShapeError, match="at least 32"):
        client.submit(PictureRequest(np.zeros((64, 31), np.uint8), landscape))


def test_garbage_cannot_storm(server, landscape, label_map):
    with RawPeer(server.connection) as peer, server.client() as client:
        for number in range(2000):
            peer.send(b"SPB1", json.dumps({"kind": "Dance", "id": str(number)}).encode())
        rgb = client.generate(PictureRequest(label_map, landscape, seed=777)).rgb
        assert rgb.shape == (64, 96, 3)
        complaints = peer.all_heard(during_s=1.5)
        assert 40 <= len(complaints) < 150, "the budget is a burst and then a trickle"
        peer.say(Ping())
        assert isinstance(peer.heard_of(Pong), Pong), "good messages of that peer are still answered"


def test_a_message_over_the_transport_limit_harms_nobody(server, client, landscape, label_map):
    with RawPeer(server.connection) as peer:
        peer.send(b"SPB1", b"{}", bytes(65 * 2**20))
        assert client.generate(PictureRequest(label_map, landscape, seed=778)).rgb.shape == (64, 96, 3)


def test_a_stranger_cannot_cancel_the_jobs_of_another_client(server, peer, submit):
    peer.say(replace(submit, seed=100_400), GRASS)
    with RawPeer(server.connection) as stranger:
        stranger.say(Cancel(submit.id))
        assert isinstance(peer.heard_of(Finished), Finished)


def test_only_the_control_socket_may_stop_the_server(server, peer):
    peer.say(Drain())
    assert peer.heard().code == "BAD_KIND"
    with RawPeer(server.connection, server.connection.control_address) as control:
        control.send(*encode(Cancel("0" * 32)))
        assert control.heard().code == "BAD_KIND"
    assert server.status().state == "ready"


def test_strangers_on_the_port_are_survived(server, client, landscape, label_map):
    import socket

    host, port = server.connection.address.removeprefix("tcp://").split(":")
    for greeting in (b"GET / HTTP/1.1\r\n\r\n", bytes(4096), b"\xff" * 100):
        with socket.create_connection((host, int(port))) as stranger:
            stranger.sendall(greeting)
            time.sleep(0.05)
    assert client.generate(PictureRequest(label_map, landscape, seed=779)).rgb.shape == (64, 96, 3)
