# SPDX-License-Identifier: Apache-2.0
"""What a server keeps for a connection that is told many small things at once."""

import threading
import time

import pytest
import zmq

from server.peers import Peers
from spade_core.contract.keys import Credentials, KeyPair
from spade_core.contract.sockets import address_of, dealer, router


def let_everybody_in(doorkeeper):
    try:
        while True:
            version, request, *_ = doorkeeper.recv_multipart()
            doorkeeper.send_multipart([version, request, b"200", b"", b"anna", b""])
    except zmq.ContextTerminated:
        doorkeeper.close()


@pytest.fixture
def met():
    """A server's side of one connection, that connection's name there, and the client's side."""
    context, keys = zmq.Context(), KeyPair.new()
    doorkeeper = context.socket(zmq.REP)
    doorkeeper.bind("inproc://zeromq.zap.01")
    threading.Thread(target=let_everybody_in, args=(doorkeeper,), daemon=True).start()
    peers = Peers(router(context, "tcp://127.0.0.1:*", keys, b"work"))
    client = dealer(context, address_of(peers.socket), Credentials(keys.public, KeyPair.new()))
    client.send(b"hello")
    peers.socket.poll(5000)
    peer, _ = peers.receive(time.monotonic())
    yield peers, peer, client
    client.close(linger=0)
    peers.close(linger_ms=0)
    context.term()


def told(met, count):
    """How many of so many droppable words at once arrive."""
    peers, peer, client = met
    for _ in range(count):
        peers.send(peer.identity, [b"SPB1", b"a word"], time.monotonic(), droppable=True)
    heard, quiet_at = 0, time.monotonic() + 0.5
    while time.monotonic() < quiet_at:
        peers.flush(time.monotonic())
        while client.poll(5):
            client.recv_multipart()
            heard, quiet_at = heard + 1, time.monotonic() + 0.5
    return heard


def test_who_asks_several_things_at_once_hears_every_answer(met):
    assert told(met, 24) == 24


def test_more_than_that_is_dropped_before_it_piles_up(met):
    peers, peer, _ = met
    assert told(met, 1) == 1
    for _ in range(10_000):
        peers.send(peer.identity, [b"SPB1", b"a word"], time.monotonic(), droppable=True)
        assert peer.held < 32 * 1024
