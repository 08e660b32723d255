# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's address as people type it, and its key as studios hand it out."""

from __future__ import annotations

import json

import pytest
from spade_backdrops.bridge.address import is_on_this_computer, read_credentials, tcp_address
from spade_backdrops.contract.errors import ForbiddenError, UnavailableError

KEY = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("studio", "tcp://studio:5570"),
        ("studio:6000", "tcp://studio:6000"),
        ("  render-01.studio.local : 6000 \n", "tcp://render-01.studio.local:6000"),
        ("tcp://10.0.0.7:5570", "tcp://10.0.0.7:5570"),
        ("TCP://10.0.0.7:5570/", "tcp://10.0.0.7:5570"),
        ("tcp://studio", "tcp://studio:5570"),
        ('"studio:6000"', "tcp://studio:6000"),
        ("::1", "tcp://[::1]:5570"),
        ("[fe80::1]:6000", "tcp://[fe80::1]:6000"),
    ],
)
def test_an_address_is_understood_however_it_is_typed(typed, meant):
    assert tcp_address(typed) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "http://studio:80",
        "studio:port",
        "studio:0",
        "studio:70000",
        "studio:",
        "a/b",
        "me@studio",
        "t ü",
    ],
)
def test_what_is_no_address_is_a_sentence_and_a_fix(typed):
    with pytest.raises(UnavailableError) as refused:
        tcp_address(typed)
    assert "no server address" in refused.value.message and refused.value.fix


def test_this_computer_is_told_from_others_however_it_is_typed():
    assert (
        is_on_this_computer("localhost")
        and is_on_this_computer("tcp://127.0.0.1:1")
        and is_on_this_computer("::1")
    )
    assert not is_on_this_computer("studio") and not is_on_this_computer("http://localhost")


def test_a_key_file_says_who_the_server_is_and_who_the_user(tmp_path):
    file = tmp_path / "anna.key"
    keys = {"server_key": KEY, "client_key": KEY[::-1], "client_secret": KEY}
    file.write_text(json.dumps({"address": "tcp://studio:5570", "control_address": "", "pid": 0, **keys}))
    file.chmod(0o600)
    found = read_credentials(file)
    assert (found.server_key, found.client.public, found.client.secret) == (KEY, KEY[::-1], KEY)


def test_a_file_without_a_key_is_a_sentence_and_a_fix(tmp_path):
    (tmp_path / "notes.txt").write_text("ask the render wrangler")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff")
    (tmp_path / "keyless.json").write_text('{"server_key": null}')
    for name in ("notes.txt", "picture.png", "keyless.json", "nowhere"):
        with pytest.raises(ForbiddenError) as refused:
            read_credentials(tmp_path / name)
        assert name in refused.value.message and "key" in refused.value.fix
