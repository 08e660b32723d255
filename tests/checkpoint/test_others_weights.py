# SPDX-License-Identifier: Apache-2.0
"""Weights as people have them: wrapped in other things they are taken; of another kind they are called by its name."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from spade_core.checkpoint.file import Checkpoint
from spade_core.checkpoint.reference.exporting import export_reference
from spade_core.checkpoint.reference.importing import ImportRequest, import_reference
from spade_core.checkpoint.sources import EMBEDDED
from spade_core.contract.errors import BadCheckpointError
from tests.support.published import REFERENCE_SET, recorded, write_options, write_reference_files

State = dict[str, torch.Tensor]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder with generator, style encoder, discriminator and options, as the published code leaves it."""
    record = recorded(REFERENCE_SET)
    write_options(write_reference_files(tmp_path / "published", record), record)
    return tmp_path / "published"


def state_in(path: Path) -> State:
    return torch.load(path, weights_only=True)


def wrapped_by_data_parallel(state: State) -> State:
    return {f"module.{key}": value for key, value in state.items()}


WRAPPINGS: dict[str, tuple[Callable[[State], object], str]] = {
    "DataParallel": (wrapped_by_data_parallel, "without 'module.' before the names"),
    "state_dict": (lambda state: {"state_dict": state}, "what lies under 'state_dict'"),
    "a network's name, and an epoch": (lambda state: {"netG": state, "epoch": 3}, "what lies under 'netG'"),
    "an optimizer beside it": (
        lambda state: {
            "model": state,
            "optimizer": torch.optim.Adam([torch.nn.Parameter(torch.zeros(3))]).state_dict(),
            "lr": 0.1,
        },
        "what lies under 'model'",
    ),
    "an epoch among the weights": (
        lambda state: {**state, "epoch": 5, "name": "best"},
        "without 'epoch', 'name'",
    ),
    "both": (
        lambda state: {"epoch": torch.tensor(3), "state_dict": wrapped_by_data_parallel(state)},
        "what lies under 'state_dict', without 'module.' before the names",
    ),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_wrapped_weights_are_taken_as_they_are_and_it_is_said_what_was_left(
    wrapping, published: Path, tmp_path: Path
):
    bare = import_reference(ImportRequest(published))
    wrap, said = WRAPPINGS[wrapping]
    taken = import_reference(
        ImportRequest(saved_anew(published, tmp_path, lambda state, path: torch.save(wrap(state), path)))
    )
    assert_equal_weights(taken, bare)
    assert taken.provenance["taken"]["latest_net_G.pth"] == said
    assert "taken" not in bare.provenance
    assert export_reference(taken, tmp_path / "again"), "what was taken goes back to the published code"


def test_published_weights_that_somebody_saved_as_safetensors_are_taken(published: Path, tmp_path: Path):
    bare = import_reference(ImportRequest(published))
    anew = saved_anew(published, tmp_path, lambda state, path: save_file(state, path))
    assert_equal_weights(import_reference(ImportRequest(anew)), bare)


def saved_anew(published: Path, folder: Path, save: Callable[[State, Path], object]) -> Path:
    """A folder with the same files, each saved in another way; those there may still be read from where they lie."""
    anew = folder / "anew"
    shutil.copytree(published, anew)
    for path in published.glob("*.pth"):
        save(state_in(path), anew / path.name)
    return anew


def assert_equal_weights(ours: Checkpoint, theirs: Checkpoint) -> None:
    for part in ("generator_weights", "encoder_weights", "discriminator_weights"):
        left, right = getattr(ours, part), getattr(theirs, part)
        assert list(left) == list(right) and all(torch.equal(left[key], right[key]) for key in right)


def kernel(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape)


def clade(state: State) -> State:
    """The published generator's, but with a table for each norm."""
    kept = {key: value for key, value in state.items() if ".mlp_" not in key}
    for key in [key for key in state if key.endswith("mlp_gamma.weight")]:
        norm = key.removesuffix("mlp_gamma.weight")
        kept[f"{norm}class_specified_affine.weight"] = kernel(6, state[key].shape[0])
        kept[f"{norm}class_specified_affine.bias"] = kernel(6, state[key].shape[0])
    return kept


OASIS = {
    "conv_img.weight": kernel(3, 4, 3, 3), "fc.weight": kernel(64, 99, 3, 3),
    "body.0.conv_0.weight_orig": kernel(64, 64, 3, 3),
    "body.0.norm_0.first_norm.running_mean": kernel(64),
    "body.0.norm_0.mlp_shared.0.weight": kernel(128, 99, 3, 3),
    "body.0.norm_0.mlp_gamma.weight": kernel(64, 128, 3, 3),
}  # fmt: skip
PIX2PIXHD = {
    "model.1.weight": kernel(8, 36, 7, 7), "model.4.weight": kernel(16, 8, 3, 3),
    "model.16.conv_block.1.weight": kernel(16, 16, 3, 3),
}  # fmt: skip

OTHERS: dict[str, tuple[Callable[[State], object], str, str]] = {
    "OASIS": (lambda state: OASIS, "OASIS", "spade train oasis"),
    "OASIS in DataParallel": (lambda state: wrapped_by_data_parallel(OASIS), "OASIS", "spade train oasis"),
    "CLADE": (clade, "CLADE", "spade train frozen-clade"),
    "NVIDIA's pix2pixHD": (lambda state: PIX2PIXHD, "pix2pixHD", "spade train pix2pixhd"),
    "two networks": (lambda state: {"G": state, "G_ema": state}, "several networks: 'G', 'G_ema'", "alone"),
    "our training's state": (
        lambda state: {"generator": state, "discriminator": state, "images_seen": 8},
        "state of a training of this program",
        "model_*.safetensors",
    ),
    "weights that broke": (
        lambda state: {**state, "conv_img.bias": torch.full((3,), torch.nan)},
        "not numbers: 1 tensors (conv_img.bias)",
        "earlier one",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_cannot_be_taken_is_called_what_it_is(name: str, published: Path):
    make, what, fix = OTHERS[name]
    path = published / "latest_net_G.pth"
    torch.save(make(state_in(path)), path)
    assert_refused(published, what, fix)


def assert_refused(source: Path, what: str, fix: str) -> None:
    with pytest.raises(BadCheckpointError) as caught:
        import_reference(ImportRequest(source))
    assert what in caught.value.message and fix in caught.value.fix, str(caught.value)


def test_torchscript_is_refused_unopened(published: Path):
    # What torch.jit.save leaves, without the deprecated call: an archive of code, and of the constants it wants.
    with zipfile.ZipFile(published / "latest_net_G.pth", "w") as archive:
        for name in ("data.pkl", "code/__torch__/net.py", "constants.pkl", "version"):
            archive.writestr(f"latest_net_G/{name}", b"\x80\x02)." if name.endswith("pkl") else b"3\n")
    assert_refused(published, "TorchScript", "state_dict()")


@pytest.mark.parametrize(
    ("content", "what", "fix"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n", "pointer of Git LFS", "git lfs pull"),
        (b"<!DOCTYPE html><html>Quota exceeded</html>", "web page", "Download it again"),
    ],
)  # fmt: skip
def test_what_was_downloaded_in_place_of_weights_is_named(
    content: bytes, what: str, fix: str, published: Path
):
    (published / "latest_net_G.pth").write_bytes(content)
    assert_refused(published, what, fix)


def test_archives_with_weights_in_them_are_to_be_unpacked(published: Path):
    weights = published / "latest_net_G.pth"
    with zipfile.ZipFile(published / "weights.zip", "w") as archive:
        archive.write(weights, weights.name)
    assert_refused(published / "weights.zip", "zip archive with latest_net_G.pth in it", "Unpack it")


def test_our_own_models_and_runs_are_to_be_used_as_they_are(tmp_path: Path):
    assert_refused(EMBEDDED / "landscape.safetensors", "a model of this program already", "--model")
    (tmp_path / "model_00000008.safetensors").write_bytes((EMBEDDED / "landscape.safetensors").read_bytes())
    assert_refused(tmp_path, "folder of a training of this program", "--model takes the folder")


def test_a_folder_of_others_files_names_them(tmp_path: Path):
    torch.save(OASIS, tmp_path / "latest_EMA.pth")
    assert_refused(tmp_path, "no latest_net_G.pth", "latest_EMA.pth")
