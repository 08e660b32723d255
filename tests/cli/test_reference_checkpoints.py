# SPDX-License-Identifier: Apache-2.0
"""A user with files of the published code: real commands from .pth to picture, and back to .pth."""

import argparse
import os
import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from spade_core.cli import main
from tests.cli.conftest import Ended
from tests.support.published import REFERENCE_SET, recorded, write_options, write_reference_files


@pytest.fixture(scope="module")
def record():
    return recorded(REFERENCE_SET)


@pytest.fixture
def published(tmp_path, record):
    folder = write_reference_files(tmp_path / "published", record)
    write_options(folder, record)
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch, capsys) -> Callable[..., Ended]:
    """`spade WORDS` in this process: loading torch anew for each would take most of the time."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Ended:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


def test_the_picture_of_the_imported_network_is_the_published_one(spade, published, record, tmp_path):
    imported = spade("checkpoint", "import", published, "--preset", "auto", "-o", "model.safetensors")
    assert imported.code == 0, imported.err
    assert all(
        word in imported.out
        for word in ("7 label channels", "64 x 64", "style encoder", "instance edges", "kept")
    )
    for index in range(2):
        Image.fromarray(record.arrays["in/label"][index, 0]).save(tmp_path / "labels.png")
        Image.fromarray(record.arrays["in/inst"][index, 0]).save(tmp_path / "objects.png")
        np.save(tmp_path / "style.npy", record.arrays["in/z"][index])
        words = ("--model", "model.safetensors", "--style", "style.npy", "--instances", "objects.png")
        ended = spade("generate", "labels.png", "-o", "out.png", *words)
        assert ended.code == 0, ended.err
        scaled = (record.arrays["out/G_given_z"][index].transpose(1, 2, 0).astype(np.float64) + 1) * 127.5
        with Image.open(tmp_path / "out.png") as out:
            made = np.asarray(out)
        # Cut off, not rounded, as the published code saves pictures; 1e-5 of its range either way.
        room = 127.5 * 1e-5
        assert np.all((made >= np.floor(scaled - room)) & (made <= np.floor(scaled + room)))


def test_the_same_files_come_out_again(spade, published, tmp_path):
    assert spade("checkpoint", "import", published, "-o", "model.safetensors").code == 0
    ended = spade("checkpoint", "export", "model.safetensors", "-o", "again")
    assert ended.code == 0, ended.err
    for network in "GED":
        name = f"latest_net_{network}.pth"
        assert name in ended.out
        ours, theirs = (
            torch.load(folder / name, weights_only=True) for folder in (tmp_path / "again", published)
        )
        assert list(ours) == list(theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_what_is_not_known_is_asked_for_in_one_sentence(here, published):
    (published / "opt.txt").unlink()
    ended = here("checkpoint", "import", published, "-o", "model.safetensors")
    assert ended.is_a_plain_refusal
    assert all(option in ended.err for option in ("--classes", "--dont-care", "--edges", "--upsampling"))
    given = ("--classes", 6, "--dont-care", "yes", "--edges", "yes", "--upsampling", "normal")
    assert here("checkpoint", "import", published, "-o", "model.safetensors", *given).code == 0


def test_a_preset_that_does_not_fit_is_refused(here, published):
    ended = here("checkpoint", "import", published, "-o", "model.safetensors", "--preset", "coco")
    assert ended.is_a_plain_refusal and "184" in ended.err and "8 input channels" in ended.err


class Trap:
    """Unpickling it would leave a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"echo caught > '{self.mark}'",)


def damaged(good: bytes, mark, path) -> dict:
    """What is wrong with a generator's file: how to write it, and a word of the answer."""
    state = torch.load(path, weights_only=True)
    few = dict(list(state.items())[:-7])
    strangers = {**state, **{f"extra.{index}": torch.zeros(1) for index in range(8)}}
    misshapen = {**state, "conv_img.weight": torch.zeros(3, 9, 3, 3)}
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(3))]).state_dict()

    def saved(what, **how):
        return lambda: torch.save(what, path, **how)

    return {
        "a trap": (saved({**state, "trap": Trap(mark)}), "nothing of it was run"),
        "a trap in the old format": (saved(Trap(mark), _use_new_zipfile_serialization=False), "nothing of it was run"),
        "a bare pickle with a trap": (lambda: path.write_bytes(pickle.dumps(Trap(mark))), "nothing of it was run"),
        "options": (lambda: path.write_bytes(pickle.dumps(argparse.Namespace(ngf=1), 2)), "argparse.Namespace"),
        "truncated": (lambda: path.write_bytes(good[: len(good) // 2]), "truncated"),
        "empty": (lambda: path.write_bytes(b""), "empty"),
        "a web page": (lambda: path.write_bytes(b"<!DOCTYPE html><p>Quota exceeded"), "not a PyTorch file"),
        "a zip archive": (lambda: path.write_bytes(b"PK\x05\x06" + bytes(18)), "zip archive"),
        "an optimizer": (saved(optimizer), "state of an optimizer"),
        "settings": (saved({"epoch": 7, "name": "best"}), "'epoch', 'name'"),
        "two networks": (saved({"netG": state, "netD": state}), "'netG', 'netD'"),
        "a whole module": (saved(torch.nn.Linear(2, 2)), "whole module"),
        "a tensor": (saved(torch.zeros(3)), "one tensor"),
        "missing keys": (saved(few), "7 missing ("),
        "extra keys": (saved(strangers), "8 extra (extra.0, extra.1, extra.2, extra.3, extra.4 and 3 more)"),
        "a misshapen key": (saved(misshapen), "conv_img.weight 3x9x3x3 in place of 3x1x3x3"),
        "weights that broke": (saved({**state, "fc.bias": state["fc.bias"] / 0}), "not numbers"),
        "another network": (saved({"features.0.weight": torch.zeros(64, 3, 3, 3)}), "VGG"),
    }  # fmt: skip


def test_bad_files_are_refused_plainly_and_nothing_in_them_is_run(here, published, tmp_path):
    path, mark = published / "latest_net_G.pth", tmp_path / "caught"
    good = path.read_bytes()
    for what, (write, clue) in damaged(good, mark, path).items():
        write()
        ended = here("checkpoint", "import", published, "-o", "model.safetensors")
        assert ended.is_a_plain_refusal and clue in ended.err, (what, ended.err)
        assert not mark.exists() and not (tmp_path / "model.safetensors").exists(), what
        path.write_bytes(good)


def test_a_trap_in_the_pickled_options_is_not_even_opened(here, published, tmp_path):
    (published / "opt.pkl").write_bytes(pickle.dumps(Trap(tmp_path / "caught")))
    assert here("checkpoint", "import", published, "-o", "model.safetensors").code == 0
    assert not (tmp_path / "caught").exists()


@pytest.mark.parametrize("network", ["E", "D"])
def test_the_other_files_of_a_set_are_refused_as_plainly(here, published, tmp_path, network):
    path = published / f"latest_net_{network}.pth"
    state = torch.load(path, weights_only=True)
    torch.save({**state, "trap": Trap(tmp_path / "caught")}, path)
    ended = here("checkpoint", "import", published, "-o", "model.safetensors")
    assert ended.is_a_plain_refusal and "nothing of it was run" in ended.err and path.name in ended.err
    assert not (tmp_path / "caught").exists()
    torch.save(dict(list(state.items())[:-2]), path)
    ended = here("checkpoint", "import", published, "-o", "model.safetensors")
    assert ended.is_a_plain_refusal and "2 missing (" in ended.err and path.name in ended.err


def test_a_trap_is_refused_by_the_real_command_too(spade, published, tmp_path):
    torch.save(Trap(tmp_path / "caught"), published / "latest_net_G.pth")
    ended = spade("checkpoint", "import", published, "-o", "model.safetensors")
    assert ended.is_a_plain_refusal and "system" in ended.err
    assert not (tmp_path / "caught").exists()


def test_our_own_networks_are_not_passed_off_as_published_ones(here, tiny_model, tmp_path):
    ended = here("checkpoint", "export", tiny_model, "-o", "out")
    assert ended.is_a_plain_refusal and "noise" in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("output", ["model.pth", "missing/model.safetensors/x.safetensors"])
def test_an_output_that_cannot_be_is_refused(here, published, tmp_path, output):
    (tmp_path / "missing").write_text("a file where a folder should be")
    ended = here("checkpoint", "import", published, "-o", output)
    assert ended.is_a_plain_refusal


def test_a_missing_source_is_refused(here, tmp_path):
    assert here("checkpoint", "import", "nowhere", "-o", "model.safetensors").is_a_plain_refusal
    assert "latest_net_G.pth" in here("checkpoint", "import", tmp_path, "-o", "model.safetensors").err


def test_onnx_is_written_only_to_files_of_that_name(here, tiny_model, tmp_path):
    ended = here("checkpoint", "export-onnx", tiny_model, "-o", "model.pth")
    assert ended.is_a_plain_refusal and ".onnx" in ended.err
    assert not (tmp_path / "model.pth").exists()


def test_models_are_exported_by_their_names(here):
    ended = here("checkpoint", "export-onnx", "no-such-model", "-o", "model.onnx")
    assert ended.is_a_plain_refusal and "landscape" in ended.err
