# SPDX-License-Identifier: Apache-2.0
"""A model is given the styles of photos; its seeds, its average look and names then mean those."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spade_core.checkpoint.file import Checkpoint
from spade_core.contract.errors import BadHeaderError, BadOptionError
from spade_core.contract.request import NamedStyle, PictureRequest
from spade_core.data.pairs import Pair
from spade_core.synthesis.paint import paint
from spade_core.synthesis.style_collection import pictures_of, with_styles
from spade_core.synthesis.synthesizer import Synthesizer
from tests.support.tiny import tiny_checkpoint


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    made = []
    for index in range(20):
        photo, ids = folder / f"{index}.jpg", folder / f"{index}.png"
        Image.fromarray(random.integers(0, 40 + 10 * index, (48, 48, 3), np.uint8)).save(photo)
        Image.fromarray(np.full((48, 48), index % 3, np.uint8)).save(ids)
        made.append(Pair(str(index), photo, ids))
    return made


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("looks")
    for name, color in (("noon", "#88aaff"), ("night", "#101020")):
        Image.new("RGB", (60, 40), color).save(folder / f"{name}.png")
    (folder / "notes.txt").write_text("not a picture")
    return pictures_of(folder)


@pytest.fixture(scope="module")
def styled(pairs: list[Pair], looks: dict[str, Path]) -> Checkpoint:
    return with_styles(tiny_checkpoint(), pairs, looks)


def served(checkpoint: Checkpoint) -> Synthesizer:
    return Synthesizer(checkpoint, "tiny", "0" * 64, torch.device("cpu"))


def asked(model: Synthesizer, **more: object) -> PictureRequest:
    return PictureRequest(np.zeros((48, 64), np.uint8), model.label_set, "tiny", **{"seed": 5} | more)


def test_seeds_draw_what_the_encoder_says_of_photos(styled: Checkpoint, pairs: list[Pair]):
    model = served(styled)
    codes = np.stack([model.encode_style(np.asarray(Image.open(pair.image))) for pair in pairs])
    drawn = np.stack([model.style_from_seed(seed, np.zeros((48, 64), np.uint8)) for seed in range(20)])
    assert (drawn >= codes.min(0) - 1e-3).all() and (drawn <= codes.max(0) + 1e-3).all()
    assert len({code.tobytes() for code in drawn}) == 20


def test_the_same_seed_gives_the_same_bytes_and_another_one_another_picture(styled: Checkpoint):
    model = served(styled)
    first = paint(model, asked(model)).rgb
    assert np.array_equal(first, paint(model, asked(model)).rgb)
    assert not np.array_equal(first, paint(model, asked(model, seed=6)).rgb)


def test_a_named_style_is_that_of_its_picture(styled: Checkpoint, looks: dict[str, Path]):
    model = served(styled)
    assert [style.name for style in model.named_styles] == ["night", "noon"]
    wanted = model.encode_style(np.asarray(Image.open(looks["night"])))
    assert np.array_equal(model.style_by_name("Night"), wanted)
    painted = paint(model, asked(model, style=NamedStyle("night"))).rgb
    assert np.array_equal(painted, model.render(asked(model).label_map, wanted, 5))


def test_a_named_style_has_a_thumbnail_that_is_painted_in_it(styled: Checkpoint):
    thumbnails = [style.thumbnail for style in served(styled).named_styles]
    assert all(thumbnail.shape == (96, 160, 3) for thumbnail in thumbnails)
    assert not np.array_equal(*thumbnails)


def test_a_style_that_the_model_does_not_have_is_refused_with_those_it_has(styled: Checkpoint):
    model = served(styled)
    with pytest.raises(BadHeaderError) as refused:
        paint(model, asked(model, style=NamedStyle("dawn")))
    assert "dawn" in refused.value.message and "night, noon" in refused.value.fix


def test_strength_leads_to_the_average_of_the_photos(styled: Checkpoint):
    model = served(styled)
    average = model.render(asked(model).label_map, model.average_style, 5)
    assert np.array_equal(paint(model, asked(model, strength=0.0)).rgb, average)
    assert styled.styles is not None and np.abs(styled.styles.mean).max() > 0


def test_a_model_without_styles_draws_as_it_always_did():
    model = served(tiny_checkpoint())
    normal = torch.randn(6, generator=torch.Generator().manual_seed(9)).numpy()
    assert np.array_equal(model.style_from_seed(9, np.zeros((48, 64), np.uint8)), normal)
    assert not model.average_style.any() and model.named_styles == ()


def test_what_cannot_have_styles_is_refused(pairs: list[Pair], looks: dict[str, Path]):
    blind = replace(tiny_checkpoint(), style_encoder=None, encoder_weights={})
    with pytest.raises(BadOptionError):
        with_styles(blind, pairs, looks)
    with pytest.raises(BadOptionError):
        with_styles(tiny_checkpoint(), [], looks)


def test_it_says_how_far_it_is_and_can_be_stopped(pairs: list[Pair]):
    def stop(done: int, of: int) -> None:
        assert of == 20
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        with_styles(tiny_checkpoint(), pairs, {}, stop)


def test_two_pictures_of_one_name_are_refused(tmp_path: Path):
    for name in ("night.png", "Night.jpg"):
        Image.new("RGB", (40, 40)).save(tmp_path / name)
    with pytest.raises(BadOptionError):
        pictures_of(tmp_path)
