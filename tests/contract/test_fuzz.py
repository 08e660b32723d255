# SPDX-License-Identifier: Apache-2.0
"""Anything at all as bytes, headers, label sets: what is understood comes back equal, the rest is refused in words."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spade_core.contract.codec import (
    decode,
    decode_client_message,
    decode_server_message,
    encode,
    id_in,
    unpack_map,
    unpack_picture,
    unpack_table,
)
from spade_core.contract.errors import SpadeError
from spade_core.contract.labels import LabelClass, LabelSet, load_label_set, parse_label_set
from spade_core.contract.messages import CLIENT_MESSAGES, SERVER_MESSAGES, Finished, ModelInfo
from tests.support.any_message import headers, messages

many = settings(max_examples=300, derandomize=True, deadline=None, database=None)
few = settings(max_examples=30, derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [(name, kinds) for kinds in (CLIENT_MESSAGES, SERVER_MESSAGES) for name in kinds],
)
def test_every_message_comes_back_as_it_was_sent(name, kinds):
    @few
    @given(messages(kinds[name]))
    def check(message):
        try:
            frames = encode(message)
        except SpadeError:
            return  # its header is too long
        back, buffers = decode(frames, kinds)
        assert buffers == []
        for entry in fields(message):
            if entry.metadata.get("wire", True):
                assert getattr(back, entry.name) == getattr(message, entry.name)

    check()


@many
@given(st.lists(st.binary(max_size=40), max_size=20))
@example([b"SPB1", b"[" * 16000])
@example([b"SPB1", b"1" * 16000])
@example([b"SPB1", b'{"kind":' + b'{"a":' * 3000 + b"1" + b"}" * 3001])
def test_any_frames_are_read_or_refused_in_words(frames):
    for read in (decode_client_message, decode_server_message):
        try:
            read(frames)
        except SpadeError as error:
            assert error.message and error.code
    assert isinstance(id_in(frames), str)


@many
@given(headers(), st.lists(st.binary(max_size=40), max_size=18))
def test_any_header_of_the_protocol_is_read_or_refused_in_words(header, buffers):
    text = json.dumps(header).encode()
    for read in (decode_client_message, decode_server_message):
        try:
            read([b"SPB1", text, *buffers])
        except SpadeError as error:
            assert error.message and len(error.message) < 2000


@many
@given(st.binary(max_size=300))
def test_any_table_is_read_or_refused_in_words(buffer):
    try:
        unpack_table(ModelInfo, buffer)
    except SpadeError as error:
        assert error.message


@many
@given(
    st.binary(max_size=5000),
    st.tuples(st.integers(-3, 70), st.integers(-3, 70)),
    st.sampled_from(["uint8", "uint16", "float32", "O", ""]),
    st.sampled_from(["raw", "zlib", "gzip", ""]),
    st.integers(-2, 5000),
)
def test_any_label_map_has_the_promised_shape_or_is_refused_in_words(
    buffer, shape, dtype, encoding, raw_bytes
):
    try:
        assert unpack_map(buffer, shape, dtype, encoding, raw_bytes).shape == shape
    except SpadeError as error:
        assert error.message


@many
@given(
    st.lists(st.binary(max_size=400), max_size=3),
    st.tuples(st.integers(-(2**40), 2**40), st.integers(-20, 20)),
)
def test_any_picture_has_the_promised_shape_or_is_refused_in_words(buffers, shape):
    try:
        picture = unpack_picture(Finished("a", shape, "b"), [memoryview(each) for each in buffers])
        assert picture.shape == (*shape, 3)
    except SpadeError as error:
        assert error.message


NAMES = st.text(min_size=1, max_size=20).filter(lambda text: text.strip())
CLASSES = st.builds(
    LabelClass,
    st.integers(-2, 70_000),
    NAMES,
    st.from_regex("#[0-9A-F]{6}", fullmatch=True),
    st.lists(NAMES, max_size=3).map(tuple),
)


@many
@given(NAMES, st.integers(0, 9), st.lists(CLASSES, max_size=8).map(tuple), st.integers(-2, 70_000))
def test_a_label_set_that_is_one_is_the_same_after_its_way_as_text(name, version, classes, ignore_id):
    try:
        made = parse_label_set(LabelSet(name, version, classes, ignore_id).to_toml())
    except SpadeError as error:
        assert error.message
        return
    again = parse_label_set(made.to_toml())
    assert again == made and again.digest == made.digest


TOML = load_label_set("landscape").to_toml()


@many
@given(
    st.one_of(
        st.text(max_size=300), st.tuples(st.integers(0, len(TOML)), st.integers(0, 60), st.text(max_size=20))
    )
)
@example("ignore_id = " + "9" * 5000)
@example("a = " + "[" * 5000)
@example("a." * 3000 + "b = 1")
@example('name = "a"\nclasses = [{id = 1, name = "\\u0000", color = "#000000"}]')
def test_any_text_is_a_label_set_or_refused_in_words(text):
    if isinstance(text, tuple):
        at, length, other = text
        text = TOML[:at] + other + TOML[at + length :]
    try:
        made = parse_label_set(text)
    except SpadeError as error:
        assert error.message
    else:
        assert made.classes and parse_label_set(made.to_toml()) == made


@many
@given(
    st.sampled_from([np.uint8, np.int8, np.uint16, np.int32, np.int64, np.uint64]),
    st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=4),
)
def test_a_label_map_keeps_its_ids_or_is_refused_in_words(dtype, values):
    label_map = np.array(values, np.uint64).astype(dtype).reshape(2, 2)
    label_set = load_label_set("landscape")
    try:
        assert (label_set.check(label_map) == label_map).all()
    except SpadeError as error:
        assert error.message
