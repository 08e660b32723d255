# SPDX-License-Identifier: Apache-2.0
"""The recorded networks: their options, weights by formula, inputs and outputs."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from spade_core.model.config import UPSAMPLING_STEPS, GeneratorConfig

FOLDER = Path(__file__).parent / "golden"
VARIANTS = sorted(file.stem for file in FOLDER.glob("*.npz"))


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

    def weights(self, network: str) -> dict[str, torch.Tensor]:
        """The state dict of "G" or "E", under our names."""
        state = {}
        for key, shape in self.shapes[network].items():
            buffer = self.arrays.get(f"buf/{network}/{key}")
            value = by_formula(f"{network}.{key}", shape) if buffer is None else torch.from_numpy(buffer)
            state[our_name(key)] = value
        return state

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
    return Recorded(json.loads(str(arrays.pop("opt"))), json.loads(str(arrays.pop("state"))), arrays)


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
