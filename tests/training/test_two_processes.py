# SPDX-License-Identifier: Apache-2.0
"""Two processes on halves of a batch do what one does on the whole of it: real processes, gloo on the CPU."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spade_core import distributed
from spade_core.model.discriminators.segmentation import SegmentationConfig
from spade_core.model.style_encoder import StyleEncoderConfig
from spade_core.training.batch import Batch
from spade_core.training.config import TrainingConfig
from spade_core.training.presets import OASIS, PAPER_STYLE
from spade_core.training.state import load_state
from spade_core.training.trainer import Trainer

CLASSES = 5
ROOT = Path(__file__).parents[2]
NORM = """
import sys
import torch
from spade_core import distributed
from spade_core.model.norms import SyncBatchNorm

with distributed.process_group(torch.device("cpu")):
    given = torch.load(sys.argv[1], weights_only=True)
    norm = SyncBatchNorm(3)
    norm.load_state_dict(given["norm"])
    x = distributed.local_rows(given["x"]).clone().requires_grad_(True)
    y = norm(x)
    (y * distributed.local_rows(given["weight"])).sum().backward()
    torch.save({"y": y.detach(), "x": x.grad, "weight": norm.weight.grad, "norm": norm.state_dict()},
               f"{sys.argv[2]}/{distributed.rank()}.pt")
"""


def together(*command: str | Path) -> None:
    """Run the same Python command in two processes that know of each other, as torchrun does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    known = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=os.environ | known | {"RANK": str(rank)},
            stdout=subprocess.DEVNULL,
        )
        for rank in range(2)
    ]  # fmt: skip
    assert [process.wait() for process in running] == [0, 0]


def test_a_batch_norm_over_two_processes_is_torchs_over_the_joined_batch(tmp_path: Path):
    torch.manual_seed(0)
    # A mean much larger than the spread: a variance from squares would be lost in rounding.
    x = (torch.randn(4, 3, 5, 7) + torch.tensor([0.0, 10, 100]).view(1, 3, 1, 1)).requires_grad_(True)
    weight = torch.randn(4, 3, 5, 7)
    norm = torch.nn.BatchNorm2d(3)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    torch.save({"x": x.detach(), "weight": weight, "norm": norm.state_dict()}, tmp_path / "given.pt")
    y = norm(x)
    (y * weight).sum().backward()
    together("-c", NORM, tmp_path / "given.pt", tmp_path)
    halves = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    assert torch.allclose(torch.cat([half["y"] for half in halves]), y.detach(), atol=1e-4)
    assert x.grad is not None and norm.weight.grad is not None
    assert torch.allclose(torch.cat([half["x"] for half in halves]), x.grad, atol=1e-4)
    assert torch.allclose(halves[0]["weight"] + halves[1]["weight"], norm.weight.grad, atol=1e-3)
    for half in halves:
        for name, value in norm.state_dict().items():
            assert torch.allclose(half["norm"][name], value, atol=1e-4), name


STEPS = """
import sys
from tests.training.test_two_processes import few_steps

few_steps(sys.argv[1])
"""


def few_steps(folder: str) -> None:
    """Two steps of a small trainer in double precision, on this process's rows of the same batches.

    It has all that looks at more than one picture: batch norm, class weights, a summed KL divergence, random numbers.
    In single precision Adam's first steps turn the rounding of gradients that are nearly zero into steps as large as
    any: two runs would drift apart after the first.
    """
    generator = replace(PAPER_STYLE.generator, base_width=4, max_width=16, spade_hidden=8, noise=True)  # type: ignore[call-arg]
    small = replace(
        PAPER_STYLE,
        generator=replace(generator, norm="syncbatch"),
        encoder=StyleEncoderConfig(base_width=4, input_size=64),
        discriminator=SegmentationConfig(base_width=4, stages=3),
        crops=replace(PAPER_STYLE.crops, size=64, batch=4, augment=True),
        losses=replace(OASIS.losses, kl_weight=0.05, kl_sum=True, random_styles=0.5),
    )
    config = TrainingConfig(Path("data"), Path("run"), recipe=small, bf16=False, device="cpu")
    with distributed.process_group(torch.device("cpu")):
        trainer = Trainer(config, CLASSES, 0, torch.device("cpu"))
        networks = (trainer.networks.generator, trainer.networks.encoder, trainer.networks.discriminator)
        for network in (*networks, trainer.networks.ema.generator):
            if network is not None:
                network.double()
        averaged = trainer.networks.ema
        if averaged.encoder is not None:
            averaged.encoder.double()
        told = []
        for step in range(2):
            random = torch.Generator().manual_seed(step)
            photos = torch.rand(4, 3, 64, 64, generator=random, dtype=torch.float64) * 2 - 1
            blocks = torch.randint(CLASSES, (4, 4, 4), generator=random)
            channels = blocks.repeat_interleave(16, 1).repeat_interleave(16, 2)
            told.append(
                trainer.train_step(Batch(distributed.local_rows(photos), distributed.local_rows(channels)))
            )
        held = {"told": told, "images_seen": trainer.images_seen, "averaged": averaged.generator.state_dict()}
        torch.save(held, Path(folder) / f"{distributed.rank()}_of_{distributed.world_size()}.pt")


def test_two_processes_take_the_steps_of_one(tmp_path: Path):
    together("-c", STEPS, tmp_path)
    few_steps(str(tmp_path))
    names = ("0_of_1.pt", "0_of_2.pt", "1_of_2.pt")
    one, *two = (torch.load(tmp_path / name, weights_only=True) for name in names)
    assert one["images_seen"] == two[0]["images_seen"] == 8
    for half in two:
        for ours, theirs in zip(one["told"], half["told"], strict=True):
            assert ours.keys() == theirs.keys()
            for name, value in ours.items():
                assert theirs[name] == pytest.approx(value, abs=1e-4), name
        for name, value in one["averaged"].items():
            assert torch.allclose(half["averaged"][name], value, atol=1e-4), name


def test_two_processes_share_the_photos_and_one_writes(tmp_path: Path):
    random = np.random.default_rng(0)
    data = tmp_path / "data"
    for name in ("images", "labels"):
        (data / name).mkdir(parents=True)
    for index in range(6):
        ids = random.integers(0, 5, (6, 6), np.uint8).repeat(16, 0).repeat(16, 1)
        Image.fromarray(ids).save(data / "labels" / f"p{index}.png")
        rgb = ids[..., None] * np.array((40, 30, 20), np.uint8) + random.integers(
            0, 50, (96, 96, 3), np.uint8
        )
        Image.fromarray(rgb).save(data / "images" / f"p{index}.png")
    command = [
        "-m", "spade_core.training", "--data", data, "--size", "64", "--batch", "4", "--images", "8", "--warmup", "0",
        "--generator.base-width", "4", "--generator.max-width", "8", "--no-bf16", "--threads", "1", "--device", "cpu",
    ]  # fmt: skip
    together(*command, "--output", tmp_path / "two")
    subprocess.run(
        [sys.executable, *command, "--output", tmp_path / "one"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    one, two = (curves(tmp_path / name / "curves.csv") for name in ("one", "two"))
    assert len(one) == len(two) == 2 and one[0].keys() == two[0].keys()
    for name, value in one[0].items():
        assert two[0][name] == pytest.approx(value, rel=1e-4, abs=1e-4), name
    assert load_state(tmp_path / "two" / "state_00000008.pt")["images_seen"] == 8


def curves(path: Path) -> list[dict[str, float]]:
    """The losses of every step."""
    rows = [line.split(",")[2].split() for line in path.read_text().splitlines()]
    return [{name: float(value) for name, value in (entry.split("=") for entry in row)} for row in rows]
