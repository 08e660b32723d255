# SPDX-License-Identifier: Apache-2.0
"""The tool that makes the embedded upscaler again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spade_core.upscaling.upscaler import Upscaler

TOOL = Path(__file__).parents[2] / "tools" / "distill_upscaler.py"
SIDE, CROPS_A_FILE = 64, 60


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose crops are made already: the teacher's work of minutes."""
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        small = random.integers(0, 256, (CROPS_A_FILE, SIDE, SIDE, 3), np.uint8)
        large = small.repeat(4, axis=1).repeat(4, axis=2)
        (tmp_path / "crops").mkdir(exist_ok=True)
        np.savez(tmp_path / "crops" / f"{split}_0000.npz", small=small, large=large)
    return tmp_path


def distil(run: Path, steps: int) -> str:
    words = [
        "--data",
        str(run),
        "-o",
        str(run),
        "--steps",
        str(steps),
        "--adversary-from",
        "1",
        "--report",
        "2",
    ]
    words += ["--batch", "1", "--layers", "17", "--crops", "60", "--crops-first", "60"]
    ended = subprocess.run([sys.executable, str(TOOL), *words], check=True, capture_output=True, text=True)
    return ended.stdout


def test_a_run_goes_on_where_it_was_stopped_and_leaves_an_upscaler(run: Path, picture: np.ndarray):
    assert "step 2," in distil(run, 2)
    resumed = distil(run, 4)
    assert "step 4," in resumed and "step 2," not in resumed
    large = Upscaler.load(run / "upscaler.safetensors", "cpu").upscale(picture, (288, 512))
    back = Image.fromarray(large).resize((128, 72), Image.Resampling.BOX)
    assert np.abs(np.asarray(back).astype(int) - picture).mean() < 6
    assert (run / "report_000004.png").exists()
