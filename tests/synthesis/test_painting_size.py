# SPDX-License-Identifier: Apache-2.0
"""At which size a picture is painted that is enlarged afterwards, and what a model sees of its labels there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spade_core.checkpoint.file import load_checkpoint, save_checkpoint
from spade_core.contract.request import PictureRequest
from spade_core.model.spade import Generator
from spade_core.synthesis.paint import paint
from spade_core.synthesis.painting_size import painting_size
from spade_core.synthesis.synthesizer import Synthesizer
from tests.support.tiny import tiny_checkpoint

SQUARE = (256, 256)


@pytest.mark.parametrize("size", [(256, 256), (192, 341), (64, 900), (32, 32)])
def test_what_is_no_larger_than_the_model_knows_is_painted_as_it_is(size):
    assert painting_size(size, SQUARE) == size


@pytest.mark.parametrize(
    ("wanted", "painted"),
    [
        ((1024, 1024), (256, 256)),
        ((576, 1024), (192, 341)),
        ((512, 512), (256, 256)),
        ((2304, 4096), (192, 341)),
    ],
)
def test_a_large_picture_is_painted_at_the_area_that_the_model_knows(wanted, painted):
    assert painting_size(wanted, SQUARE) == painted


@pytest.mark.parametrize(
    ("wanted", "detail", "painted"),
    [
        ((1024, 1024), 2.0, (512, 512)),
        ((576, 1024), 2.0, (384, 683)),
        ((1024, 2048), 3.0, (512, 1024)),
        ((4096, 8192), 3.0, (512, 1024)),
        ((256, 256), 2.0, (256, 256)),
    ],
)
def test_with_more_detail_it_is_painted_larger(wanted, detail, painted):
    assert painting_size(wanted, SQUARE, detail) == painted


def test_a_whole_number_of_times_is_taken_where_it_is_near():
    assert painting_size((1080, 1920), SQUARE) == (180, 320)


def synthesizer(**changes) -> Synthesizer:
    made = tiny_checkpoint()
    made = replace(made, trained_size=(64, 64), generator=replace(made.generator, **changes))
    return Synthesizer(made, "tiny", "0" * 64, torch.device("cpu"))


def label_map(side: int) -> np.ndarray:
    ids = np.zeros((side, side), np.uint8)
    ids[side // 2 :] = 6
    ids[:, side // 3] = 12  # one pixel wide
    return ids


def test_a_request_is_painted_small_enlarged_and_says_by_what():
    model, small = synthesizer(), []
    request = PictureRequest(label_map(256), model.label_set, "tiny", seed=5)
    picture = paint(model, request, on_painting=small.append)
    assert picture.rgb.shape == (256, 256, 3) and small[0].shape == (64, 64, 3)
    name, digest, precision, share = picture.upscaler.split()
    assert (name, len(digest), share) == ("embedded", 16, "0.5") and precision in ("float32", "bfloat16")
    # Brought down again it is what was painted.
    down = picture.rgb.reshape(64, 4, 64, 4, 3).mean((1, 3))
    assert np.abs(down - small[0]).mean() < 6


def test_a_published_model_that_paints_one_size_only_is_squeezed_and_enlarged_to_the_size_asked_for():
    tiny, small = tiny_checkpoint(), []
    config = replace(tiny.generator, start="style", start_grid=(1, 2))
    published = replace(tiny, generator=config, generator_weights=Generator(config).state_dict())
    model = Synthesizer(published, "tiny", "0" * 64, torch.device("cpu"))
    fixed = model.painting_size((300, 200))
    assert fixed == model.painting_size((1024, 576)) and fixed[1] == 2 * fixed[0]
    request = PictureRequest(label_map(256), model.label_set, "tiny", seed=5, size=(300, 200))
    picture = paint(model, request, on_painting=small.append)
    assert small[0].shape[:2] == fixed and picture.rgb.shape == (300, 200, 3)
    assert picture.upscaler.startswith("embedded ")


def test_the_same_request_gives_the_same_bytes():
    request = PictureRequest(label_map(256), synthesizer().label_set, "tiny", seed=5)
    assert np.array_equal(paint(synthesizer(), request).rgb, paint(synthesizer(), request).rgb)


def test_off_paints_the_picture_at_its_own_size():
    model = synthesizer()
    picture = paint(model, PictureRequest(label_map(256), model.label_set, "tiny", seed=5, upscale="off"))
    assert np.array_equal(picture.rgb, model.render(label_map(256), seed=5)) and not picture.upscaler


def test_progress_of_both_stages_goes_from_nothing_to_all_once():
    model, told = synthesizer(), []
    paint(
        model,
        PictureRequest(label_map(256), model.label_set, "tiny"),
        lambda stage, done: told.append((stage, done)),
    )
    done = [share for _, share in told]
    assert done == sorted(done) and done[0] == 0 and done[-1] == pytest.approx(1)
    assert {stage for stage, _ in told} == {"painting", "upscaling"}


def test_a_caller_stops_it_in_either_stage():
    model, request = synthesizer(), PictureRequest(label_map(256), synthesizer().label_set, "tiny")

    class StopError(Exception):
        pass

    for where in ("painting", "upscaling"):

        def stop(stage: str, done: float, where: str = where) -> None:
            if stage == where:
                raise StopError

        with pytest.raises(StopError):
            paint(model, request, stop)


def test_a_model_that_sees_labels_by_area_sees_what_is_thinner_than_its_pixels():
    """A line of one pixel in 256 covers a quarter of a column at 64: single samples take all of it or nothing."""
    with_line, without = label_map(256), label_map(256)
    without[:, 256 // 3] = np.where(np.arange(256) < 128, 0, 6)

    def difference(**changes) -> float:
        model = synthesizer(**changes)
        small = [model.render(ids, seed=1, size=(64, 64)).astype(int) for ids in (with_line, without)]
        return float(np.abs(small[0] - small[1]).max())

    assert difference(label_sampling="nearest") == 0
    assert difference(label_sampling="area") > 0


def test_a_file_says_what_it_was_trained_on_and_older_ones_are_asked_for_their_crops(tmp_path):
    made = replace(tiny_checkpoint(), trained_size=(256, 512))
    save_checkpoint(tmp_path / "new.safetensors", made)
    assert load_checkpoint(tmp_path / "new.safetensors").trained_size == (256, 512)
    assert Synthesizer.load("landscape", "cpu").trained_size == (256, 256)
