# SPDX-License-Identifier: Apache-2.0
"""A whole run in two processes, started by the launchers that people use, is the run of one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stripes_set import write_set

ROOT = Path(__file__).parents[2]
OPTIONS = (
    "--images 16 --generator.base-width 8 --generator.max-width 32 --generator.spade-hidden 16 --size 64 --batch 4 "
    "--warmup 0 --ramp 0 --workers 1 --device cpu --no-bf16 --threads 1"
).split()
LAUNCHERS = {
    "torchrun": "torch.distributed.run --standalone --nproc-per-node 2",
    "accelerate": "accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no "
    "--dynamo_backend no --main_process_port 0",
}


def trained(output: Path, data: Path, *launcher: str) -> list[dict[str, float]]:
    """The losses of every step."""
    words = [*launcher, "-m", "spade_core.training", "--data", str(data), "-o", str(output), *OPTIONS]
    # In plain PyTorch: the fused passes round otherwise, and one gradient in 10^5 changes its sign by it.
    environment = os.environ | {"SPADE_FUSED": "0"}
    ended = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    assert ended.returncode == 0, ended.stderr[-1500:]
    rows = [row.split(",")[2] for row in (output / "curves.csv").read_text().splitlines()]
    return [{name: float(value) for name, value in (part.split("=") for part in row.split())} for row in rows]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, float]]]:
    data = write_set(tmp_path_factory.mktemp("flags"))
    return data, trained(tmp_path_factory.mktemp("alone"), data)


@pytest.mark.skipif(sys.platform == "win32", reason="gloo under these launchers is tested on POSIX")
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_of_a_launcher_have_the_losses_of_one(launcher: str, alone, tmp_path: Path):
    if importlib.util.find_spec(launcher) is None and launcher != "torchrun":
        pytest.skip(f"{launcher} is not installed")
    data, wanted = alone
    found = trained(tmp_path / "run", data, "-m", *LAUNCHERS[launcher].split())
    assert len(found) == len(wanted) == 4
    assert found[0] == pytest.approx(wanted[0], rel=1e-4)
    # Adam's first step goes by the signs of the gradients: those that are nearly zero go either way in single precision
    # (in double precision every step is the same: test_two_processes).
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours == pytest.approx(theirs, rel=2e-2)
    assert (tmp_path / "run" / "model_00000016.safetensors").exists()
