# SPDX-License-Identifier: Apache-2.0
"""Upscalers of other programs, read with spandrel."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from spade_core.contract.errors import BadCheckpointError
from spade_core.upscaling import spandrel_files
from spade_core.upscaling.networks import load_network
from spade_core.upscaling.spandrel_files import as_safetensors
from spade_core.upscaling.upscaler import EMBEDDED, Upscaler


def why_not() -> str:
    """What keeps spandrel from being imported here."""
    try:
        importlib.import_module("spandrel")
    except (ImportError, RuntimeError) as problem:
        return f"spandrel, or the torchvision that it asks for, cannot be imported: {problem}"
    return ""


needs_spandrel = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(spandrel_files, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def pickled(tmp_path: Path) -> Path:
    """The embedded network as other programs keep one of its kind."""
    path = tmp_path / "general.pth"
    torch.save({"params_ema": load_network(EMBEDDED).state_dict()}, path)
    return path


@needs_spandrel
def test_a_network_of_another_program_enlarges(pickled: Path, picture: np.ndarray, embedded: Upscaler):
    upscaler = Upscaler.load(pickled, "cpu", "float32")
    assert upscaler.name == "general"
    ours, theirs = (each.upscale(picture[:, :64], (288, 256)) for each in (embedded, upscaler))
    assert np.abs(ours.astype(int) - theirs).mean() < 0.1


@needs_spandrel
def test_what_spandrel_does_not_know_is_refused(tmp_path: Path):
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(BadCheckpointError, match="other.pth"):
        Upscaler.load(path, "cpu")


@pytest.mark.skipif(not why_not(), reason="spandrel is installed")
def test_without_spandrel_the_command_that_installs_it_is_named(pickled: Path):
    with pytest.raises(BadCheckpointError, match=r"pip install 'spade-backdrops\[upscale-files\]'"):
        Upscaler.load(pickled, "cpu")


def test_a_pickle_is_read_once_and_kept_as_safetensors(
    pickled: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    kept = as_safetensors(pickled)
    monkeypatch.setattr(torch, "load", None)  # it would break if it were called
    assert as_safetensors(pickled) == kept
    assert list(cache.iterdir()) == [kept] and kept.suffix == ".safetensors"


class Harmful:
    def __reduce__(self):
        return print, ("code of the file ran",)


def test_a_pickle_that_holds_more_than_weights_is_refused_before_any_of_it_runs(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "harmful.pth"
    torch.save({"params": Harmful()}, path)
    with pytest.raises(BadCheckpointError, match="harmful.pth holds more than weights"):
        as_safetensors(path)
    assert not capsys.readouterr().out and not cache.exists()
