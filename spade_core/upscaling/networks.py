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

from ..contract.errors import BadCheckpoint
from ..files import replacing
from .compact import CompactConfig, CompactNet
from .rrdbnet import RrdbNet, RrdbNetConfig

FORMAT = "spade-backdrops upscaler 1"
SCALE = 4
"""What every network here multiplies both sides by."""
NETWORKS = {CompactConfig.kind: (CompactConfig, CompactNet), RrdbNetConfig.kind: (RrdbNetConfig, RrdbNet)}
UpscalingNetwork = CompactNet | RrdbNet


def save_network(path: Path, network: UpscalingNetwork, provenance: dict[str, Any]) -> None:
    """Write the file in one piece: convolutions in float16, biases and slopes in float32. Raises CannotWrite."""
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


def load_network(path: Path) -> UpscalingNetwork:
    """The network of a file, float32, in eval mode. Raises BadCheckpoint where the file is not an upscaler's."""
    fix = "Choose another upscaler, or install this program again."
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name).float() for name in file.keys()}
        if metadata.get("format") != FORMAT:
            raise BadCheckpoint(
                f"{path.name} is a safetensors file, but not an upscaler of this program.", fix
            )
        description = json.loads(metadata["network"])
        config, network = NETWORKS[description.pop("kind")]
        return filled(network(config(**description)), weights)
    except FileNotFoundError:
        raise BadCheckpoint(f"There is no upscaler at {path}.", "Check the path.") from None
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError):
        raise BadCheckpoint(f"{path.name} is damaged, or not an upscaler of this program.", fix) from None


def filled(network: UpscalingNetwork, weights: dict[str, torch.Tensor]) -> UpscalingNetwork:
    """The network in eval mode with these weights. Raises RuntimeError where they do not fit it."""
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
