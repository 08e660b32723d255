# SPDX-License-Identifier: Apache-2.0
"""The client where there is no server; with one, see tests/server."""

import socket
import time
from dataclasses import replace

import numpy as np
import pytest

from spade_core.contract.client import Client
from spade_core.contract.errors import (
    BadHeaderError,
    BadImageError,
    BadLabelError,
    BadOptionError,
    BadShapeError,
    TooLargeError,
    UnavailableError,
)
from spade_core.contract.labels import load_label_set
from spade_core.contract.limits import Limits
from spade_core.contract.messages import Cancelled, Failed, Welcome
from spade_core.contract.request import (
    CodeStyle,
    Delivery,
    ImageStyle,
    MixedStyle,
    PictureRequest,
    SeedStyle,
)

LANDSCAPE = load_label_set("landscape")
GRASS = np.full((64, 64), 6, np.uint8)


@pytest.fixture
def nowhere():
    """An address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    with Client(address, credentials=None, first_patience_s=1.5) as client:
        yield client


def test_a_server_that_would_paint_without_wrapping_is_not_asked_to(nowhere):
    old = Welcome(6, "epoch", Limits(), (), ("raw",), "ready")
    nowhere.welcome = old
    with pytest.raises(BadOptionError, match="ends meet"):
        nowhere.submit(PictureRequest(GRASS, LANDSCAPE, wrap=(False, True)))
    nowhere.welcome = replace(old, minor=7)
    assert nowhere.submit(PictureRequest(GRASS, LANDSCAPE, wrap=(False, True)))


def test_a_server_that_would_not_know_of_previews_is_not_asked_for_one(nowhere):
    old = Welcome(7, "epoch", Limits(), (), ("raw",), "ready")
    nowhere.welcome = old
    with pytest.raises(BadOptionError, match="no previews"):
        nowhere.submit(PictureRequest(GRASS, LANDSCAPE, precision="preview"))
    assert nowhere.submit(PictureRequest(GRASS, LANDSCAPE))
    nowhere.welcome = replace(old, minor=8)
    assert nowhere.submit(PictureRequest(GRASS, LANDSCAPE, precision="preview"))


def test_another_precision_is_refused_before_it_is_sent(nowhere):
    with pytest.raises(BadHeaderError, match="precision.*'exact' or 'preview'"):
        nowhere.submit(PictureRequest(GRASS, LANDSCAPE, precision="float16"))


def test_an_unreachable_server_is_unavailable_within_seconds(nowhere):
    began = time.monotonic()
    with pytest.raises(UnavailableError, match="does not answer.*spade-server"):
        nowhere.generate(PictureRequest(GRASS, LANDSCAPE))
    assert time.monotonic() - began < 4


def test_a_job_for_an_unreachable_server_fails_once_and_polling_never_blocks(nowhere):
    job = nowhere.submit(PictureRequest(GRASS, LANDSCAPE))
    ends, longest, end = [], 0.0, time.monotonic() + 3
    while time.monotonic() < end:
        began = time.monotonic()
        ends += nowhere.poll()
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.02)
    assert [(event.id, event.code) for event in ends if isinstance(event, Failed)] == [(job, "UNAVAILABLE")]
    assert nowhere.live == () and longest < 0.3


def test_a_job_is_cancelled_although_nobody_answers(nowhere):
    job = nowhere.submit(PictureRequest(GRASS, LANDSCAPE))
    nowhere.cancel(job)
    nowhere.cancel(job)
    nowhere.cancel("unknown")
    assert nowhere.poll() == [Cancelled(job)]


def test_a_replaced_job_is_cancelled(nowhere):
    first = nowhere.submit(PictureRequest(GRASS, LANDSCAPE))
    second = nowhere.submit(PictureRequest(GRASS, LANDSCAPE), Delivery(replaces=first))
    assert nowhere.poll() == [Cancelled(first)] and nowhere.live == (second,)


@pytest.mark.parametrize(
    ("label_map", "options", "refusal"),
    [
        (np.full((64, 64), 99, np.uint8), {}, BadLabelError),
        (np.zeros((64, 64, 3), np.uint8), {}, BadShapeError),
        (np.zeros((64, 9000), np.uint8), {}, TooLargeError),
        (np.zeros((64, 20), np.uint8), {}, BadShapeError),
        (GRASS, {"size": (64, 9000)}, TooLargeError),
        (GRASS, {"style": ImageStyle(np.zeros((64, 64), np.uint8))}, BadImageError),
        (GRASS, {"style": ImageStyle(np.zeros((64, 64, 3), np.float32))}, BadImageError),
        (GRASS, {"style": ImageStyle(np.zeros((64, 9000, 3), np.uint8))}, TooLargeError),
        (
            GRASS,
            {"style": MixedStyle(SeedStyle(1), ImageStyle(np.zeros((64, 9000, 3), np.uint8)))},
            TooLargeError,
        ),
        (GRASS, {"style": CodeStyle(np.zeros((2, 8), np.float32))}, BadShapeError),
        (GRASS, {"style": CodeStyle(np.full(8, np.nan, np.float32))}, BadShapeError),
        (GRASS, {"style": SeedStyle(-1)}, BadHeaderError),
        (GRASS, {"style": MixedStyle(SeedStyle(1), SeedStyle(2), 1.5)}, BadHeaderError),
        (GRASS, {"seed": -1}, BadHeaderError),
        (GRASS, {"strength": 3}, BadHeaderError),
        (GRASS, {"wrap": (True, True, True)}, BadHeaderError),
        (GRASS, {"instance_map": np.zeros((64, 65), np.int32)}, BadShapeError),
        (GRASS, {"instance_map": np.zeros((64, 64), np.float32)}, BadShapeError),
        (
            np.zeros((256, 257), np.uint8),
            {"instance_map": np.arange(256 * 257).reshape(256, 257)},
            TooLargeError,
        ),
    ],
)
def test_a_bad_job_is_refused_before_it_is_sent(nowhere, label_map, options, refusal):
    with pytest.raises(refusal):
        nowhere.submit(PictureRequest(label_map, LANDSCAPE, **options))
    assert nowhere.live == ()


@pytest.mark.parametrize(
    "delivery", [Delivery(encoding="exe"), Delivery(priority=7), Delivery(deadline_s=0)], ids=repr
)
def test_an_impossible_delivery_is_refused_before_anything_is_sent(nowhere, delivery):
    with pytest.raises(BadHeaderError):
        nowhere.submit(PictureRequest(GRASS, LANDSCAPE), delivery)
    assert nowhere.live == ()


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "http://127.0.0.1:80", ""])
def test_what_is_no_address_says_so(address):
    with pytest.raises(UnavailableError, match="not an address"):
        Client(address)
