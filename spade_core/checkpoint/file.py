# SPDX-License-Identifier: Apache-2.0
"""A checkpoint is one safetensors file: weights, and as JSON metadata all that is needed to use them.

Metadata keys: format, generator (config), style_encoder (config or null), label_set (TOML), label_set_digest,
channels (which channel an id lights, or null), native_size, provenance (free JSON: data, terms, steps, hardware...).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..contract.errors import BadCheckpointError, SpadeError
from ..contract.labels import LabelSet, parse_label_set
from ..files import as_readable_as_others, replacing
from ..model.build import AnyGeneratorConfig, build_generator, config_from_json, config_to_json
from ..model.interface import ImageGenerator
from ..model.label_channels import LabelChannels
from ..model.style_encoder import StyleEncoder, StyleEncoderConfig
from .style_bank import StyleBank, bank_from, bank_tensors

FORMAT = "spade-backdrops 1"

GENERATOR, ENCODER, DISCRIMINATOR, STYLES = "generator.", "style_encoder.", "discriminator.", "styles."

Network = TypeVar("Network", bound=torch.nn.Module)


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds. Weights are keyed as in the networks' state dicts."""

    generator: AnyGeneratorConfig
    generator_weights: dict[str, Tensor]
    label_set: LabelSet
    native_size: int
    """Side in pixels of the pictures that show it at its best; other sizes work."""
    trained_size: tuple[int, int] | None = None
    """(height, width) of what it was trained on last; None: of photos as they were."""
    style_encoder: StyleEncoderConfig | None = None
    encoder_weights: dict[str, Tensor] = field(default_factory=dict)
    discriminator_weights: dict[str, Tensor] = field(default_factory=dict)
    """Of an imported model, for who trains on or exports; painting does not need it."""
    styles: StyleBank | None = None
    """What seeds draw from; None: the standard normal."""
    channels: LabelChannels | None = None
    """Where an imported model has channels of its own; None: those of LabelChannels.of(label_set)."""
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def label_channels(self) -> LabelChannels:
        """Which channel of the generator's input each id lights."""
        return self.channels or LabelChannels.of(self.label_set)

    def build_generator(self) -> ImageGenerator:
        """The generator in eval mode, float32, with these weights. Raises BadCheckpointError where they do not fit."""
        return _filled(build_generator(self.generator), self.generator_weights)

    def build_style_encoder(self) -> StyleEncoder | None:
        """The style encoder in eval mode, or None for a model without one."""
        return (
            None
            if self.style_encoder is None
            else _filled(StyleEncoder(self.style_encoder), self.encoder_weights)
        )


def save_checkpoint(path: Path, checkpoint: Checkpoint, dtype: torch.dtype | None = torch.float16) -> None:
    """Write the file in one piece: an existing one is replaced only when the new one is complete.

    dtype: what floating point weights are stored as; None: as they are. Raises CannotWriteError.
    """
    networks = (
        (GENERATOR, checkpoint.generator_weights),
        (ENCODER, checkpoint.encoder_weights),
        (DISCRIMINATOR, checkpoint.discriminator_weights),
        (STYLES, dict(bank_tensors(checkpoint.styles)) if checkpoint.styles else {}),
    )
    tensors = {
        prefix + name: value.detach()
        .cpu()
        .to(dtype if dtype is not None and value.is_floating_point() else value.dtype)
        .contiguous()
        for prefix, weights in networks
        for name, value in weights.items()
    }
    metadata = {
        "format": FORMAT,
        "generator": json.dumps(config_to_json(checkpoint.generator)),
        "style_encoder": json.dumps(
            checkpoint.style_encoder and dataclasses.asdict(checkpoint.style_encoder)
        ),
        "label_set": checkpoint.label_set.to_toml(),
        "label_set_digest": checkpoint.label_set.digest,
        "channels": json.dumps(checkpoint.channels and dataclasses.asdict(checkpoint.channels)),
        "native_size": str(checkpoint.native_size),
        "trained_size": json.dumps(checkpoint.trained_size),
        "styles": json.dumps([style.name for style in checkpoint.styles.named] if checkpoint.styles else []),
        "provenance": json.dumps(checkpoint.provenance, ensure_ascii=False),
    }
    with replacing(path) as part:
        save_file(tensors, part, metadata)
        as_readable_as_others(part)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a file. Raises BadCheckpointError where it is missing, truncated, a pickle or of another kind."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise BadCheckpointError(
                    f"{path.name} is a safetensors file, but not a Spade Backdrops checkpoint.",
                    fix="Choose a checkpoint written by this program's training or import.",
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except FileNotFoundError:
        raise BadCheckpointError(f"There is no checkpoint at {path}.", fix="Check the path.") from None
    except (SafetensorError, OSError) as error:
        raise BadCheckpointError(f"{path.name} cannot be read: {_kind(path, error)}.", fix=_FIX) from None
    return _parsed(path, metadata, tensors)


def file_digest(path: Path) -> str:
    """sha256 of the file: what tells two models apart on the wire and in caches."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_FIX = "Copy or download the file again; a reference .pth has to be imported first."


def _kind(path: Path, error: Exception) -> str:
    """One clause on what the unreadable file looks like."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as cause:
        return cause.strerror or "it cannot be opened"
    # A safetensors file begins with the length of its header, whose bytes may be any, and then the header, JSON.
    if head[8:] != b"{" and (head[:2] == b"PK" or head[:1] == b"\x80"):
        return "it is a pickled PyTorch file, which is never opened here"
    if "incomplete" in str(error).lower() or "buffer" in str(error).lower():
        return "it is truncated"
    return "it is not a safetensors file, or it is damaged"


def _parsed(path: Path, metadata: dict[str, str], tensors: dict[str, Tensor]) -> Checkpoint:
    try:
        encoder = json.loads(metadata["style_encoder"])
        channels = json.loads(metadata.get("channels", "null"))
        generator = config_from_json(json.loads(metadata["generator"]))
        provenance = json.loads(metadata["provenance"])
        if "trained_size" in metadata:
            trained = json.loads(metadata["trained_size"])
        else:
            trained = _trained_size_of_older(generator, provenance)
        return Checkpoint(
            generator=generator,
            generator_weights=_part(tensors, GENERATOR),
            label_set=parse_label_set(metadata["label_set"]),
            native_size=int(metadata["native_size"]),
            trained_size=trained and (int(trained[0]), int(trained[1])),
            style_encoder=None if encoder is None else StyleEncoderConfig(**encoder),
            encoder_weights=_part(tensors, ENCODER),
            discriminator_weights=_part(tensors, DISCRIMINATOR),
            styles=bank_from(_part(tensors, STYLES), json.loads(metadata.get("styles", "[]"))),
            channels=channels and LabelChannels(channels["count"], tuple(map(tuple, channels["of_ids"]))),
            provenance=provenance,
        )
    except (KeyError, ValueError, TypeError, AttributeError, SpadeError):
        raise BadCheckpointError(
            f"{path.name} was written by another version of this program, or its description is damaged.",
            fix="Update this program, or train or download the model again.",
        ) from None


def _trained_size_of_older(
    generator: AnyGeneratorConfig, provenance: dict[str, Any]
) -> tuple[int, int] | None:
    """From files that do not say: the crops of their training, or the one size that they paint."""
    recipe = provenance.get("config", {}).get("recipe", {})
    crops = recipe.get("crops", recipe.get("squares", {}))
    mode = crops.get("mode")
    if mode == "fixed":
        return round(crops["size"] / crops["aspect"]), crops["size"]
    if mode == "any_scale" or str(mode).endswith("crop"):
        return crops["size"], crops["size"]
    with torch.device("meta"):
        return build_generator(generator).fixed_size


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _filled(network: Network, weights: dict[str, Tensor]) -> Network:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2]
        raise BadCheckpointError(
            f"The weights do not fit the network that the file describes ({''.join(first).strip()}).",
            fix=_FIX,
        ) from None
    return network.eval().requires_grad_(False)
