# SPDX-License-Identifier: Apache-2.0
"""Pictures of an evaluation as users get them: the size of the painting, the upscaler, the styles."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spade_core.checkpoint.file import save_checkpoint
from spade_core.contract.errors import BadOptionError
from spade_core.contract.labels import load_label_set
from spade_core.evaluation.painting import Painting, brought_to, chosen_upscaler, enlarged
from spade_core.evaluation.scenes import PictureSize, Scene, Scenes
from spade_core.evaluation.styles import DrawnStyles, PhotoStyles, refuse_without_encoder
from spade_core.model.build import build_generator
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.upscaling.outlines import outlined
from spade_core.upscaling.upscaler import Upscaler
from tests.support.small_data import stripes, write_pair
from tests.support.tiny import tiny_checkpoint

LANDSCAPE = load_label_set("landscape")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_checkpoint(path, dataclasses.replace(tiny_checkpoint(), trained_size=(64, 64)))
    return Synthesizer.load(path, "cpu")


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler.load("embedded", "cpu", "float32")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    root = tmp_path_factory.mktemp("photos")
    for index in range(5):
        write_pair(root, f"p{index}", np.full((32, 32), 4 * index, np.uint8))
    return Scenes.of(root, "train", LANDSCAPE, PictureSize(32, 32))


def scene(size: int = 64) -> Scene:
    ids = stripes(size, size)
    return Scene("stripes", np.zeros((size, size, 3), np.uint8), ids, ids, None)


def test_a_slanted_border_of_an_enlarged_map_has_no_steps_of_whole_pixels():
    def hillside(side: int) -> np.ndarray:
        down, across = (np.mgrid[:side, :side] + 0.5) / side - 0.5
        return np.where(down > across / 2, 6, 3).astype(np.uint8)

    def steps(ids: np.ndarray) -> set[int]:
        return set(np.abs(np.diff((ids == 3).sum(0))).tolist())

    found = enlarged(hillside(32), (128, 128))
    nearest = hillside(32).repeat(4, 0).repeat(4, 1)
    assert found.dtype == np.uint8 and set(np.unique(found)) == {3, 6}
    assert steps(nearest) == {0, 4} and max(steps(found)) <= 2
    assert (found != hillside(128)).sum() < (nearest != hillside(128)).sum()


def test_what_has_its_size_stays_as_it_is():
    ids, rgb = stripes(32, 32), np.zeros((32, 32, 3), np.uint8)
    assert enlarged(ids, (32, 32)) is ids and brought_to(rgb, (32, 32)) is rgb


def test_pictures_of_the_scenes_size_are_those_of_the_models_own_seeds(model: Synthesizer):
    painted = Painting((64, 64), 7, DrawnStyles()).paint(model, 2, scene())
    assert np.array_equal(painted, model.render(scene().label_map, seed=9))


def test_without_an_upscaler_the_enlarged_map_is_painted_at_full_size(model: Synthesizer):
    painting = Painting((128, 128), 0, DrawnStyles())
    wanted = model.render(enlarged(scene().label_map, (128, 128)), seed=1)
    assert np.array_equal(painting.paint(model, 1, scene()), wanted)
    assert painting.painted_size(model) == (128, 128)


def test_with_one_it_is_painted_at_the_size_that_the_model_knows(model: Synthesizer, upscaler: Upscaler):
    painting = Painting((128, 128), 0, DrawnStyles(), upscaler)
    small = model.render(enlarged(scene().label_map, (128, 128)), seed=1, size=(64, 64))
    assert painting.painted_size(model) == (64, 64) and small.shape == (64, 64, 3)
    outlines = outlined(enlarged(scene().label_map, (128, 128)), model.label_set)
    wanted = upscaler.upscale(small, to=(128, 128), outlines=outlines)
    assert np.array_equal(painting.paint(model, 1, scene()), wanted)


def test_an_instance_map_is_enlarged_with_its_label_map(tmp_path: Path):
    checkpoint = tiny_checkpoint()
    config = dataclasses.replace(checkpoint.generator, instance_edges=True)
    path = tmp_path / "edges.safetensors"
    weights = build_generator(config).state_dict()
    save_checkpoint(path, dataclasses.replace(checkpoint, generator=config, generator_weights=weights))
    model = Synthesizer.load(path, "cpu")
    objects = np.repeat(np.arange(64, dtype=np.int32)[None] // 16, 64, axis=0)
    painting = Painting((128, 128), 0, DrawnStyles())
    painted = painting.paint(model, 0, dataclasses.replace(scene(), instance_map=objects))
    ids, larger = enlarged(scene().label_map, (128, 128)), objects.repeat(2, 0).repeat(2, 1)
    assert np.array_equal(painted, model.render(ids, seed=0, instance_map=larger))
    assert not np.array_equal(painted, model.render(ids, seed=0))


def test_a_photos_style_is_what_the_encoder_says_of_it_and_the_number_says_which(
    model: Synthesizer, photos: Scenes
):
    styles = PhotoStyles(photos)
    known = [model.encode_style(photo.photo).tolist() for photo in photos]

    def drawn(number: int) -> int:
        code = styles.code(model, number, scene().label_map)
        assert code is not None
        return known.index(code.tolist())

    found = [drawn(number) for number in range(60)]
    assert set(found) == set(range(5))
    assert found == [drawn(number) for number in range(60)]


def test_a_picture_in_a_photos_style_keeps_the_noise_of_its_seed(model: Synthesizer, photos: Scenes):
    painting = Painting((64, 64), 3, PhotoStyles(photos))
    wanted = model.render(scene().label_map, painting.styles.code(model, 5, scene().label_map), seed=5)
    assert np.array_equal(painting.paint(model, 2, scene()), wanted)


def test_a_model_without_a_style_encoder_is_refused_for_styles_of_photos(tmp_path: Path):
    path = tmp_path / "blind.safetensors"
    save_checkpoint(path, dataclasses.replace(tiny_checkpoint(), style_encoder=None, encoder_weights={}))
    with pytest.raises(BadOptionError, match="no style encoder"):
        refuse_without_encoder([Synthesizer.load(path, "cpu")])


def test_larger_pictures_are_upscaled_by_the_embedded_one_and_others_not_at_all():
    larger = chosen_upscaler("auto", True, "cpu")
    assert larger is not None and larger.name == "embedded"
    assert chosen_upscaler("auto", False, "cpu") is None
    assert chosen_upscaler("off", True, "cpu") is None
    with pytest.raises(BadOptionError, match="not upscaled"):
        chosen_upscaler("embedded", False, "cpu")


def test_a_larger_picture_is_judged_as_lanczos_reduces_it():
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    wanted = Image.fromarray(rgb).resize((16, 16), Image.Resampling.LANCZOS)
    assert np.array_equal(brought_to(rgb, (16, 16)), np.asarray(wanted))
