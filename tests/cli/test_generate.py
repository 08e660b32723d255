# SPDX-License-Identifier: Apache-2.0
"""spade generate and spade checkpoint: real processes, a real (tiny, untrained) checkpoint."""

import pickle

import numpy as np
import pytest
from PIL import ExifTags, Image


def picture(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_label_map_becomes_a_picture_of_its_size(spade, labels, tiny_model, tmp_path):
    ended = spade("generate", labels, "-o", "out.png", "--model", tiny_model, "--seed", 3)
    assert ended.code == 0, ended.err
    with Image.open(tmp_path / "out.png") as made:
        assert made.size == (64, 48) and made.mode == "RGB"
        assert made.info["spade:seed"] == "3" and "spade:model-digest" in made.info
        assert "weights come from is not known" in made.info["spade:model-terms"]


def test_other_kinds_of_pictures_say_the_same_in_their_exif(spade, labels, tiny_model, tmp_path):
    for kind in ("jpg", "webp", "tif"):
        assert spade("generate", labels, "-o", f"out.{kind}", "--model", tiny_model, "--seed", 3).code == 0
        with Image.open(tmp_path / f"out.{kind}") as made:
            told = made.getexif()[ExifTags.Base.ImageDescription]
        assert "spade:seed: 3" in told and "weights come from is not known" in told


def test_a_label_map_that_was_saved_as_grey_in_three_channels_is_taken_and_it_is_said(
    spade, labels, tiny_model, tmp_path
):
    with Image.open(labels) as ids:
        ids.convert("RGB").save(tmp_path / "grey.png")
    said = spade("generate", "grey.png", "-o", "a.png", "--model", tiny_model)
    assert said.code == 0 and "grey in three equal channels: taken as ids" in said.err
    plain = spade("generate", labels, "-o", "b.png", "--model", tiny_model)
    assert not plain.err and np.array_equal(picture(tmp_path / "a.png"), picture(tmp_path / "b.png"))


def test_the_seed_decides_the_picture(spade, labels, tiny_model, tmp_path):
    for name, seed in (("a", 1), ("again", 1), ("b", 2)):
        assert spade("generate", labels, "-o", f"{name}.png", "--model", tiny_model, "--seed", seed).code == 0
    assert np.array_equal(picture(tmp_path / "a.png"), picture(tmp_path / "again.png"))
    assert not np.array_equal(picture(tmp_path / "a.png"), picture(tmp_path / "b.png"))


def test_a_style_picture_changes_the_result(spade, labels, tiny_model, tmp_path):
    look = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)
    Image.fromarray(look).save(tmp_path / "style.png")
    assert spade("generate", labels, "-o", "a.png", "--model", tiny_model).code == 0
    assert spade("generate", labels, "-o", "b.png", "--model", tiny_model, "--style", "style.png").code == 0
    assert not np.array_equal(picture(tmp_path / "a.png"), picture(tmp_path / "b.png"))


def test_a_panorama_and_a_seamless_tile_are_other_pictures(spade, labels, tiny_model, tmp_path):
    for name, wrap in (("plain", "off"), ("panorama", "horizontal"), ("tile", "both")):
        ended = spade("generate", labels, "-o", f"{name}.png", "--model", tiny_model, "--wrap", wrap)
        assert ended.code == 0, ended.err
    plain, panorama, tile = (picture(tmp_path / f"{name}.png") for name in ("plain", "panorama", "tile"))
    assert plain.shape == panorama.shape == tile.shape
    assert not np.array_equal(plain, panorama) and not np.array_equal(panorama, tile)


def test_bad_input_is_told_before_the_model_is_loaded(spade, labels):
    """Each of these names a model that does not exist, and is refused for another reason all the same."""
    anyway = ("--model", "no-such-model")
    assert "no file" in spade("generate", "missing.png", "-o", "out.png", *anyway).err
    assert "no file" in spade("generate", labels, "-o", "out.png", "--style", "missing.png", *anyway).err
    assert "no folder" in spade("generate", labels, "-o", "missing/out.png", *anyway).err
    assert "label set" in spade("generate", labels, "-o", "out.png", "--label-set", "missing", *anyway).err


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64])
def test_a_seed_that_no_server_takes_is_refused_in_this_process_too(spade, labels, seed):
    ended = spade("generate", labels, "-o", "out.png", "--model", "no-such-model", "--seed", seed)
    assert ended.is_a_plain_refusal and f"--seed is {seed}" in ended.err


def test_an_empty_address_is_no_server_and_nothing_is_painted_without(spade, labels, tiny_model, tmp_path):
    ended = spade("generate", labels, "-o", "out.png", "--model", tiny_model, "--server", "")
    assert ended.is_a_plain_refusal and "server address" in ended.err
    assert not (tmp_path / "out.png").exists()


def test_ids_outside_the_models_set_are_refused(spade, labels, tiny_model, tmp_path):
    Image.fromarray(np.full((40, 40), 99, np.uint8)).save(labels)
    ended = spade("generate", labels, "-o", "out.png", "--model", tiny_model)
    assert ended.is_a_plain_refusal and "99" in ended.err
    assert not (tmp_path / "out.png").exists()


def test_a_map_of_another_label_set_is_refused_and_not_painted_as_garbage(spade, labels, tiny_model):
    ended = spade("generate", labels, "-o", "out.png", "--model", tiny_model, "--label-set", "ade20k")
    assert ended.is_a_plain_refusal and "ade20k" in ended.err


def test_a_label_map_too_small_to_paint_is_refused(spade, tiny_model, tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "small.png")
    assert spade("generate", "small.png", "-o", "out.png", "--model", tiny_model).is_a_plain_refusal


def test_an_unknown_model_is_refused_with_the_names_of_those_there_are(spade, labels):
    ended = spade("generate", labels, "-o", "out.png", "--model", "no-such-model")
    assert ended.is_a_plain_refusal and "landscape" in ended.err


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "localhost", "tcp://127.0.0.1"])
def test_a_server_that_does_not_answer_is_told_within_seconds(spade, labels, tmp_path, address):
    (tmp_path / "out.png").write_bytes(b"precious")
    ended = spade("generate", labels, "-o", "out.png", "--server", address)
    assert ended.is_a_plain_refusal and address in ended.err
    assert (tmp_path / "out.png").read_bytes() == b"precious"


BAD_CHECKPOINTS = {
    "truncated": lambda good: good[: len(good) // 2],
    "a pickle": lambda good: pickle.dumps({"generator": [1, 2, 3]}),
    "empty": lambda good: b"",
    "something else": lambda good: b"\x89PNG\r\n\x1a\n" + bytes(200),
    "another kind of safetensors": lambda good: b"\x02\0\0\0\0\0\0\0{}",
}


@pytest.mark.parametrize("what", BAD_CHECKPOINTS)
def test_what_is_no_checkpoint_is_refused(spade, labels, tiny_model, tmp_path, what):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(BAD_CHECKPOINTS[what](tiny_model.read_bytes()))
    assert spade("checkpoint", "info", bad).is_a_plain_refusal
    assert spade("generate", labels, "-o", "out.png", "--model", bad).is_a_plain_refusal


def test_a_missing_checkpoint_is_refused(spade):
    assert spade("checkpoint", "info", "missing.safetensors").is_a_plain_refusal


def test_checkpoint_info_tells_what_a_file_holds(spade, tiny_model):
    ended = spade("checkpoint", "info", tiny_model)
    assert ended.code == 0
    assert all(word in ended.out for word in ("landscape (17 classes)", "float16", "untrained", "64 x 64"))
    assert all(word in ended.out for word in ("whose weights", "whose data", "enlarged by", "BSD-3-Clause"))
