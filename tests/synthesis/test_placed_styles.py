# SPDX-License-Identifier: Apache-2.0
"""Several styles in one picture: each place follows its own, whatever paints it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spade_core.checkpoint.file import Checkpoint
from spade_core.contract.errors import BadHeaderError, BadOptionError, BadShapeError
from spade_core.contract.limits import Limits
from spade_core.contract.messages import NOWHERE
from spade_core.contract.placed_styles import MOST_PLACED, PlacedStyle
from spade_core.contract.request import CodeStyle, NamedStyle, PictureRequest, SeedStyle
from spade_core.model.build import AnyGeneratorConfig, build_generator
from spade_core.model.clade import CladeConfig
from spade_core.model.spade import GeneratorConfig
from spade_core.synthesis.framing import Framing
from spade_core.synthesis.paint import paint
from spade_core.synthesis.places import PlacedCodes
from spade_core.synthesis.style_maps import style_map
from spade_core.synthesis.synthesizer import Synthesizer
from tests.synthesis.test_tiles import KINDS, LANDSCAPE, OURS, in_parts, patchwork

SKY, MOUNTAIN, GRASS, WATER = (LANDSCAPE.match(name).id for name in ("sky", "mountain", "grass", "water"))
STYLED: dict[str, AnyGeneratorConfig] = {
    "ours": OURS,
    "zeros at the border": KINDS["ours-with-frame"],
    "norms of their own": replace(OURS, share_hidden=False, style_in_blocks=False, pointwise_from_step=None),
    "clade": CladeConfig(18, norm="batch", base_width=2, start="labels+style", style_size=6),
}
CODES = np.random.default_rng(1).normal(size=(3, 6)).astype(np.float32)


def lively(config: AnyGeneratorConfig) -> Synthesizer:
    torch.manual_seed(4)
    network = build_generator(config)
    for name, weights in network.state_dict().items():
        if name.endswith("noise_strength"):
            weights.fill_(0.3)
        elif name.endswith("running_mean"):
            weights.normal_(0, 0.2)
    checkpoint = Checkpoint(config, network.state_dict(), LANDSCAPE, native_size=64)
    return Synthesizer(checkpoint, "lively", "", torch.device("cpu"))


@pytest.fixture(scope="module")
def made():
    found: dict[str, Synthesizer] = {}
    return lambda kind: found.setdefault(kind, lively(STYLED[kind]))


@pytest.fixture(scope="module")
def model() -> Synthesizer:
    return Synthesizer.load("landscape", "cpu")


def placed(height: int, width: int, softness: float = 0.05, goes_over=(2, 0.7)) -> PlacedCodes:
    return PlacedCodes(CODES, patchwork(height, width, 3) % 3, softness, goes_over)


@pytest.mark.parametrize("kind", STYLED)
def test_the_compiled_generator_paints_a_map_of_styles_as_the_network_does(made, kind, monkeypatch):
    labels, style = patchwork(128, 96), placed(128, 96)
    quick = made(kind).render_float(labels, style, 5)
    monkeypatch.setenv("SPADE_FUSED", "0")
    monkeypatch.setattr("spade_core.synthesis.compiled.generator.library", lambda: None)
    plain = lively(STYLED[kind]).render_float(labels, style, 5)
    assert np.abs(quick - plain).max() < 1e-4
    alone = lively(STYLED[kind]).render_float(labels, CODES[0], 5)
    assert np.abs(plain - alone).max() > 0.01, "the styles are seen"


@pytest.mark.parametrize("softness", [0.0, 0.3])
def test_rows_shared_by_pixels_and_a_row_for_each_give_the_same(made, softness, monkeypatch):
    labels, style = patchwork(128, 128), placed(128, 128, softness, None)
    shared = made("ours").render_float(labels, style, 5)
    monkeypatch.setattr("spade_core.synthesis.compiled.table.MOST_MIXED", 0.0)
    assert np.abs(made("ours").render_float(labels, style, 5) - shared).max() < 1e-4


@pytest.mark.parametrize("kind", STYLED)
@pytest.mark.parametrize("wrap", [NOWHERE, (False, True), (True, True)])
def test_parts_give_the_picture_of_the_whole(made, kind, wrap):
    labels, style = patchwork(128, 192), placed(128, 192)
    whole = made(kind).render_float(labels, style, 5, wrap=wrap)
    assert np.abs(in_parts(made(kind), labels, style=style, wrap=wrap) - whole).max() < 1e-4


def test_where_ends_meet_the_styles_meet_too(made):
    """Moved along by half of the picture, with its labels and styles, a picture without noise is the same, moved."""
    config = replace(OURS, noise=False)
    quiet = lively(config)
    labels = patchwork(64, 128)
    style = placed(64, 128, goes_over=(1, 0.1))
    moved = replace(style, numbers=np.roll(style.numbers, 64, 1), goes_over=(1, 0.6))
    one = quiet.render_float(labels, style, 5, wrap=(False, True))
    other = quiet.render_float(np.roll(labels, 64, 1), moved, 5, wrap=(False, True))
    assert np.abs(np.roll(one, 64, 1) - other).max() < 1e-4


def valley(height: int = 512) -> np.ndarray:
    labels = np.full((height, 128), SKY, np.uint8)
    labels[height * 3 // 8 :] = MOUNTAIN
    labels[height // 2 :] = GRASS
    return labels


def asked(labels: np.ndarray, *styles: PlacedStyle, **more) -> PictureRequest:
    noon = NamedStyle("clear-noon")
    return PictureRequest(labels, LANDSCAPE, seed=2, style=noon, upscale="off", placed_styles=styles, **more)


def test_a_style_for_every_class_is_the_picture_in_that_style_to_the_byte(model):
    labels = valley(256)
    everywhere = PlacedStyle(NamedStyle("sunset"), (SKY, MOUNTAIN, GRASS))
    whole = replace(asked(labels), style=NamedStyle("sunset"))
    assert np.array_equal(paint(model, asked(labels, everywhere)).rgb, paint(model, whole).rgb)
    nowhere = PlacedStyle(NamedStyle("sunset"), (WATER,))
    assert np.array_equal(paint(model, asked(labels, nowhere)).rgb, paint(model, asked(labels)).rgb)


def test_the_sky_of_a_sunset_stands_over_the_ground_of_noon(model):
    labels, sunset = valley(), PlacedStyle(NamedStyle("sunset"), (SKY,))
    both = paint(model, asked(labels, sunset)).rgb.astype(int)
    noon = paint(model, asked(labels)).rgb.astype(int)
    evening = paint(model, replace(asked(labels), style=NamedStyle("sunset"))).rgb.astype(int)
    assert np.abs(both - evening)[:60].mean() < 1 < 40 < np.abs(noon - evening)[:60].mean()
    ground = np.abs(both - noon)[280:]
    assert ground.mean() < 2 < 10 < np.abs(evening - noon)[280:].mean()
    far = ground[-128:]
    assert far.max() <= 1 and (far > 0).mean() < 1e-3, "it is rounded otherwise, no more"


def test_an_unnamed_class_keeps_what_the_seed_draws(model):
    labels = valley()
    drawn = PictureRequest(labels, LANDSCAPE, seed=2, upscale="off", natural_edges=0.5)
    sky = replace(drawn, placed_styles=(PlacedStyle(NamedStyle("night"), (SKY,)),))
    difference = np.abs(paint(model, sky).rgb.astype(int) - paint(model, drawn).rgb)
    assert difference[:40].mean() > 40 and difference[-128:].max() <= 1


def test_a_region_goes_before_a_class_and_a_class_before_what_goes_over(model):
    labels, regions = valley(256), np.zeros((256, 128), np.uint8)
    regions[:40] = 9
    styles = (
        PlacedStyle(NamedStyle("night"), region=9),
        PlacedStyle(NamedStyle("sunset"), (SKY,)),
        PlacedStyle(NamedStyle("mist"), peak=1.0),
    )
    request = asked(labels, *styles, region_map=regions)
    found = paint(model, request)
    codes = [model.style_by_name(name) for name in ("clear-noon", "night", "sunset", "mist")]
    numbers = np.where(regions == 9, 1, np.where(labels == SKY, 2, 0)).astype(np.uint8)
    wanted = PlacedCodes(np.stack(codes), numbers, 0.0, (3, 1.0))
    assert np.array_equal(found.rgb, model.render(labels, wanted, 2))


def test_a_picture_goes_over_from_its_left_side_to_its_right_one(model):
    labels = valley(128)[:, :1].repeat(512, 1)
    across = paint(model, asked(labels, PlacedStyle(NamedStyle("night"), peak=1.0))).rgb.astype(int)
    noon, night = (
        paint(model, replace(asked(labels), style=NamedStyle(name))).rgb.astype(int)
        for name in ("clear-noon", "night")
    )
    assert np.abs(across - noon)[:, :32].mean() < 8 < 40 < np.abs(noon - night)[:, :32].mean()
    assert np.abs(across - night)[:, -32:].mean() < 8
    brightness = across.mean((0, 2)).reshape(8, 64).mean(1)
    assert (np.diff(brightness) < 0).all(), "evenly, as far as light is even"


def test_where_a_panorama_goes_over_both_sides_are_alike():
    frame = Framing(64, 128, wrap=(False, True))
    style = PlacedCodes(CODES, np.zeros((64, 128), np.uint8), 0.0, (1, 0.25))
    share = style_map(style, frame, torch.device("cpu")).shares[0, 1, 0].numpy()
    assert share.argmax() in (31, 32) and share.max() > 0.999 > 1e-3 > share.min()
    assert np.abs(np.diff(share, append=share[0])).max() < 0.03


@pytest.mark.parametrize("softness, width", [(0.0, 0), (0.1, 10), (0.2, 20)])
def test_a_border_is_as_wide_as_the_softness_says(softness, width):
    numbers = np.zeros((100, 64), np.uint8)
    numbers[50:] = 1
    shares = style_map(
        PlacedCodes(CODES[:2], numbers, softness), Framing(100, 64), torch.device("cpu")
    ).shares[0]
    ramp = shares[1, :, 0].numpy()
    assert abs(int(((ramp > 0) & (ramp < 1)).sum()) - width) <= 1
    assert torch.allclose(shares.sum(0), torch.ones(())) and (ramp[:40] == 0).all() and (ramp[60:] == 1).all()
    if width:
        assert np.allclose(np.diff(ramp[50 - width // 2 : 50 + width // 2], 2), 0, atol=1e-6), "evenly"


REFUSING = {
    "it has no style code": GeneratorConfig(18, base_width=2, norm="batch", spade_hidden=4),
    "its norms see the whole picture": replace(OURS, norm="instance"),
    "the start of the whole picture": GeneratorConfig(
        18, base_width=2, norm="batch", spade_hidden=4, start="style", start_grid=(2, 2), style_size=6
    ),
}


@pytest.mark.parametrize("why", REFUSING)
def test_a_network_that_paints_in_one_style_says_why(why):
    refusing = lively(REFUSING[why])
    styles = (PlacedStyle(SeedStyle(3), (SKY,)),)
    with pytest.raises(BadOptionError, match=f"one style: .*{why}"):
        paint(refusing, PictureRequest(valley(64), LANDSCAPE, placed_styles=styles, upscale="off"))


def test_places_that_cannot_be_are_refused_in_words():
    labels, style = valley(64), SeedStyle(1)
    wrong = [
        ((PlacedStyle(style, (SKY,)), PlacedStyle(style, (SKY,))), "same place"),
        ((PlacedStyle(style, peak=0.1), PlacedStyle(style, peak=0.2)), "same place"),
        ((PlacedStyle(style, (99,)),), "does not have"),
        ((PlacedStyle(style, region=256),), "place of a style"),
        ((PlacedStyle(style, peak=1.5),), "place of a style"),
        ((PlacedStyle(style),) * (MOST_PLACED + 1), "styles beside its own"),
    ]
    for styles, words in wrong:
        with pytest.raises(BadHeaderError, match=words):
            asked(labels, *styles).check(Limits())
    with pytest.raises(BadHeaderError, match="softness"):
        asked(labels, softness=0.6).check(Limits())
    with pytest.raises(BadShapeError, match="region map"):
        asked(labels, region_map=labels[1:]).check(Limits())
    with pytest.raises(BadShapeError, match="beyond 255"):
        asked(labels, region_map=labels.astype(int) + 256).check(Limits())
    with pytest.raises(BadShapeError):
        asked(labels, PlacedStyle(CodeStyle(np.array([np.nan])), (SKY,))).check(Limits())
