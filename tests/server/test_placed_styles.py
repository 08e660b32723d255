# SPDX-License-Identifier: Apache-2.0
"""Styles of parts on their way to a real server with real, small, untrained networks."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from spade_core.checkpoint.file import save_checkpoint
from spade_core.contract.codec import encode
from spade_core.contract.errors import BadOptionError, UnknownStyleError
from spade_core.contract.limits import Limits
from spade_core.contract.messages import Failed, InstancesPart, PlacedPart, PlacesPart, Submit
from spade_core.contract.placed_styles import PlacedStyle
from spade_core.contract.request import Delivery, ImageStyle, NamedStyle, PictureRequest, SeedStyle
from spade_core.contract.session import Session
from spade_core.contract.submission import submit_from
from spade_core.synthesis.paint import paint
from spade_core.synthesis.synthesizer import Synthesizer
from tests.server.running import RawPeer, RunningServer
from tests.server.test_instances import LANDSCAPE, REAL, TWO, _SilentTransport
from tests.support.tiny import seeing_objects, tiny_checkpoint, with_instance_edges

SKY, GRASS = (LANDSCAPE.match(name).id for name in ("sky", "grass"))
LABELS = np.full((64, 96), SKY, np.uint8)
LABELS[30:] = GRASS
REGIONS = np.zeros((64, 96), np.uint8)
REGIONS[:, 70:] = 200
PHOTO = np.random.default_rng(0).integers(0, 120, (40, 50, 3), np.uint8)
PLACED = (
    PlacedStyle(ImageStyle(PHOTO), (SKY,)),
    PlacedStyle(SeedStyle(11), region=200),
    PlacedStyle(SeedStyle(12), peak=1.0),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_checkpoint(folder / "tiny.safetensors", with_instance_edges(tiny_checkpoint()))
    seeing_objects(folder).rename(folder / "styleless.safetensors")
    return folder


@pytest.fixture(scope="module")
def server(folder):
    models = [str(folder / f"{name}.safetensors") for name in ("tiny", "styleless")]
    with RunningServer(folder / "run", "--models", *models, synthesizer=REAL, strict=False) as server:
        yield server


def asked(*placed: PlacedStyle, **more) -> PictureRequest:
    request = PictureRequest(LABELS, LANDSCAPE, "tiny", 7, upscale="off", softness=0.05, **more)
    return replace(request, placed_styles=placed)


def test_parts_are_painted_as_in_this_process(client, folder):
    model = Synthesizer.load(folder / "tiny.safetensors", "cpu")
    wanted = asked(*PLACED, region_map=REGIONS, instance_map=TWO, natural_edges=1.0, wrap=(False, True))
    here = paint(model, wanted).rgb
    assert np.array_equal(client.generate(wanted).rgb, here)
    assert np.array_equal(client.generate(wanted, Delivery(compress=True, no_cache=True)).rgb, here)
    assert not np.array_equal(paint(model, replace(wanted, placed_styles=())).rgb, here)


def test_requests_that_differ_in_a_place_alone_are_not_mixed_up_in_the_cache(client):
    moved = replace(PLACED[1], region=201)
    requests = [asked(), asked(PLACED[0]), asked(replace(PLACED[0], classes=(GRASS,))), asked(*PLACED)]
    requests += [asked(*PLACED[:2], region_map=REGIONS), asked(PLACED[0], moved, region_map=REGIONS)]
    requests += [replace(requests[1], softness=0.3)]
    pictures = [client.generate(request).rgb for request in requests]
    for index, picture in enumerate(pictures):
        assert not any(np.array_equal(picture, other) for other in pictures[:index] if index != 5)


def test_welcome_says_why_a_model_has_one_style_and_it_refuses_in_words(client):
    why = {model.name: model.one_style for model in client.fetch_welcome().models}
    assert why["tiny"] == "" and "no style code" in why["styleless"]
    streets = client.fetch_label_set(client.fetch_welcome().models[1].label_set_digest)
    styles = (PlacedStyle(SeedStyle(1), (streets.classes[0].id,)),)
    with pytest.raises(BadOptionError, match="one style: it has no style code"):
        client.generate(
            PictureRequest(np.full((64, 64), 7, np.uint8), streets, "styleless", placed_styles=styles)
        )
    with pytest.raises(UnknownStyleError, match="no named styles"):
        client.generate(asked(PlacedStyle(NamedStyle("dusk"), (SKY,))))


def test_a_client_of_an_older_version_is_served_as_before(server, client):
    with RawPeer(server.connection) as peer:
        submit, buffers = submit_from(asked(), Delivery(no_cache=True), uuid4().hex, Limits())
        magic, header = encode(submit)
        old = {name: value for name, value in json.loads(header).items() if name != "places"}
        peer.send(magic, json.dumps(old).encode(), *buffers)
        heard = np.frombuffer(peer.picture_heard(60), np.uint8).reshape(*LABELS.shape, 3)
    assert np.array_equal(heard, client.generate(asked()).rgb)


def test_a_server_of_an_earlier_version_is_not_asked_for_what_it_would_leave_out(client):
    magic, header, *tables = encode(client.fetch_welcome())
    older = json.dumps({**json.loads(header), "minor": 8}).encode()
    transport = _SilentTransport([magic, older, *tables])
    session = Session(transport, "test", 10, 10)
    session.poll()
    before = len(transport.sent)
    with pytest.raises(BadOptionError, match="earlier version, which paints all of a picture in one style"):
        session.submit(asked(*PLACED))
    session.submit(asked())
    assert len(transport.sent) == before + 1


def refused(peer: RawPeer, places: PlacesPart, *buffers: bytes) -> str:
    job = Submit(
        *(uuid4().hex, uuid4().hex, "tiny", LANDSCAPE.digest, 7, (64, 96), "uint8", 64 * 96), places=places
    )
    peer.say(job, LABELS.tobytes(), *buffers)
    return peer.heard_of(Failed).code


def test_places_that_are_none_are_refused_by_type_and_the_server_lives(server):
    whole, sky = bytes(64 * 96), PlacedPart("seed", 1, classes=(SKY,))
    with RawPeer(server.connection) as peer:
        assert refused(peer, PlacesPart((PlacedPart("image", classes=(SKY,)),)), b"") == "BAD_HEADER"
        assert refused(peer, PlacesPart((PlacedPart("mixed"),))) == "BAD_HEADER"
        assert refused(peer, PlacesPart((sky, sky))) == "BAD_HEADER"
        assert refused(peer, PlacesPart((sky,) * 9)) == "BAD_HEADER"
        assert refused(peer, PlacesPart((sky,), 0.7)) == "BAD_HEADER"
        assert refused(peer, PlacesPart((sky,), 0.1), whole) == "BAD_FRAMES"
        regions = InstancesPart("uint8", 64 * 96)
        assert refused(peer, PlacesPart((sky,), 0.1, regions)) == "BAD_FRAMES"
        assert refused(peer, PlacesPart((sky,), 0.1, regions), whole[1:]) == "SIZE_MISMATCH"
        bomb = zlib.compress(bytes(10**7))
        assert (
            refused(peer, PlacesPart((sky,), 0.1, replace(regions, encoding="zlib")), bomb) == "SIZE_MISMATCH"
        )
        assert refused(peer, PlacesPart((sky,), 0.1, InstancesPart("uint8", 2**40)), whole) == "TOO_LARGE"
        wide = InstancesPart("uint16", 2 * 64 * 96)
        assert refused(peer, PlacesPart((sky,), 0.1, wide), b"\xff" * (2 * 64 * 96)) == "BAD_SHAPE"
    assert server.status().state == "ready"
