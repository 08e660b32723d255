# SPDX-License-Identifier: Apache-2.0
"""A running broker and peers with keys that say anything: all is answered in words, nothing else is touched."""

from __future__ import annotations

import json
import uuid
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spade_core.contract.connection import ConnectionInfo, read_connection_file
from spade_core.contract.labels import load_label_set
from spade_core.contract.messages import CLIENT_MESSAGES, Failed, Ping, Pong
from spade_core.contract.request import Delivery, PictureRequest
from tests.server.running import RawPeer, RunningServer, resident_mib
from tests.server.test_keys import keys
from tests.support.any_message import ANYTHING, headers

EXAMPLES = 500
OTHERS = set(CLIENT_MESSAGES) - {
    "Submit",
    "ReleaseDevice",
}  # that one is obeyed, and a worker takes long to start
GRASS = bytes([6]) * 64 * 64
BUFFERS = st.one_of(
    st.just(GRASS),
    st.just(zlib.compress(GRASS)),
    st.just(zlib.compress(bytes(10**7), 9)),
    st.binary(max_size=200),
)
SEEDS = st.integers(0, 900)  # others have a meaning for the trivial generator


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server of its own, and somebody's key for it."""
    folder = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        with RunningServer(folder) as server:
            key = folder / "anna.key"
            made = keys("new", "anna", "--address", server.connection.address, "-o", str(key))
            assert made.returncode == 0, made.stderr
            yield server, read_connection_file(Path(key))


def submits() -> st.SearchStrategy[dict[str, Any]]:
    """A good job with some of its fields replaced."""
    landscape = load_label_set("landscape").digest
    good = {
        "kind": st.just("Submit"),
        "id": st.builds(lambda: uuid.uuid4().hex),
        "client": st.builds(lambda: uuid.uuid4().hex),
        "model": st.just("landscape"),
        "label_set": st.just(landscape),
        "seed": SEEDS,
        "shape": st.just([64, 64]),
        "dtype": st.just("uint8"),
        "raw_bytes": st.just(4096),
    }
    numbers = st.integers(-(2**62), 2**62) | st.sampled_from([0, 32, 64, 4096, 4097, 8192, 2**31])
    others = {
        "shape": st.lists(numbers, max_size=3) | ANYTHING,
        "dtype": st.sampled_from(["uint16", "int8", "O", "<u2", ""]) | ANYTHING,
        "raw_bytes": numbers | ANYTHING,
        "encoding": st.sampled_from(["raw", "zlib", "lzma"]) | ANYTHING,
        "model": ANYTHING | st.sampled_from(["../landscape", "x" * 9000, "coco_stuff"]),
        "label_set": ANYTHING,
        "output": st.fixed_dictionaries(
            {},
            optional={
                "size": st.lists(numbers, min_size=2, max_size=2) | ANYTHING,
                "encoding": st.sampled_from(["png", "jpeg", "webp", "gif"]),
                "upscale": ANYTHING | st.just("auto"),
                "natural_edges": st.floats(-2, 2) | ANYTHING,
                "detail": st.floats(-2, 9) | ANYTHING,
                "precision": st.sampled_from(["exact", "preview"]) | ANYTHING,
                "wrap": st.lists(st.booleans(), max_size=3) | ANYTHING,
            },
        ),
        "style": st.fixed_dictionaries(
            {"kind": st.sampled_from(["none", "seed", "image", "code", "named", "mixed", "x"])},
            optional={
                "seed": numbers,
                "shape": st.lists(numbers, min_size=2, max_size=2),
                "name": st.text(max_size=80),
                "strength": st.floats(-3, 3),
                "mix": st.floats(-3, 3),
                "parts": st.lists(st.fixed_dictionaries({"kind": st.sampled_from(["seed", "mixed"])})),
            },
        ),
        "deadline_ms": numbers | ANYTHING,
        "priority": numbers | ANYTHING,
        "replaces": ANYTHING,
    }
    return st.tuples(st.fixed_dictionaries(good), st.fixed_dictionaries({}, optional=others)).map(
        lambda parts: {**parts[0], **parts[1]}
    )


def said(header: dict[str, Any]) -> list[bytes]:
    return [b"SPB1", json.dumps(header).encode()]


ANY_MESSAGE = st.one_of(
    st.lists(st.binary(max_size=40), min_size=1, max_size=20),
    st.tuples(
        headers().filter(lambda header: header["kind"] in OTHERS),
        st.lists(BUFFERS, max_size=2),
    ).map(lambda parts: said(parts[0]) + parts[1]),
    st.tuples(submits(), st.lists(BUFFERS, max_size=3)).map(lambda parts: said(parts[0]) + parts[1]),
)


@pytest.mark.parametrize("user", ["own", "anna"])
@pytest.mark.timeout(180)
def test_whatever_a_peer_says_the_broker_answers_it_and_serves_the_others(
    guarded, landscape, label_map, user
):
    server, hers = guarded
    connection: ConnectionInfo = server.connection if user == "own" else hers
    wanted = PictureRequest(label_map, landscape, seed=5)
    codes: set[str] = set()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(ANY_MESSAGE, min_size=1, max_size=4))
    def check(everything):
        with RawPeer(connection) as peer:
            for frames in everything:
                peer.send(*frames)
            peer.say(Ping())
            while True:
                reply = peer.heard(10)  # typed, or the codec would refuse it
                if isinstance(reply, Failed):
                    codes.add(reply.code)
                    assert reply.message
                if isinstance(reply, Pong):
                    break

    with server.client() as neighbour:
        before = neighbour.generate(wanted, Delivery(no_cache=True)).rgb
        check()
        status = server.wait_for(
            lambda status: status.queued + status.running == 0 and status.state == "ready"
        )
        assert (neighbour.generate(wanted, Delivery(no_cache=True)).rgb == before).all()
    assert "INTERNAL" not in codes and len(codes) > 5, codes
    assert "Traceback" not in server.console, server.console
    assert server.process.pid in status.pids and resident_mib(server.process.pid) < 190
