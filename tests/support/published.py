# SPDX-License-Identifier: Apache-2.0
"""The recorded networks: their options, weights by formula, inputs and outputs."""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from spade_core.model.config import UPSAMPLING_STEPS
from spade_core.model.spade import GeneratorConfig

FOLDER = Path(__file__).parents[1] / "golden"
REFERENCE_SET = "reference_checkpoint"
ALL_VARIANTS = sorted(file.stem for file in FOLDER.glob("*.npz") if file.stem != REFERENCE_SET)
VARIANTS = [variant for variant in ALL_VARIANTS if variant != "pix2pixhd"]
"""Those with the SPADE generator."""


@dataclass(frozen=True)
class Recorded:
    """One recorded network."""

    options: dict
    shapes: dict[str, dict[str, list[int]]]
    arrays: dict[str, np.ndarray]

    def tensor(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[name])

    def photos(self, name: str) -> torch.Tensor:
        """Bytes as the networks see them: [-1, 1]."""
        return (self.tensor(name).float() / 255 - 0.5) / 0.5

    def published_weights(self, network: str) -> dict[str, torch.Tensor]:
        """The state dict of "G", "D" or "E" under the published names, for eval-mode outputs."""
        state = {}
        for key, shape in self.shapes[network].items():
            buffer = self.arrays.get(f"buf/{network}/{key}")
            value = by_formula(f"{network}.{key}", shape) if buffer is None else torch.from_numpy(buffer)
            state[key] = value
        return state

    def weights(self, network: str) -> dict[str, torch.Tensor]:
        """The same under the names of torch's present spectral norm."""
        return {our_name(key): value for key, value in self.published_weights(network).items()}

    def losses(self, phase: str) -> dict[str, float]:
        """phase "eval" or "train": GAN, GAN_Feat (times 10), KLD (times 0.05), D_Fake and D_real by name."""
        prefix = f"loss_{phase}/"
        return {
            key.removeprefix(prefix): value.item()
            for key, value in self.arrays.items()
            if key.startswith(prefix)
        }

    def gradients(self, network: str) -> dict[str, torch.Tensor]:
        """Norm, sum and first six entries of each parameter's gradient in the training step, under our names."""
        prefix = f"grad/{network}/"
        return {
            our_name(key.removeprefix(prefix)): torch.from_numpy(value)
            for key, value in self.arrays.items()
            if key.startswith(prefix)
        }

    def discriminator_outputs(self, of: str) -> dict[tuple[int, int], torch.Tensor]:
        """of "fake" or "real": the recorded outputs by (scale, layer); the last layer holds the logits."""
        names = [name for name in self.arrays if name.startswith("out/D") and name.endswith(f"_{of}")]
        return {
            (int(name.split("_")[0].removeprefix("out/D")), int(name.split("_")[1])): self.tensor(name)
            for name in names
        }

    def generator_config(self) -> GeneratorConfig:
        options = self.options
        norm = options["norm_G"]
        columns = options["crop_size"] // 2 ** UPSAMPLING_STEPS[options["num_upsampling_layers"]]
        styled = options["use_vae"]
        return GeneratorConfig(
            label_channels=options["label_nc"] + options["contain_dontcare_label"],
            instance_edges=not options["no_instance"],
            base_width=options["ngf"],
            upsampling=options["num_upsampling_layers"],
            norm=next(kind for kind in ("syncbatch", "instance", "batch") if kind in norm),
            spectral="spectral" in norm,
            spade_kernel=int(norm[-1]),
            start="style" if styled else "labels",
            style_size=options["z_dim"] if styled else 0,
            start_grid=(round(columns / options["aspect_ratio"]), columns),
        )


def recorded(variant: str) -> Recorded:
    with np.load(FOLDER / f"{variant}.npz") as file:
        arrays = dict(file)
    options, shapes, small = (json.loads(str(arrays.pop(name))) for name in ("opt", "state", "flat"))
    start = dict.fromkeys({kind for kind, _ in small.values()}, 0)
    for name, (kind, shape) in small.items():  # many small arrays lie in one, by kind
        end = start[kind] + int(np.prod(shape))
        arrays[name] = arrays[f"flat/{kind}"][start[kind] : end].reshape(shape)
        start[kind] = end
    return Recorded(options, shapes, arrays)


def write_reference_files(folder: Path, record: Recorded, epoch: str = "latest") -> Path:
    """The files a user of the published code has on disk: {epoch}_net_{G,E,D}.pth; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for network in record.shapes:
        torch.save(as_saved(record.published_weights(network)), folder / f"{epoch}_net_{network}.pth")
    return folder


def write_options(folder: Path, record: Recorded, kind: str = "txt") -> None:
    """The text file of options that the published code leaves beside its weights, or the same as JSON."""
    if kind == "json":
        text = json.dumps({"opt": record.options})
    else:
        lines = [f"{name:>25}: {value!s:<30}\t[default: something]" for name, value in record.options.items()]
        text = "\n".join(
            ["----------------- Options ---------------", *lines, "----------------- End -------------------"]
        )
    (folder / f"opt.{kind}").write_text(text)


def as_saved(weights: dict[str, torch.Tensor]) -> OrderedDict[str, torch.Tensor]:
    """A state dict as a module gives it: ordered, with the versions of its modules beside it."""
    state = OrderedDict(weights)
    versions = OrderedDict()
    for key in weights:
        parts = key.split(".")[:-1]
        for depth in range(len(parts) + 1):
            versions.setdefault(".".join(parts[:depth]), {"version": 1})
        if key.endswith(".weight_orig"):
            versions[".".join(parts)]["spectral_norm"] = {"weight.version": 1}
        if key.endswith(".running_mean"):
            versions[".".join(parts)]["version"] = 2
    state._metadata = versions  # type: ignore[attr-defined]
    return state


def our_name(key: str) -> str:
    """A key of the published state dict under the name that torch's present spectral norm gives it."""
    for theirs, ours in (
        (".weight_orig", ".parametrizations.weight.original"),
        (".weight_u", ".parametrizations.weight.0._u"),
        (".weight_v", ".parametrizations.weight.0._v"),
    ):
        if key.endswith(theirs):
            return key.removesuffix(theirs) + ours
    return key


def by_formula(name: str, shape: list[int]) -> torch.Tensor:
    """The parameter values of the recordings: a hash of index and name, scaled by the fan-in."""
    index = np.arange(int(np.prod(shape)), dtype=np.uint64)
    h = (index * 0x9E3779B1 + zlib.crc32(name.encode())) & 0xFFFFFFFF
    h ^= h >> np.uint64(16)
    h = h * 0x85EBCA6B & 0xFFFFFFFF
    h ^= h >> np.uint64(13)
    h = h * 0xC2B2AE35 & 0xFFFFFFFF
    h ^= h >> np.uint64(16)
    unit = (2 * (h >> np.uint64(8)).astype(np.float64) / 2**24 - 1).astype(np.float32)
    scale = 0.1 if len(shape) == 1 else np.sqrt(3 / np.prod(shape[1:]))
    return torch.from_numpy((unit * np.float32(scale)).reshape(shape))
