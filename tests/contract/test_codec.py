# SPDX-License-Identifier: Apache-2.0
import json
import random
import zlib

import numpy as np
import pytest

from spade_core.contract import messages as m
from spade_core.contract.codec import (
    MAX_HEADER,
    decode_client_message,
    decode_server_message,
    encode,
    id_in,
    pack_map,
    pack_picture,
    unpack_map,
    unpack_picture,
)
from spade_core.contract.errors import (
    BadFramesError,
    BadHeaderError,
    BadKindError,
    BadShapeError,
    BadVersionError,
    InternalError,
    SizeMismatchError,
    SpadeError,
    WarmingError,
    error_from,
)
from spade_core.contract.limits import Limits
from spade_core.contract.server_statistics import GetStatistics, Statistics

ID = "0123456789abcdef" * 2
SUBMIT = m.Submit(
    ID, ID, "paysage é木", "d" * 64, 2**62, (256, 512), "uint8", 131072, "zlib",
    m.SubmitStyle("mixed", 3, (64, 48), 0.5, 0.25, (m.StylePart("code"), m.StylePart("image", 2, (64, 48)))),
    m.Output((512, 1024), "png", "x4plus", wrap=(False, True)),
    deadline_ms=5000, priority=2, replaces=ID, no_cache=True, painting=True,
    instances=m.InstancesPart("uint16", 262144, "zlib"),
)  # fmt: skip
REQUESTS = [
    m.Hello(0, "test", ID), SUBMIT, m.Cancel(ID), m.GetLabelSet("d" * 64, ID),
    m.GetThumbnails("d" * 64, ID), m.ReleaseDevice(), m.Status(), m.Ping(), m.Drain(),
    GetStatistics(),
]  # fmt: skip
REPLIES = [
    m.Welcome(
        0, ID, Limits(), (m.ModelInfo("a", "b", "c", "d", 256, 64),), ("raw", "png"), "ready",
        (m.Problem("a", "It is broken.", "Mend it."),),
    ),
    m.Accepted(ID, "queued", 3), m.Progress(ID, "painting", 0.5), m.Painting(ID, (4, 6)),
    m.Finished(ID, (4, 6), "d" * 64, digest="e" * 64, cached=True, timings=m.Timings(1.5, 2.5, 0.0)),
    m.LabelSetText(ID), m.Thumbnails(ID, (6, 8)), m.Failed(ID, "BUSY", "Busy.", "Wait.", True, 500), m.Cancelled(ID),
    m.Pong(3, ID), m.ServerStatus("ready", ID, 1, 1, 5, 0, 12.5, (1, 2)), m.GoAway(30000),
    Statistics(60.0),
]  # fmt: skip


@pytest.mark.parametrize("message", REQUESTS, ids=lambda message: type(message).__name__)
def test_every_request_arrives_as_it_was_sent(message):
    assert decode_client_message(encode(message, [b"buffer"])) == (message, [b"buffer"])


@pytest.mark.parametrize("message", REPLIES, ids=lambda message: type(message).__name__)
def test_every_reply_arrives_as_it_was_sent(message):
    assert decode_server_message(encode(message)) == (message, [])


def test_every_kind_is_tried_above():
    assert {type(message) for message in REQUESTS} == set(m.CLIENT_MESSAGES.values())
    assert {type(message) for message in REPLIES} == set(m.SERVER_MESSAGES.values())


def test_fields_of_a_newer_minor_version_are_ignored():
    magic, header = encode(m.Ping())
    newer = json.dumps({**json.loads(header), "colour": {"deep": [1, 2]}}).encode()
    assert decode_client_message([magic, newer])[0] == m.Ping()


@pytest.mark.parametrize(
    ("frames", "refusal"),
    [
        ([], BadFramesError),
        ([b""], BadVersionError),
        ([b"SPB2", b"{}"], BadVersionError),
        ([b"GET / HTTP/1.1"], BadVersionError),
        ([b"SPB1"], BadFramesError),
        ([b"SPB1", b"{}"] + [b""] * 17, BadFramesError),
        ([b"SPB1", b""], BadHeaderError),
        ([b"SPB1", b"[]"], BadHeaderError),
        ([b"SPB1", b"\xff\xfe"], BadHeaderError),
        ([b"SPB1", b"[" * 16000], BadHeaderError),
        ([b"SPB1", b"9" * 16000], BadHeaderError),
        ([b"SPB1", b'{"kind":"Ping","x":NaN}'], BadHeaderError),
        ([b"SPB1", b'{"kind":"Ping","x":"' + b"a" * MAX_HEADER + b'"}'], BadHeaderError),
        ([b"SPB1", b"{}"], BadKindError),
        ([b"SPB1", b'{"kind":["Ping"]}'], BadKindError),
        ([b"SPB1", b'{"kind":"Dance"}'], BadKindError),
        ([b"SPB1", b'{"kind":"Welcome"}'], BadKindError),
        ([b"SPB1", b'{"kind":"Cancel"}'], BadHeaderError),
        ([b"SPB1", b'{"kind":"Cancel","id":7}'], BadHeaderError),
        ([b"SPB1", b'{"kind":"Cancel","id":null}'], BadHeaderError),
    ],
)
def test_what_is_no_request_is_refused_by_type(frames, refusal):
    with pytest.raises(refusal) as refused:
        decode_client_message(frames)
    assert refused.value.fix


def test_another_version_is_told_the_one_spoken_here():
    with pytest.raises(BadVersionError, match="SPB9.*SPB1"):
        decode_client_message([b"SPB9", b"{}"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", "1"), ("seed", 1.5), ("seed", True), ("seed", 2**63), ("shape", [1]), ("shape", [1, 2, 3]),
        ("shape", ["1", 2]), ("style", 3), ("style", {"strength": "big"}), ("style", {"shape": [1]}),
        ("style", {"parts": [{}]}), ("style", {"parts": [1]}), ("instances", 1), ("instances", {"dtype": "uint8"}),
        ("no_cache", 1), ("deadline_ms", "soon"), ("output", []), ("model", None),
    ],
)  # fmt: skip
def test_a_field_of_the_wrong_type_is_named(field, value):
    magic, header = encode(SUBMIT)
    broken = json.dumps({**json.loads(header), field: value}).encode()
    with pytest.raises(BadHeaderError, match=f"Submit.{field}"):
        decode_client_message([magic, broken])


def test_garbage_is_never_anything_but_a_typed_refusal():
    dice = random.Random(7)
    good = encode(SUBMIT, [b"x" * 50])
    for _ in range(3000):
        frames = [bytearray(frame) for frame in good]
        for _ in range(dice.randrange(1, 6)):
            frame = dice.choice(frames[1:] if dice.random() < 0.9 else frames)
            frame[dice.randrange(len(frame))] = dice.randrange(256)
        if dice.random() < 0.2:
            frames = frames[: dice.randrange(len(frames))]
        frames = [bytes(frame) for frame in frames]
        try:
            decode_client_message(frames)
        except SpadeError:
            pass
        assert isinstance(id_in(frames), str)


def test_the_id_of_a_broken_message_is_found_where_there_is_one():
    assert id_in([b"SPB1", b'{"kind":"Dance","id":"abc"}']) == "abc"
    assert id_in([b"SPB1", b'{"id":["abc"]}']) == ""
    assert id_in([b"SPB1", json.dumps({"id": "a" * 99}).encode()]) == ""
    assert id_in([b"nonsense"]) == ""


def test_a_header_that_would_be_refused_there_is_refused_here():
    with pytest.raises(BadHeaderError, match="16384"):
        encode(m.Hello(software="x" * MAX_HEADER))


@pytest.mark.parametrize("encoding", ["raw", "zlib"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_label_map_arrives_as_it_was_sent(encoding, dtype):
    label_map = np.random.default_rng(1).integers(0, 255, (37, 53)).astype(dtype)
    packed = pack_map(label_map, encoding)
    arrived = unpack_map(packed, (37, 53), label_map.dtype.name, encoding, label_map.nbytes)
    assert arrived.dtype == dtype and np.array_equal(arrived, label_map)


@pytest.mark.parametrize("size", [10**5, 10**7])
def test_a_zlib_bomb_is_refused_before_it_inflates(size):
    bomb = zlib.compress(bytes(size), 9)
    with pytest.raises(SizeMismatchError, match="promised 64"):
        unpack_map(bomb, (8, 8), "uint8", "zlib", 64)


@pytest.mark.parametrize(
    "stream",
    [
        b"not zlib",
        b"",
        zlib.compress(bytes(63)),
        zlib.compress(bytes(64))[:-3],
        zlib.compress(bytes(64)) + b"more",
    ],
)
def test_a_damaged_zlib_stream_is_refused(stream):
    with pytest.raises(SizeMismatchError):
        unpack_map(stream, (8, 8), "uint8", "zlib", 64)


def test_a_buffer_that_is_not_what_the_header_says_is_refused():
    with pytest.raises(SizeMismatchError):
        unpack_map(bytes(63), (8, 8), "uint8", "raw", 64)
    with pytest.raises(SizeMismatchError):
        unpack_map(bytes(64), (8, 9), "uint8", "raw", 64)
    with pytest.raises(SizeMismatchError):
        unpack_map(bytes(64), (-8, -8), "uint8", "raw", 64)
    with pytest.raises(BadShapeError):
        unpack_map(bytes(64), (8, 8), "object", "raw", 64)
    with pytest.raises(BadHeaderError):
        unpack_map(bytes(64), (8, 8), "uint8", "lzma", 64)


@pytest.mark.parametrize("shape", [(5, 7, 3), (3000, 2500, 3)])
def test_a_picture_travels_in_bands_and_arrives_whole(shape):
    rgb = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    bands = pack_picture(rgb)
    assert len(bands) == min(16, -(-rgb.nbytes // 2**20))
    assert max(map(len, bands)) - min(map(len, bands[:-1] or bands)) == 0, "all but the last are alike"
    finished = m.Finished(ID, shape[:2], "d")
    assert np.array_equal(unpack_picture(finished, bands), rgb)
    with pytest.raises(SizeMismatchError):
        unpack_picture(finished, bands[:-1] + [bands[-1][:-1]])


def test_a_code_from_the_wire_becomes_its_typed_error():
    error = error_from("WARMING", "The model loads.", "Wait.", True, 300)
    assert isinstance(error, WarmingError) and error.retryable and error.retry_after_ms == 300
    assert str(error) == "The model loads. Wait."
    assert m.Failed.of(ID, error).error.args == error.args
    assert isinstance(error_from("FROM_THE_FUTURE", "Hm."), InternalError)
