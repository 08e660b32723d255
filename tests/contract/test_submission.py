# SPDX-License-Identifier: Apache-2.0
"""What a request asks for arrives at the server, whatever its styles are."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from spade_core.contract.codec import decode_client_message, encode
from spade_core.contract.errors import BadFramesError, SizeMismatchError, TooLargeError
from spade_core.contract.labels import load_label_set
from spade_core.contract.limits import Limits
from spade_core.contract.messages import PRIORITY_INTERACTIVE, Submit
from spade_core.contract.request import (
    CodeStyle,
    Delivery,
    ImageStyle,
    MixedStyle,
    NamedStyle,
    PictureRequest,
    SeedStyle,
    Style,
)
from spade_core.contract.submission import request_from, submit_from

LANDSCAPE = load_label_set("landscape")
LABEL_MAP = np.random.default_rng(2).integers(0, 17, (40, 60))
PHOTO, DARK = np.random.default_rng(0).integers(0, 255, (2, 50, 70, 3), np.uint8)
CODE = np.random.default_rng(1).normal(size=64).astype(np.float32)
STYLES: list[Style | None] = [
    None,
    SeedStyle(2**62),
    ImageStyle(PHOTO),
    CodeStyle(CODE),
    CodeStyle(CODE.astype(np.float64)),
    MixedStyle(SeedStyle(3), ImageStyle(PHOTO), 0.25),
    MixedStyle(ImageStyle(PHOTO), ImageStyle(DARK)),
    MixedStyle(CodeStyle(CODE), SeedStyle(3), 1.0),
    NamedStyle("golden-hour"),
    MixedStyle(NamedStyle("night"), ImageStyle(PHOTO), 0.5),
]


def arrived(request: PictureRequest, delivery: Delivery) -> tuple[Submit, PictureRequest]:
    frames = encode(*submit_from(request, delivery, "c" * 32, Limits()))
    submit, buffers = decode_client_message([bytes(frame) for frame in frames])
    assert isinstance(submit, Submit)
    return submit, request_from(submit, buffers, LANDSCAPE)


def shown(style: Style | None) -> object:
    """A style as values that compare."""
    match style:
        case ImageStyle():
            return "image", style.rgb.tolist()
        case CodeStyle():
            return "code", style.code.astype(np.float32).tolist()
        case MixedStyle():
            return shown(style.first), shown(style.second), style.share
    return style


@pytest.mark.parametrize("style", STYLES, ids=lambda style: type(style).__name__)
@pytest.mark.parametrize("compress", [False, True])
def test_every_style_arrives_as_it_was_sent(style, compress):
    request = PictureRequest(
        LABEL_MAP, LANDSCAPE, "my", 5, style, 1.5, (80, 120), natural_edges=0.25, detail=2.5
    )
    request = replace(request, wrap=(False, True), precision="preview")
    _, there = arrived(request, Delivery(compress=compress))
    assert np.array_equal(there.label_map, LABEL_MAP) and there.label_map.dtype == np.uint8
    assert shown(there.style) == shown(style)
    assert (there.model, there.seed, there.strength, there.size) == ("my", 5, 1.5, (80, 120))
    assert (there.natural_edges, there.detail) == (0.25, 2.5)
    assert (there.wrap, there.precision) == ((False, True), "preview")


@pytest.mark.parametrize("style", [None, ImageStyle(PHOTO), MixedStyle(ImageStyle(PHOTO), CodeStyle(CODE))])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("largest", [200, 60_000])
def test_an_instance_map_arrives_as_it_was_sent(style, compress, largest):
    objects = np.random.default_rng(3).integers(0, largest, LABEL_MAP.shape)
    request = PictureRequest(LABEL_MAP, LANDSCAPE, style=style, instance_map=objects)
    submit, there = arrived(request, Delivery(compress=compress))
    assert there.instance_map is not None and np.array_equal(there.instance_map, objects)
    assert submit.instances is not None and submit.instances.dtype == ("uint8" if largest < 256 else "uint16")
    assert shown(there.style) == shown(style) and np.array_equal(there.label_map, LABEL_MAP)


def test_objects_of_larger_numbers_stay_the_same_objects():
    objects = np.where(LABEL_MAP > 8, 2**40, -3) + (LABEL_MAP > 12)
    _, there = arrived(PictureRequest(LABEL_MAP, LANDSCAPE, instance_map=objects), Delivery())
    assert there.instance_map is not None
    pairs = {*zip(objects.ravel().tolist(), there.instance_map.ravel().tolist(), strict=True)}
    assert len(pairs) == len({old for old, _ in pairs}) == len({new for _, new in pairs}) == 3


def test_an_instance_map_is_inflated_no_further_than_it_says():
    objects = np.zeros(LABEL_MAP.shape, np.uint8)
    request = PictureRequest(LABEL_MAP, LANDSCAPE, instance_map=objects)
    submit, buffers = submit_from(request, Delivery(compress=True), "c" * 32, Limits())
    bomb = zlib.compress(bytes(10**6))
    with pytest.raises(SizeMismatchError, match="instance map"):
        request_from(submit, [*buffers[:-1], bomb], LANDSCAPE)
    with pytest.raises(BadFramesError):
        request_from(submit, buffers[:-1], LANDSCAPE)


def test_what_a_picture_does_not_depend_on_travels_beside_the_request():
    delivery = Delivery("png", True, 2.5, PRIORITY_INTERACTIVE, replaces="a" * 32, no_cache=True)
    submit, _ = arrived(PictureRequest(LABEL_MAP, LANDSCAPE), delivery)
    assert (submit.output.encoding, submit.encoding, submit.deadline_ms) == ("png", "zlib", 2500)
    assert (submit.priority, submit.replaces, submit.no_cache) == (2, "a" * 32, True)


def test_a_request_is_unchanged_by_what_its_owner_does_to_the_arrays_later():
    label_map, photo = LABEL_MAP.astype(np.uint8), PHOTO.copy()
    request = PictureRequest(label_map, LANDSCAPE, style=ImageStyle(photo))
    submit, buffers = submit_from(request, Delivery(), "c" * 32, Limits())
    label_map[:], photo[:] = 0, 0
    there = request_from(submit, buffers, LANDSCAPE)
    assert np.array_equal(there.label_map, LABEL_MAP) and shown(there.style) == shown(ImageStyle(PHOTO))


def test_checking_a_request_gives_its_map_as_it_travels():
    checked = PictureRequest(np.asfortranarray(LABEL_MAP), LANDSCAPE).check(Limits())
    assert checked.label_map.flags.c_contiguous and checked.label_map.dtype == np.uint8
    assert replace(checked, seed=3).check(Limits()).seed == 3


def test_a_map_may_be_larger_than_what_is_sent_as_long_as_it_deflates():
    limits = Limits(max_bytes=5 * 2**20)
    even, noise = np.zeros((2500, 2500), np.uint8), np.random.default_rng(0).integers(0, 17, (4000, 4000))
    _, buffers = submit_from(PictureRequest(even, LANDSCAPE), Delivery(), "c" * 32, limits)
    assert len(buffers[0]) < even.nbytes / 100
    with pytest.raises(TooLargeError, match="bytes even deflated, the server takes 5242880"):
        submit_from(PictureRequest(noise, LANDSCAPE), Delivery(), "c" * 32, limits)
