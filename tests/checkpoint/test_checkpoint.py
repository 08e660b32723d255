# SPDX-License-Identifier: Apache-2.0
"""A checkpoint holds all it needs, and a file that is none is said to be none."""

from __future__ import annotations

import dataclasses
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from spade_core.checkpoint.file import load_checkpoint, save_checkpoint
from spade_core.contract.errors import BadCheckpointError, CannotWriteError
from tests.support.tiny import tiny_checkpoint, tiny_model


def test_what_was_saved_is_loaded(tmp_path: Path):
    saved = tiny_checkpoint()
    path = tmp_path / "Größe 山.safetensors"
    save_checkpoint(path, saved, dtype=torch.float32)
    loaded = load_checkpoint(path)
    assert (loaded.generator, loaded.style_encoder) == (saved.generator, saved.style_encoder)
    assert loaded.label_set.digest == saved.label_set.digest
    assert loaded.label_set.classes == saved.label_set.classes
    assert (loaded.native_size, loaded.provenance) == (saved.native_size, saved.provenance)
    for name, value in saved.generator_weights.items():
        assert torch.equal(loaded.generator_weights[name], value), name
    loaded.build_generator()
    assert loaded.build_style_encoder() is not None


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX's")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_a_file_is_as_open_as_the_users_umask_says(tmp_path: Path, umask: int, mode: int):
    before = os.umask(umask)
    try:
        save_checkpoint(tmp_path / "model.safetensors", tiny_checkpoint())
    finally:
        os.umask(before)
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o777 == mode


def test_weights_are_stored_in_half_precision_and_counters_stay_whole(tmp_path: Path):
    weights = load_checkpoint(tiny_model(tmp_path)).generator_weights
    assert weights["conv_img.weight"].dtype == torch.float16
    assert weights["head_0.norm_0.param_free_norm.num_batches_tracked"].dtype == torch.int64


def test_a_network_runs_in_full_precision_whatever_is_stored(tmp_path: Path):
    generator = load_checkpoint(tiny_model(tmp_path)).build_generator()
    assert {value.dtype for value in generator.parameters()} == {torch.float32}


def refused(path: Path, clue: str) -> None:
    with pytest.raises(BadCheckpointError) as caught:
        load_checkpoint(path).build_generator()
    assert clue in caught.value.message and caught.value.fix


def test_a_truncated_file_is_said_to_be_truncated(tmp_path: Path):
    path = tiny_model(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    refused(path, "truncated")


def test_a_truncated_file_that_begins_like_a_pickle_is_not_taken_for_one(tmp_path: Path):
    """The first byte is the lowest of the header's length: by chance it is a pickle's."""
    path = tmp_path / "tiny.safetensors"
    for filler in range(0, 400, 4):
        save_checkpoint(path, replace(tiny_checkpoint(), provenance={"filler": "x" * filler}))
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80
    path.write_bytes(path.read_bytes()[:-100])
    refused(path, "truncated")


class Trap:
    """Unpickling it would leave a file."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_a_pickle_is_refused_and_never_opened(tmp_path: Path, writer: str):
    mark, path = tmp_path / "opened", tmp_path / "model.pth"
    if writer == "torch":
        torch.save(Trap(mark), path)
    else:
        path.write_bytes(pickle.dumps(Trap(mark)))
    refused(path, "pickled")
    assert not mark.exists()


def test_other_files_are_told_apart(tmp_path: Path):
    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, other)
    refused(other, "not a Spade Backdrops checkpoint")
    text = tmp_path / "text.safetensors"
    text.write_text("a shopping list, and nothing else at all")
    refused(text, "not a safetensors file")
    refused(tmp_path / "missing.safetensors", "no checkpoint")
    refused(tmp_path, "cannot be read")


def test_weights_that_do_not_fit_the_described_network_are_refused(tmp_path: Path):
    checkpoint = tiny_checkpoint()
    path = tmp_path / "wrong.safetensors"
    save_checkpoint(
        path,
        dataclasses.replace(checkpoint, generator=dataclasses.replace(checkpoint.generator, base_width=8)),
    )
    refused(path, "do not fit")


def test_an_existing_file_survives_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tiny_model(tmp_path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spade_core.files.os.replace", full)
    with pytest.raises(CannotWriteError, match="no space left"):
        save_checkpoint(path, tiny_checkpoint())
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
