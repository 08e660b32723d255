# SPDX-License-Identifier: Apache-2.0
"""Upscalers of other programs: spandrel (MIT) tells dozens of architectures apart by their weights alone.

A .pth is a pickle: it is read once, as weights and nothing else, and kept as safetensors in the user's cache folder.
"""

from __future__ import annotations

import importlib
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..checkpoint.file import file_digest
from ..contract.errors import BadCheckpointError
from ..files import as_readable_as_others, cache_folder, replacing
from .tiling import LayerRunner, whole

PICKLES = (".pth", ".pt", ".ckpt")
REACH = 32
"""Pixels that a tile reads of its neighbours. How far such a network sees is not known: seams are faint, but may be."""
FIX = "Use a .safetensors or .pth file of an upscaler that spandrel knows (openmodeldb.info)."


class SpandrelNetwork(nn.Module):
    """A network of another program behind the interface of ours."""

    stages = 1

    def __init__(self, descriptor: Any) -> None:
        """descriptor: spandrel's ImageModelDescriptor; it pads what a network wants padded."""
        super().__init__()
        self.scale: int = descriptor.scale
        self.knows_bfloat16: bool = descriptor.supports_bfloat16
        self.network = descriptor.model
        self._descriptor = descriptor

    def forward(self, x: Tensor, run: LayerRunner = whole) -> Tensor:
        """x: (B, 3, H, W) float32 in [0, 1]; returns (B, 3, scale H, scale W) float32, in [0, 1]."""
        dtype = next(self.network.parameters()).dtype
        return run(lambda tile: self._descriptor(tile.to(dtype)).float(), x, REACH, self.scale)


def load_with_spandrel(path: Path) -> SpandrelNetwork:
    """Any upscaler of colour pictures, in eval mode. Raises BadCheckpointError, CannotWriteError."""
    try:
        spandrel = importlib.import_module("spandrel")  # by name: type checkers need not have it
    except (ImportError, RuntimeError):  # torchvision of another torch breaks with the latter
        raise BadCheckpointError(
            f"{path.name} is not an upscaler of this program, and what reads those of others is not installed.",
            "LayerRunner: pip install 'spade-backdrops[upscale-files]'",
        ) from None
    weights = as_safetensors(path) if path.suffix.lower() in PICKLES else path
    try:
        found = spandrel.ModelLoader().load_from_file(weights)
    except Exception as problem:  # whatever an unknown architecture makes of its weights
        raise BadCheckpointError(
            f"{path.name} is no upscaler that is known here: {_first_line(problem)}", FIX
        ) from None
    if not isinstance(found, spandrel.ImageModelDescriptor) or found.scale < 2:
        raise BadCheckpointError(f"{path.name} is a network that does not enlarge pictures.", FIX)
    if (found.input_channels, found.output_channels) != (3, 3):
        raise BadCheckpointError(f"{path.name} is an upscaler, but not of colour pictures.", FIX)
    return SpandrelNetwork(found).eval().requires_grad_(False)


def as_safetensors(path: Path) -> Path:
    """The weights of a pickle as a file in the cache, named after its digest; read the first time alone."""
    kept = cache_folder() / f"{path.stem}-{file_digest(path)[:16]}.safetensors"
    if not kept.exists():
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as problem:
            raise BadCheckpointError(
                f"{path.name} holds more than weights, or is damaged: {_first_line(problem)}", FIX
            ) from None
        weights = {name: value.clone().contiguous() for name, value in _weights_in(state).items()}
        with replacing(kept) as part:
            save_file(weights, part)
            as_readable_as_others(part)
    return kept


def _weights_in(state: Any) -> dict[str, Tensor]:
    """The tensors of a state dict, or of the first of those that trainings keep side by side."""
    for key in ("params_ema", "params", "state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            return _weights_in(state[key])
    return (
        {name: value for name, value in state.items() if isinstance(value, Tensor)}
        if isinstance(state, dict)
        else {}
    )


def _first_line(problem: Exception) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0]
