# SPDX-License-Identifier: Apache-2.0
"""An upscaler's file: safetensors with its weights and, as JSON metadata, which network they are and where from.

Metadata keys: format, network (kind and configuration), provenance (free JSON).
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..contract.errors import BadCheckpointError
from ..files import as_readable_as_others, replacing
from .compact import CompactConfig, CompactNet
from .rrdbnet import RrdbNet, RrdbNetConfig

FORMAT = "spade-backdrops upscaler 1"
NETWORKS = {CompactConfig.kind: (CompactConfig, CompactNet), RrdbNetConfig.kind: (RrdbNetConfig, RrdbNet)}
UpscalingNetwork = CompactNet | RrdbNet


def save_network(path: Path, network: UpscalingNetwork, provenance: dict[str, Any]) -> None:
    """Write the file in one piece: convolutions in float16, biases and slopes in float32. Raises CannotWriteError."""
    weights = {
        name: value.detach().cpu().to(torch.float16 if value.ndim == 4 else torch.float32).contiguous()
        for name, value in network.state_dict().items()
    }
    description = {"kind": network.config.kind, **dataclasses.asdict(network.config)}
    metadata = {
        "format": FORMAT,
        "network": json.dumps(description),
        "provenance": json.dumps(provenance, ensure_ascii=False),
    }
    with replacing(path) as part:
        save_file(weights, part, metadata)
        as_readable_as_others(part)


def load_network(path: Path) -> UpscalingNetwork:
    """The network of a file, float32, in eval mode. Raises BadCheckpointError where the file is not an upscaler's."""
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name).float() for name in file.keys()}
            description = json.loads((file.metadata() or {})["network"])
        config, network_class = NETWORKS[description.pop("kind")]
        network = network_class(config(**description))
        network.load_state_dict(weights)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError):
        raise _damaged(path) from None
    return network.eval().requires_grad_(False)


def is_own(path: Path) -> bool:
    """Whether the file says that it is an upscaler of this program.

    Raises BadCheckpointError where it cannot be read.
    """
    if not path.exists():
        raise BadCheckpointError(f"There is no upscaler at {path}.", "Check the path.")
    if path.suffix.lower() != ".safetensors":
        return False
    try:
        with safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (SafetensorError, OSError):
        raise _damaged(path) from None


def _damaged(path: Path) -> BadCheckpointError:
    return BadCheckpointError(
        f"{path.name} is damaged.", "Copy or download it again, or choose another upscaler."
    )
