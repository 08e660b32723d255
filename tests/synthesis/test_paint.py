# SPDX-License-Identifier: Apache-2.0
"""A request becomes a picture in one way, on a real, small, untrained model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spade_core.checkpoint.file import Checkpoint
from spade_core.contract.errors import BadOptionError, BadShapeError, CancelledError
from spade_core.contract.labels import load_label_set
from spade_core.contract.request import (
    CodeStyle,
    ImageStyle,
    MixedStyle,
    PictureRequest,
    SeedStyle,
    Style,
)
from spade_core.model.spade import Generator, GeneratorConfig
from spade_core.synthesis.paint import paint
from spade_core.synthesis.style import at_strength, between
from spade_core.synthesis.synthesizer import Synthesizer
from tests.support.tiny import tiny_model

LANDSCAPE = load_label_set("landscape")
LABEL_MAP = np.repeat(np.arange(48, dtype=np.uint8)[:, None] // 16 * 3, 64, axis=1)
PHOTO = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    return Synthesizer.load(tiny_model(tmp_path_factory.mktemp("model")), "cpu")


def asked(style: Style | None = None, **more: object) -> PictureRequest:
    return PictureRequest(LABEL_MAP, LANDSCAPE, seed=5, style=style, **more)


def painted(model: Synthesizer, style: Style | None = None, **more: object) -> np.ndarray:
    return paint(model, asked(style, **more)).rgb


def test_a_picture_says_what_painted_it(model):
    picture = paint(model, asked())
    assert (picture.rgb.shape, picture.rgb.dtype) == ((48, 64, 3), np.uint8)
    assert (picture.model, picture.model_digest, picture.seed) == (model.name, model.digest, 5)


def test_without_a_style_the_seed_draws_it(model):
    assert np.array_equal(painted(model), model.render(LABEL_MAP, None, 5))
    assert np.array_equal(painted(model), painted(model, SeedStyle(5)))


def test_a_style_is_that_of_a_seed_a_picture_or_a_code(model):
    for style, code in (
        (SeedStyle(9), model.style_from_seed(9)),
        (ImageStyle(PHOTO), model.encode_style(PHOTO)),
        (CodeStyle(model.style_from_seed(9)), model.style_from_seed(9)),
    ):
        assert np.array_equal(painted(model, style), model.render(LABEL_MAP, code, 5))


def test_a_mix_leads_from_its_first_style_to_its_second(model):
    first, second = ImageStyle(PHOTO), SeedStyle(9)
    assert np.array_equal(painted(model, MixedStyle(first, second, 0)), painted(model, first))
    assert np.array_equal(painted(model, MixedStyle(first, second, 1)), painted(model, second))
    code = between(model.encode_style(PHOTO), model.style_from_seed(9), 0.25)
    expected = model.render(LABEL_MAP, code, 5)
    assert np.array_equal(painted(model, MixedStyle(first, second, 0.25)), expected)


def test_strength_is_of_the_style_whoever_gave_it(model):
    none = painted(model, strength=0)
    assert np.array_equal(none, painted(model, ImageStyle(PHOTO), strength=0))
    expected = model.render(LABEL_MAP, at_strength(model.style_from_seed(5), 1.5, model.average_style), 5)
    assert np.array_equal(painted(model, strength=1.5), expected)


def test_another_size_repeats_and_leaves_out_ids_and_never_invents_any(model):
    twice = painted(model, size=(96, 128))
    assert np.array_equal(twice, model.render(LABEL_MAP.repeat(2, 0).repeat(2, 1), None, 5))
    assert painted(model, size=(37, 41)).shape == (37, 41, 3)


def test_a_code_of_another_model_is_refused_with_the_length_wanted(model):
    for style in (
        CodeStyle(np.zeros(3, np.float32)),
        MixedStyle(SeedStyle(1), CodeStyle(np.zeros(3, np.float32))),
    ):
        with pytest.raises(BadShapeError, match=f"has {model.style_size} numbers"):
            painted(model, style)


def test_an_instance_map_is_refused_by_a_model_that_does_not_look_at_it(model):
    with pytest.raises(BadOptionError, match="does not look at instances"):
        painted(model, instance_map=np.zeros(LABEL_MAP.shape, np.int32))


def test_instances_follow_the_size_of_the_picture():
    torch.manual_seed(5)
    config = GeneratorConfig(18, instance_edges=True, base_width=2, spade_hidden=4)
    checkpoint = Checkpoint(config, Generator(config).state_dict(), LANDSCAPE, native_size=64)
    model = Synthesizer(checkpoint, "looking", "", torch.device("cpu"))
    objects = np.zeros(LABEL_MAP.shape, np.int32)
    objects[10:30, 10:30] = 70_000
    twice = painted(model, instance_map=objects, size=(96, 128))
    expected = model.render(
        LABEL_MAP.repeat(2, 0).repeat(2, 1), None, 5, instance_map=objects.repeat(2, 0).repeat(2, 1)
    )
    assert np.array_equal(twice, expected)
    assert not np.array_equal(twice, painted(model, size=(96, 128)))


def test_progress_begins_at_nothing_and_may_stop_the_work(model):
    seen: list[float] = []
    paint(model, asked(), lambda stage, done: seen.append(done))
    assert seen == sorted(seen) and (seen[0], seen[-1]) == (0.0, 1.0)

    def stop(stage: str, done: float) -> None:
        raise CancelledError("Enough.")

    with pytest.raises(CancelledError):
        paint(model, asked(), stop)
