# SPDX-License-Identifier: Apache-2.0
"""The embedded upscaler, distilled from Real-ESRGAN x4plus on our own pictures and on photos.

python -m tools.distill_upscaler --data photos/ -o runs/upscaler

It begins with the weights of Real-ESRGAN's compact network for animation, deepened, learns the teacher's pictures by
their distance alone (which blurs), then with a patch adversary that sees the small picture beside the large one. The
same command goes on where it was stopped. Every report writes upscaler.safetensors (the averaged weights; take it to
spade_core/upscaling/weights/embedded.safetensors when it is good) and report_*.png: bicubic, ours, the teacher.
"""

from __future__ import annotations

import copy
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from PIL import Image
from torch import Tensor, nn
from upscaler_crops import CROPS_A_FILE, CropStore, to_bytes

from spade_core.features.efficientnet_lite import FrozenPyramid
from spade_core.files import replacing
from spade_core.model.norms import spectral_norm
from spade_core.runtime import fastest_dtype, keep_freed_memory
from spade_core.upscaling.compact import SCALE, CompactConfig, CompactNet
from spade_core.upscaling.ncnn_weights import fill
from spade_core.upscaling.networks import save_network
from spade_core.upscaling.x4plus import DIGEST, packaged_bytes

START = "REALESRGAN_ANIMAVIDEOV3_UP4X.bin"
START_DIGEST = "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d"
FAST = fastest_dtype(torch.device("cpu"))
HELD_OUT = 60
QUICKER = 3.0
"""The adversary's learning rate, in times the network's: as slow as that, it never learned to tell them apart."""
EMA = 0.995
TONE, DETAIL, GRID, SMOOTH, PERCEPTUAL, MATCHING, ADVERSARIAL = 2.0, 3.0, 4.0, 10.0, 0.01, 2.0, 0.05
"""Weights beside the L1 distance of pixels in [0, 1]."""
SKY_EVERY = 4
"""Steps from one smooth sky to the next."""
DETAIL_SIDE = 8
"""Pixels of the large picture's squares that have to hold as much detail as the teacher's."""
GRID_SIDE = 32
"""Pixels of the large picture's squares in which each place of the SCALE by SCALE grid has to have the teacher's mean:
what repeats from one pixel of the small picture to the next is seen as a fine pattern of squares."""
TONE_SIDE = 16
"""Pixels of the large picture's squares whose mean colour has to be the teacher's: an adversary alone shifts it."""


@dataclass(frozen=True)
class Options:
    """Distil the embedded upscaler."""

    data: Path
    """a data set as docs/data.md describes them"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """folder of crops, state and reports"""
    steps: int = 40_000
    batch: int = 6
    adversary_from: int = 1_000
    """the step that first meets the adversary"""
    crops: int = 6_000
    """crops that the teacher makes in all, by and by"""
    crops_first: int = 600
    """crops before the first step"""
    steps_a_file: int = 100
    """steps between two files of further crops"""
    report: int = 500
    """steps between two reports"""
    layers: int = 24
    """convolutions of the network, at least the 16 that it starts with"""
    rate: float = 2e-4
    threads: int = 1


class Adversary(nn.Module):
    """Which patches are the teacher's? It sees the small picture, enlarged, beside the large one."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(6, 48, 4, 2, 1)]
        layers += [spectral_norm(nn.Conv2d(fan_in, 2 * fan_in, 4, 2, 1)) for fan_in in (48, 96)]
        self.layers = nn.ModuleList(layers)
        self.last = spectral_norm(nn.Conv2d(192, 1, 3, 1, 1))

    def forward(self, large: Tensor, enlarged: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits of patches, and the features on the way."""
        x, features = torch.cat([large, enlarged], 1) * 2 - 1, []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.last(x), features


class Distillation:
    """Networks, optimisers and the step."""

    def __init__(self, options: Options) -> None:
        self.options, self.step = options, 0
        self.student = starting_network(options.layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.student).eval().requires_grad_(False)
        self.adversary = Adversary().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.features = FrozenPyramid().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.student_adam = torch.optim.Adam(self.student.parameters(), options.rate, betas=(0.9, 0.99))
        self.adversary_adam = torch.optim.Adam(
            self.adversary.parameters(), QUICKER * options.rate, betas=(0.5, 0.99)
        )
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=FAST == torch.bfloat16)

    def learn(self, small: Tensor, large: Tensor) -> dict[str, float]:
        """One step; returns the losses by name."""
        self._rates()
        enlarged = enlarged_smoothly(small)
        with self.autocast:
            painted = self.student(small)
        painted = painted.float()
        off = painted - large
        losses = {
            "l1": off.abs().mean(),
            "tone": F.avg_pool2d(off, TONE_SIDE).abs().mean(),
            "detail": F.l1_loss(detail(painted), detail(large)),
            "grid": grid(off).abs().mean(),
        }
        total = losses["l1"] + TONE * losses["tone"] + DETAIL * losses["detail"] + GRID * losses["grid"]
        if self.step % SKY_EVERY == 0:
            sky = a_smooth_sky(small.shape[2])
            with self.autocast:
                painted_sky = self.student(sky)
            losses["smooth"] = F.l1_loss(painted_sky.float(), enlarged_smoothly(sky))
            total = total + SMOOTH * losses["smooth"]
        if self.step % 2:  # it costs as much as all else
            losses["perceptual"] = self._perceptual(painted, large)
            total = total + PERCEPTUAL * losses["perceptual"]
        if self.step >= self.options.adversary_from:
            losses["judged"] = self._teach_adversary(painted.detach(), large, enlarged)
            with self.autocast:
                with torch.no_grad():
                    _, theirs = self.adversary(large, enlarged)
                logits, ours = self.adversary(painted, enlarged)
            losses["matching"] = sum_of(
                F.l1_loss(a.float(), b.float()) for a, b in zip(ours, theirs, strict=True)
            )
            losses["adversarial"] = -logits.float().mean()
            total = total + MATCHING * losses["matching"] + ADVERSARIAL * losses["adversarial"]
        self.student_adam.zero_grad()
        total.backward()
        self.student_adam.step()
        kept = min(EMA, (1 + self.step) / (10 + self.step))  # the start is soon forgotten
        for mean, value in zip(self.averaged.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(value.detach(), 1 - kept)
        self.step += 1
        return {name: value.item() for name, value in losses.items()}

    def _rates(self) -> None:
        """The rates fall to a tenth over the last half."""
        left = min(1.0, 2 * (1 - self.step / self.options.steps))
        for adam, times in ((self.student_adam, 1.0), (self.adversary_adam, QUICKER)):
            for group in adam.param_groups:
                group["lr"] = times * self.options.rate * (0.1 + 0.9 * left)

    def _perceptual(self, painted: Tensor, large: Tensor) -> Tensor:
        """L1 of the frozen features at strides 2, 4 and 8, each brought to its own size."""
        with self.autocast:
            with torch.no_grad():
                theirs = self.features(large * 2 - 1)[:3]
            ours = self.features(painted * 2 - 1)[:3]
        return sum_of(
            (a.float() - b.float()).abs().mean() / b.float().abs().mean()
            for a, b in zip(ours, theirs, strict=True)
        )

    def _teach_adversary(self, painted: Tensor, large: Tensor, enlarged: Tensor) -> Tensor:
        with self.autocast:
            real, _ = self.adversary(large, enlarged)
            fake, _ = self.adversary(painted, enlarged)
        loss = F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean()
        self.adversary_adam.zero_grad()
        loss.backward()
        self.adversary_adam.step()
        return loss.detach()

    def parts(self) -> dict[str, Any]:
        return {
            name: getattr(self, name)
            for name in ("student", "averaged", "adversary", "student_adam", "adversary_adam")
        }

    def save(self, path: Path) -> None:
        state = {name: part.state_dict() for name, part in self.parts().items()}
        with replacing(path) as file:
            torch.save({"step": self.step, **state}, file)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.step = state["step"]
        for name, part in self.parts().items():
            part.load_state_dict(state[name])


def starting_network(layers: int) -> CompactNet:
    """Real-ESRGAN's compact network of 16 layers, with further ones in between that change nothing at first."""
    start, network = CompactNet(CompactConfig(layers=16)), CompactNet(CompactConfig(layers=layers))
    fill(start, packaged_bytes(START, START_DIGEST))
    extra = layers - start.config.layers
    added = {(index + 1) * layers // (extra + 1) for index in range(extra)}
    known = iter(start.body)
    for index in range(layers + 1):
        conv, slopes = network.body[2 * index], network.body[2 * index + 1]
        if index in added:
            be_identity(conv, slopes)
        else:
            conv.load_state_dict(next(known).state_dict())
            slopes.load_state_dict(next(known).state_dict())
    network.body[-1].load_state_dict(next(known).state_dict())
    return network


@torch.no_grad()
def be_identity(conv: nn.Module, slopes: nn.Module) -> None:
    """A layer that hands on what it is given, but for a little noise that keeps its filters apart."""
    assert isinstance(conv, nn.Conv2d) and isinstance(slopes, nn.PReLU) and conv.bias is not None
    nn.init.dirac_(conv.weight)
    conv.weight.add_(torch.randn_like(conv.weight), alpha=0.002)
    nn.init.zeros_(conv.bias)
    nn.init.ones_(slopes.weight)


def enlarged_smoothly(small: Tensor) -> Tensor:
    """Bicubic, SCALE times."""
    return F.interpolate(small, scale_factor=SCALE, mode="bicubic").clamp(0, 1)


def a_smooth_sky(side: int) -> Tensor:
    """(1, 3, side, side): one colour that goes over into another. An adversary invents grain there."""
    first, second = torch.rand(2, 3, 1, 1)
    along = torch.randn(2)
    place = torch.linspace(-0.5, 0.5, side)
    share = (along[0] * place[:, None] + along[1] * place[None, :]) / along.norm() + 0.5
    return (first + (second - first) * share * torch.rand(1)).clamp(0, 1)[None]


def laplacian(pictures: Tensor) -> Tensor:
    """(B, 1, H - 2, W - 2), absolute, of luma: the sharpness that users see."""
    luma = (pictures * torch.tensor([0.299, 0.587, 0.114])[None, :, None, None]).sum(1, keepdim=True)
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    return F.conv2d(luma, kernel).abs()


def detail(pictures: Tensor) -> Tensor:
    """How sharp each square of DETAIL_SIDE is; distances of pixels alone are least where nothing is sharp."""
    return F.avg_pool2d(laplacian(pictures), DETAIL_SIDE)


def grid(off: Tensor) -> Tensor:
    """(B, 3, H, W) to the means of each place of the SCALE by SCALE grid, over squares of GRID_SIDE."""
    batch, colours, height, width = off.shape
    cells = GRID_SIDE // SCALE
    rows, columns = height // GRID_SIDE, width // GRID_SIDE
    return off.view(batch, colours, rows, cells, SCALE, columns, cells, SCALE).mean((3, 6))


def sum_of(losses: Any) -> Tensor:
    return torch.stack(list(losses)).sum()


def report(distillation: Distillation, held_out: CropStore, folder: Path) -> str:
    """Writes the network and a sheet; returns a line of numbers."""
    small, large = held_out.all()
    with torch.inference_mode():
        ours = torch.cat([distillation.averaged(rows) for rows in small.split(6)]).clamp(0, 1)
    step = distillation.step
    psnr = -10 * ((ours - large) ** 2).mean((1, 2, 3)).log10().mean().item()
    bicubic = enlarged_smoothly(small)
    some = slice(0, None, max(1, len(small) // 8))
    columns = [np.concatenate(list(to_bytes(kind[some])[:8])) for kind in (bicubic, ours, large)]
    Image.fromarray(np.concatenate(columns, 1)).save(folder / f"report_{step:06}.png")
    provenance = {
        "distilled_from": "Real-ESRGAN x4plus (BSD-3-Clause)",
        "teacher_sha256": DIGEST,
        "started_from": START,
        "steps": step,
    }
    save_network(folder / "upscaler.safetensors", distillation.averaged, provenance)
    return f"PSNR {psnr:.2f} Laplacian {laplacian(ours).mean():.4f} (teacher {laplacian(large).mean():.4f})"


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    options.output.mkdir(parents=True, exist_ok=True)
    state = options.output / "state.pt"
    held_out = CropStore(options.output / "crops", options.data, "val")
    taught = CropStore(options.output / "crops", options.data, "train")
    while len(held_out) < HELD_OUT:
        held_out.grow()
    distillation = Distillation(options)
    if state.exists():
        distillation.load(state)
    chosen, started = random.Random(distillation.step), time.monotonic()
    while distillation.step < options.steps:
        step = distillation.step
        wanted = options.crops_first + step // options.steps_a_file * CROPS_A_FILE
        if len(taught) < min(options.crops, wanted):
            taught.grow()
            print(f"{len(taught)} crops, {time.monotonic() - started:.0f} s", flush=True)
            continue
        losses = distillation.learn(*taught.batch(options.batch, chosen))
        if (step + 1) % options.report == 0:
            distillation.save(state)
            said = " ".join(f"{name} {value:.4f}" for name, value in losses.items())
            line = report(distillation, held_out, options.output)
            print(f"step {step + 1}, {time.monotonic() - started:.0f} s: {line}; {said}", flush=True)


if __name__ == "__main__":
    main()
