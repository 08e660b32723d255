# SPDX-License-Identifier: Apache-2.0
"""Curves and samples go to the tracker that was named, and a run that goes on is the same run there."""

from __future__ import annotations

import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spade_core.cli import main
from spade_core.training.curves import Curves
from tests.support.stripes_set import write_set

GREY = np.full((64, 64, 3), 128, np.uint8)


def told(output: Path, tracker, seen: int) -> None:
    """A run that goes on after `seen` photos makes one step of 8."""
    curves = Curves(output, seen, tracker, {"seed": 1, "recipe": {"batch": 8}})
    curves.add(seen + 8, {"kl": 0.5}, {"training": 3.0})
    curves.show(seen + 8, "samples/64", GREY)
    curves.close()


@pytest.mark.parametrize("name", ["trackio", "wandb"])
def test_a_tracker_that_is_not_installed_is_asked_for_before_anything_is_read(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    if importlib.util.find_spec(name) is not None:
        pytest.skip(f"{name} is installed")
    data = write_set(tmp_path / "data")
    assert main(["train", "--data", str(data), "-o", str(tmp_path / "run"), "--tracker", name]) == 2
    assert f"pip install 'spade-backdrops[{name}]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_no_tracker_leaves_no_trace(tmp_path: Path):
    told(tmp_path / "run", "none", 0)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"curves.csv", "tensorboard"}


@pytest.mark.filterwarnings("default")  # the libraries' own
def test_trackio_keeps_steps_and_samples_of_a_run_that_goes_on_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("trackio")
    from trackio import utils

    monkeypatch.setattr(utils, "TRACKIO_DIR", tmp_path / "kept", raising=False)
    monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path / "kept")
    for seen in (0, 8):
        told(tmp_path / "run", "trackio", seen)
    with sqlite3.connect(tmp_path / "kept" / "spade-backdrops.db") as kept:
        rows = kept.execute("SELECT run_name, step, metrics FROM metrics ORDER BY step").fetchall()
    losses = [(run, step) for run, step, metrics in rows if json.loads(metrics).get("loss/kl") == 0.5]
    assert [step for _, step in losses] == [8, 16] and len({run for run, _ in losses}) == 1
    assert losses[0][0].startswith("run-")
    assert any("samples/64" in json.loads(metrics) for *_, metrics in rows)


@pytest.mark.filterwarnings("default")
def test_wandb_offline_keeps_a_run_that_goes_on_under_one_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for seen in (0, 8):
        told(tmp_path / "run", "wandb", seen)
    kept = [path.name for path in (tmp_path / "run" / "wandb").glob("offline-run-*")]
    assert len(kept) == 2 and len({name.rpartition("-")[2] for name in kept}) == 1


def test_wandb_without_a_key_is_refused_in_one_sentence(tmp_path: Path):
    pytest.importorskip("wandb")
    data = write_set(tmp_path / "data")
    words = (
        "train",
        "--data",
        data,
        "-o",
        tmp_path / "run",
        "--tracker",
        "wandb",
        "--images",
        "8",
        "--size",
        "64",
    )
    ended = subprocess.run(  # a process of its own: wandb reads its settings once
        [sys.executable, "-m", "spade_core.cli", *map(str, words)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=200,
        env={**os.environ, "WANDB_MODE": "online", "HOME": str(tmp_path), "WANDB_API_KEY": ""},
    )  # fmt: skip
    assert ended.returncode == 2 and "WANDB_MODE=offline" in ended.stderr and "Traceback" not in ended.stderr
