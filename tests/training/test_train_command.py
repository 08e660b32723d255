# SPDX-License-Identifier: Apache-2.0
"""`spade train` as people use it: a real process on a small data set."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spade_core.checkpoint.file import load_checkpoint
from spade_core.cli import main
from spade_core.contract.errors import BadImageError
from spade_core.contract.labels import load_label_set
from spade_core.data.layouts.layouts import find_pairs
from spade_core.data.pairs import read_pair
from spade_core.model.clade import CladeConfig
from spade_core.model.discriminators.patchgan import MultiscaleConfig
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.training.__main__ import STOPPED, parsed
from spade_core.training.presets import FROZEN, PAPER
from spade_core.training.relabel import label_axes, matched_classes
from tests.support.small_disk import assert_told_full, command, grown, small_disk
from tests.support.stripes_set import mean_iou, write_set
from tests.support.tiny import tiny_checkpoint, tiny_model

SMALL = (
    "--generator.base-width 8 --generator.max-width 32 --generator.spade-hidden 16 --generator.style-size 4 "
    "--encoder.base-width 4 --size 64 --batch 4 --workers 0 --device cpu --no-bf16 --threads 1 --grey-box.share 0"
).split()


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("flags"))


def spade_train(*words: str | Path, start_new_session: bool = False) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "spade_core.cli", "train", *map(str, words)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=start_new_session,
    )  # fmt: skip


def ended_well(process: subprocess.Popen[str], code: int = 0) -> str:
    """Returns what it said on stderr."""
    _, said = process.communicate(timeout=200)
    assert process.returncode == code and "Traceback" not in said, said[-800:]
    return said


def test_a_recipe_comes_first_and_its_numbers_can_be_changed(flags: Path):
    words = f"paper --data {flags} -o o --generator.base-width 48 --discriminator.scales 3 --gan-mode w --size 128"
    chosen = parsed(words.split()).recipe
    assert isinstance(chosen.discriminator, MultiscaleConfig) and chosen.discriminator.scales == 3
    assert chosen.generator == replace(PAPER.generator, base_width=48)
    assert chosen.losses == replace(PAPER.losses, gan_mode="w") and chosen.crops.size == 128
    assert chosen.optimizer == PAPER.optimizer


def test_what_is_not_named_fits_the_data(flags: Path):
    config = parsed(f"--data {flags} -o o --device cpu".split())
    # 18 photos of 96 x 96 to train on
    assert (config.recipe.crops.size, config.recipe.crops.batch) == (64, 8)
    assert config.recipe.generator == FROZEN.generator and config.images == 8_000
    named = parsed(f"--data {flags} -o o --device cpu --size 96 --batch 2 --images 50".split())
    assert (named.recipe.crops.size, named.recipe.crops.batch, named.images) == (96, 2, 50)


def test_precision_is_mixed_only_where_the_processor_has_it_or_somebody_asks(flags: Path):
    words = f"--data {flags} -o o --device cpu"
    native = "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    assert parsed(words.split()).bf16 is native
    assert parsed(f"{words} --bf16".split()).bf16 and not parsed(f"{words} --no-bf16".split()).bf16


def test_the_published_recipes_cut_as_the_reference_cuts_the_data_set(flags: Path):
    folder = parsed(f"paper --data {flags} -o o".split()).recipe.crops
    assert (folder.mode, folder.load_size, folder.size) == ("resize_and_crop", 286, 256)


def test_a_folder_that_is_not_there_is_one_sentence_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["train", "--data", str(tmp_path / "nowhere"), "-o", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "nowhere" in said and "Traceback" not in said
    with pytest.raises(BadImageError):
        parsed(["--data", str(tmp_path / "nowhere"), "-o", "o"])


def test_a_run_killed_at_any_moment_goes_on_to_the_weights_of_one_that_was_not(flags: Path, tmp_path: Path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    words = ["--data", flags, "--images", "48", "--save-every", "8", *SMALL]
    ended_well(spade_train(*words, "-o", whole))
    process = spade_train(*words, "-o", killed)
    while len(list(killed.glob("model_*"))) < 2 and process.poll() is None:
        time.sleep(0.02)
    time.sleep(0.15)  # in the middle of a step, or of a file
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (killed / "model_00000048.safetensors").exists()
    ended_well(spade_train(*words, "-o", killed))
    ours, theirs = (load_checkpoint(folder / "model_00000048.safetensors") for folder in (killed, whole))
    for name, weight in theirs.generator_weights.items():
        assert torch.equal(ours.generator_weights[name], weight), name
    steps = [row.split(",")[0] for row in (killed / "curves.csv").read_text().splitlines()]
    assert steps == [str(4 * step) for step in range(1, 13)]
    losses = [
        [row.split(",")[2] for row in (folder / "curves.csv").read_text().splitlines()]
        for folder in (killed, whole)
    ]
    assert losses[0] == losses[1]
    assert not list(killed.glob("*.part"))


@pytest.mark.skipif(os.name == "nt", reason="process groups are those of POSIX")
@pytest.mark.parametrize("said", [signal.SIGTERM, signal.SIGINT])
def test_a_whole_group_told_to_leave_saves_first(flags: Path, tmp_path: Path, said: signal.Signals):
    """As a scheduler and a terminal tell it: the loader's workers hear it too."""
    run = tmp_path / "run"
    words = ["--data", flags, "-o", run, "--images", "4000", *SMALL, "--workers", "1"]
    process = spade_train(*words, start_new_session=True)
    while not (run / "curves.csv").exists() and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, said)
    assert "what was learned is saved" in ended_well(process, STOPPED)
    seen = [int(file.stem.removeprefix("state_")) for file in run.glob("state_*.pt")]
    assert len(seen) == 1 and 0 < seen[0] < 4000


def test_a_trained_model_paints_its_classes_and_an_untrained_one_does_not(flags: Path, tmp_path: Path):
    words = [
        "--data",
        flags,
        "-o",
        tmp_path / "run",
        *SMALL,
        "--generator-lr",
        "1e-3",
        "--save-every",
        "640",
    ]
    ended_well(spade_train(*words, "--images", "4"))
    ended_well(spade_train(*words, "--images", "640"))

    def scored(name: str) -> float:
        model = Synthesizer.load(tmp_path / "run" / name, "cpu")
        held_out = [read_pair(pair, model.label_set)[1] for pair in find_pairs(flags, "val")]
        label_maps = [np.asarray(labels) for labels in held_out]
        return mean_iou(label_maps, [model.render(ids, seed=seed) for seed, ids in enumerate(label_maps)])

    assert scored("model_00000640.safetensors") > 0.8
    assert scored("model_00000004.safetensors") < 0.4


def test_a_model_of_other_labels_is_taken_on_with_its_classes_by_name(flags: Path, tmp_path: Path):
    landscape = tiny_model(tmp_path)
    run = tmp_path / "run"
    words = [
        "--data",
        flags,
        "-o",
        run,
        "--from",
        landscape,
        "--images",
        "4",
        "--workers",
        "0",
        "--device",
        "cpu",
    ]
    ended_well(
        spade_train(
            *words, "--size", "64", "--batch", "4", "--no-bf16", "--threads", "1", "--generator-lr", "0"
        )
    )
    held = load_checkpoint(run / "model_00000004.safetensors")
    assert held.label_set.name == "flags"
    # The aliases say what they are.
    matched = held.provenance["started_from"]["classes"]
    assert matched == {"heaven": "sky", "meadow": "grass", "shore": "sand"}
    old, names = load_checkpoint(landscape), load_label_set("landscape")
    for new_channel, name in enumerate(("sky", "grass", "sand")):
        known = names.class_named(name)
        assert known is not None
        ours = held.generator_weights["head_0.mlp_shared.0.weight"][:, new_channel]
        assert torch.allclose(
            ours, old.generator_weights["head_0.mlp_shared.0.weight"][:, known.id], atol=2e-3
        )


def test_names_decide_before_aliases_and_strangers_are_left_out():
    landscape = load_label_set("landscape")
    ade = load_label_set("ade20k")
    matched = matched_classes(ade, landscape)
    names = {entry.id: entry.name for entry in ade.classes}
    assert all(
        names[old].split(",")[0].casefold() == new.name
        for new in landscape.classes
        if new.name in ("sky", "tree", "grass") and (old := matched[new.id]) is not None
    )


def test_every_kind_of_decoder_says_which_weights_see_the_labels():
    spade = tiny_checkpoint().generator
    assert all("mlp_shared" in name or name == "fc.weight" for name in label_axes(spade))
    clade = CladeConfig(18, base_width=4, max_width=16)
    assert {axis for name, axis in label_axes(clade).items() if name.endswith("gamma_beta")} == {0}


@pytest.mark.parametrize("kilobytes", [40, 300])  # no room for the state, or none for the model
def test_a_full_disk_is_told_and_with_more_room_the_same_command_goes_on(
    flags: Path, tmp_path: Path, kilobytes: int
):
    with small_disk(tmp_path / "disk", kilobytes) as disk:
        words = ["train", "--data", flags, "-o", disk / "run", "--images", "8", "--save-every", "4", *SMALL]
        assert_told_full(command(*words))
        assert not list((disk / "run").glob("*.part"))
        grown(disk, 64_000)
        assert command(*words).returncode == 0
        assert (disk / "run" / "model_00000008.safetensors").exists()


@pytest.mark.parametrize("output", ["file", "file/run"])
def test_a_folder_that_cannot_be_written_is_told_before_it_is_said_what_is_trained(
    flags: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
):
    (tmp_path / "file").write_text("here")
    words = ["train", "--data", str(flags), "-o", str(tmp_path / output), "--images", "4", *SMALL]
    assert main(words) == 2
    said = capsys.readouterr()
    assert "cannot be written" in said.err and "fills up" not in said.out
    assert (tmp_path / "file").read_text() == "here"
