# SPDX-License-Identifier: Apache-2.0
"""What an upscaler promises, whichever network it holds."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from spade_core.contract.errors import BadCheckpointError, BadShapeError, TooLargeError, UnknownModelError
from spade_core.runtime import fastest_dtype
from spade_core.upscaling.compact import CompactConfig, CompactNet
from spade_core.upscaling.networks import load_network, save_network
from spade_core.upscaling.upscaler import EMBEDDED, Upscaler, passes


@pytest.mark.parametrize("size", [(288, 512), (144, 256), (200, 300), (216, 384), (101, 187), (90, 300)])
def test_a_picture_is_brought_to_the_very_size_that_was_asked_for(embedded: Upscaler, picture, size):
    large = embedded.upscale(picture, size)
    assert large.shape == (*size, 3) and large.dtype == np.uint8
    assert large.flags.c_contiguous
    # Brought down again it is the picture that it came from, wherever nothing had to be left out.
    back = Image.fromarray(large).resize((128, 72), Image.Resampling.BOX)
    assert np.abs(np.asarray(back).astype(int) - picture).mean() < 6


def test_a_picture_of_that_size_already_stays_as_it_is(embedded: Upscaler, picture):
    np.testing.assert_array_equal(embedded.upscale(picture, picture.shape[:2]), picture)


def test_a_smaller_size_needs_no_network(embedded: Upscaler, picture):
    smaller = embedded.upscale(picture, (36, 64))
    box = Image.fromarray(picture).resize((64, 36), Image.Resampling.BICUBIC)
    assert np.abs(smaller.astype(int) - np.asarray(box)).mean() < 1


def test_floats_are_the_same_picture_as_bytes(embedded: Upscaler, picture):
    size = (288, 512)
    floats = (picture / 255).astype(np.float32)
    assert np.abs(embedded.upscale(floats, size).astype(int) - embedded.upscale(picture, size)).max() <= 1


def test_the_same_picture_gives_the_same_bytes(upscaler: Upscaler, picture):
    first, second = (upscaler.upscale(picture, (288, 512)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_another_picture_may_be_enlarged_between_the_tiles_of_one(upscaler: Upscaler, picture):
    alone, others = upscaler.upscale(picture, (288, 512)), []
    small = upscaler.upscale(picture[:32, :32], (64, 64))

    def between() -> None:
        upscaler.between_parts = None
        others.append(upscaler.upscale(picture[:32, :32], (64, 64)))
        upscaler.between_parts = between

    upscaler.between_parts = between
    try:
        np.testing.assert_array_equal(upscaler.upscale(picture, (288, 512)), alone)
    finally:
        upscaler.between_parts = None
    assert len(others) >= 2 and all(np.array_equal(other, small) for other in others)


def test_beyond_four_times_there_are_passes_each_at_most_four_times():
    assert passes((144, 256), (576, 1024), 4) == [(576, 1024)]
    assert passes((144, 256), (2304, 4096), 4) == [(576, 1024), (2304, 4096)]
    assert passes((192, 341), (576, 1024), 4) == [(576, 1024)]
    assert passes((64, 64), (64, 600), 4) == [(64, 150), (64, 600)]  # nothing is lost on the way
    assert passes((144, 256), (865, 1537), 4) == [(217, 385), (865, 1537)]
    assert passes((144, 256), (144, 256), 4) == passes((144, 256), (72, 128), 4) == []


def test_half_of_what_the_network_smoothed_away_is_put_back(embedded: Upscaler, picture):
    without = Upscaler.load("embedded", "cpu", "float32")
    without.put_back = 0.0
    assert embedded.put_back == 0.5
    small = torch.from_numpy(picture).permute(2, 0, 1)[None].float()

    def lost(upscaler: Upscaler) -> float:
        large = torch.from_numpy(upscaler.upscale(picture, (288, 512))).permute(2, 0, 1)[None].float()
        return (F.interpolate(large, (72, 128), mode="bicubic", antialias=True) - small).abs().mean().item()

    assert 0.3 * lost(without) < lost(embedded) < 0.8 * lost(without)


def test_what_is_enlarged_is_sharper_than_a_bicubic_enlargement(embedded: Upscaler, picture):
    large = embedded.upscale(picture, (288, 512)).astype(float)
    bicubic = np.asarray(Image.fromarray(picture).resize((512, 288), Image.Resampling.BICUBIC)).astype(float)
    steps = [np.abs(np.diff(rgb[140:], axis=1)).max(axis=2) for rgb in (large, bicubic)]
    assert np.percentile(steps[0], 99) > 1.1 * np.percentile(steps[1], 99)


def test_smooth_skies_get_no_grain_and_no_checkerboard(embedded: Upscaler):
    rows = np.linspace(0.3, 0.7, 64)[:, None, None] * np.ones((64, 96, 3)) * (0.8, 0.9, 1.0)
    large = embedded.upscale(rows.astype(np.float32), (256, 384)).astype(float)
    inner = large[32:-32, 32:-32]
    assert np.abs(np.diff(inner, axis=1)).max() <= 2  # no column differs from its neighbour
    assert np.abs(np.diff(inner, 2, axis=0)).max() <= 3


@pytest.mark.skipif(
    fastest_dtype(torch.device("cpu")) != torch.bfloat16, reason="this processor has no avx512_bf16"
)
def test_bfloat16_changes_a_picture_by_less_than_a_step_of_a_byte(embedded: Upscaler, picture):
    quick = Upscaler.load("embedded", "cpu", "auto")
    assert (quick.precision, embedded.precision) == ("bfloat16", "float32")
    difference = np.abs(
        quick.upscale(picture, (288, 512)).astype(int) - embedded.upscale(picture, (288, 512))
    )
    assert difference.mean() < 1


def test_progress_rises_from_tile_to_tile_up_to_one(upscaler: Upscaler, picture):
    said: list[tuple[str, float]] = []
    upscaler.upscale(picture, (500, 900), lambda stage, fraction: said.append((stage, fraction)))
    fractions = [fraction for _, fraction in said]
    assert {stage for stage, _ in said} == {"upscaling"}
    assert len(said) >= 4 and fractions == sorted(fractions) and fractions[-1] == pytest.approx(1)


class StopError(Exception):
    pass


def test_a_caller_stops_it_within_a_second_by_raising(upscaler: Upscaler):
    picture = np.zeros((300, 500, 3), np.uint8)
    asked_at = 0.0

    def stop(stage: str, fraction: float) -> None:
        nonlocal asked_at
        if asked_at:
            raise StopError
        asked_at = time.monotonic()

    with pytest.raises(StopError):
        upscaler.upscale(picture, (2400, 4000), stop)
    assert time.monotonic() - asked_at < 1


def test_what_is_no_picture_or_too_large_is_refused(embedded: Upscaler, picture):
    for wrong in (picture[..., 0], picture[..., :2], picture[:31]):
        with pytest.raises(BadShapeError):
            embedded.upscale(wrong, (288, 512))
    with pytest.raises(BadShapeError):
        embedded.upscale(picture, (0, 512))
    with pytest.raises(TooLargeError, match="9000"):
        embedded.upscale(picture, (100, 9000))


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(UnknownModelError, match="embedded, x4plus"):
        Upscaler.load("x8plus")


def test_a_file_that_is_no_upscaler_is_refused(tmp_path: Path):
    from spade_core.synthesis.synthesizer import model_file

    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(EMBEDDED.read_bytes()[:-1000])
    for path in (tmp_path / "none.safetensors", damaged, model_file("landscape")):
        with pytest.raises(BadCheckpointError) as refusal:
            Upscaler.load(path, "cpu")
        assert path.name in refusal.value.message and refusal.value.fix


def test_an_upscaler_is_the_same_after_its_file_was_written_and_read(tmp_path: Path):
    torch.manual_seed(2)
    network = CompactNet(CompactConfig(width=8, layers=2)).eval()
    save_network(tmp_path / "own.safetensors", network, {"steps": 1})
    read = load_network(tmp_path / "own.safetensors")
    x = torch.rand(1, 3, 16, 16)
    assert read.config == network.config
    torch.testing.assert_close(read(x), network(x), atol=2e-3, rtol=0)
    assert Upscaler.load(tmp_path / "own.safetensors", "cpu").name == "own"


def test_the_embedded_one_is_small_and_says_where_it_comes_from():
    from safetensors import safe_open

    assert EMBEDDED.stat().st_size < 3_000_000
    with safe_open(EMBEDDED, framework="pt") as file:
        assert "Real-ESRGAN" in file.metadata()["provenance"]
    notice = (EMBEDDED.parent / "real-esrgan.LICENSE").read_text(encoding="utf-8")
    assert "BSD 3-Clause" in notice and "Xintao Wang" in notice
