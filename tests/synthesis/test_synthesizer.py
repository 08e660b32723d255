# SPDX-License-Identifier: Apache-2.0
"""What `Synthesizer.render` promises, on a real, small, untrained model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spade_core.checkpoint.file import save_checkpoint
from spade_core.contract.errors import (
    BadImageError,
    BadLabelError,
    BadShapeError,
    CancelledError,
    SpadeError,
    TooLargeError,
    UnknownModelError,
)
from spade_core.synthesis.synthesizer import Synthesizer
from tests.support.tiny import tiny_checkpoint, tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    return Synthesizer.load(tiny_model(tmp_path_factory.mktemp("model")), "cpu")


def halves(height: int, width: int) -> np.ndarray:
    """Sky above, grass below."""
    return np.repeat(np.where(np.arange(height) < height // 2, 0, 6).astype(np.uint8)[:, None], width, axis=1)


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (100, 37), (129, 250)])
def test_a_picture_has_the_size_of_its_label_map(model: Synthesizer, size: tuple[int, int]):
    rgb = model.render(halves(*size))
    assert (rgb.shape, rgb.dtype) == ((*size, 3), np.uint8)


def test_the_same_seed_paints_the_same_picture(model: Synthesizer):
    assert np.array_equal(model.render(halves(64, 64), seed=5), model.render(halves(64, 64), seed=5))


def test_another_seed_paints_another_picture(model: Synthesizer):
    assert not np.array_equal(model.render(halves(64, 64), seed=5), model.render(halves(64, 64), seed=6))


def test_a_seed_of_any_whole_number_is_taken(model: Synthesizer):
    for seed in (-1, 0, 2**63, 2**80):
        model.render(halves(32, 32), seed=seed)


def test_the_style_code_of_a_seed_gives_the_picture_of_that_seed(model: Synthesizer):
    given = model.render(halves(64, 64), style=model.style_from_seed(5), seed=5)
    assert np.array_equal(given, model.render(halves(64, 64), seed=5))


def test_another_style_changes_the_picture(model: Synthesizer):
    base = model.render(halves(64, 64), style=model.style_from_seed(1), seed=5)
    assert not np.array_equal(base, model.render(halves(64, 64), style=3 * model.style_from_seed(2), seed=5))


def test_a_uniform_label_map_does_not_come_out_flat(model: Synthesizer):
    rgb = model.render(np.zeros((96, 96), np.uint8)).astype(float)
    assert rgb.std(axis=(0, 1)).max() > 0.5


def test_unlabelled_pixels_are_painted_too(model: Synthesizer):
    assert model.render(np.full((64, 64), 255, np.uint8)).shape == (64, 64, 3)


@pytest.mark.parametrize(("repeats_edges", "painted"), [(False, (96, 128)), (True, (64, 96))])
def test_what_is_painted_beyond_the_picture_is_only_what_a_frame_would_spoil(
    tmp_path, monkeypatch, repeats_edges, painted
):
    """A network that sees zeros past its border paints a frame, to be cut away; one that repeats its edges does not."""
    tiny = tiny_checkpoint()
    config = replace(tiny.generator, replicate_padding=repeats_edges)
    save_checkpoint(tmp_path / "edges.safetensors", replace(tiny, generator=config))
    model = Synthesizer.load(tmp_path / "edges.safetensors", "cpu")
    sizes = []
    paint = model._generator.forward

    def noted(labels, *others):
        sizes.append(tuple(labels.shape[2:]))
        return paint(labels, *others)

    monkeypatch.setattr(model._generator, "forward", noted)
    assert model.render(halves(64, 96)).shape == (64, 96, 3)
    assert sizes == [painted]


def test_a_style_image_of_any_size_gives_a_style_code(model: Synthesizer):
    for shape in ((7, 300, 3), (64, 64, 3)):
        code = model.encode_style(np.full(shape, 130, np.uint8))
        assert code.shape == (model.style_size,) and code.dtype == np.float32


def test_progress_rises_to_one(model: Synthesizer):
    told: list[float] = []
    model.render(halves(32, 32), progress=lambda stage, fraction: told.append(fraction))
    assert told == sorted(told) and told[-1] == 1.0 and len(told) > 5


def test_raising_in_progress_stops_the_work(model: Synthesizer):
    def stop(stage: str, fraction: float) -> None:
        raise CancelledError("Enough.")

    with pytest.raises(CancelledError):
        model.render(halves(32, 32), progress=stop)


@pytest.mark.parametrize(
    ("label_map", "error"),
    [
        (np.full((64, 64), 99, np.uint8), BadLabelError),
        (np.zeros((64, 64, 3), np.uint8), BadShapeError),
        (np.zeros((64, 64), np.float32), BadShapeError),
        (np.zeros((0, 64), np.uint8), BadShapeError),
        (np.zeros((31, 64), np.uint8), BadShapeError),
        (np.zeros((40, 8200), np.uint8), TooLargeError),
    ],
)
def test_a_bad_label_map_is_refused_with_a_sentence_and_a_fix(model, label_map, error):
    with pytest.raises(error) as caught:
        model.render(label_map)
    assert caught.value.message.endswith(".") and caught.value.fix


def test_a_style_code_of_another_length_is_refused(model: Synthesizer):
    with pytest.raises(BadShapeError):
        model.render(halves(32, 32), style=np.zeros(5, np.float32))


def test_a_grey_style_image_is_refused(model: Synthesizer):
    with pytest.raises(BadImageError):
        model.encode_style(np.zeros((8, 8), np.uint8))


def test_an_unknown_model_is_answered_with_the_known_ones():
    with pytest.raises(UnknownModelError) as caught:
        Synthesizer.load("moonscape")
    assert "moonscape" in caught.value.message and "landscape" in caught.value.fix


def test_a_device_that_is_not_there_is_said_plainly(tmp_path):
    with pytest.raises(SpadeError, match="cannot be used here"):
        Synthesizer.load(tiny_model(tmp_path), "cuda:7")


def test_a_model_of_another_label_set_takes_its_ids(tmp_path):
    other = Synthesizer.load(tiny_model(tmp_path, "ade20k"), "cpu")
    assert other.render(np.full((64, 64), 150, np.uint8)).shape == (64, 64, 3)
