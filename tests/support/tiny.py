# SPDX-License-Identifier: Apache-2.0
"""A real model, only small and untrained: of the same architecture as the embedded one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from spade_core.checkpoint.file import Checkpoint, save_checkpoint
from spade_core.contract.labels import load_label_set
from spade_core.model.label_channels import LabelChannels
from spade_core.model.spade import Generator, GeneratorConfig
from spade_core.model.style_encoder import StyleEncoder, StyleEncoderConfig


def tiny_checkpoint(label_set: str = "landscape") -> Checkpoint:
    torch.manual_seed(3)
    labels = load_label_set(label_set)
    config = GeneratorConfig(
        LabelChannels.of(labels).count, base_width=4, max_width=16, norm="batch", spectral=False, spade_hidden=8,
        start="labels+style", style_size=6, share_hidden=True, pointwise_from_step=3, style_in_blocks=True,
        noise=True, smooth_upsampling=True,
    )  # fmt: skip
    generator = Generator(config)
    for block in (block for _, block in generator.blocks()):
        torch.nn.init.constant_(block.noise_strength, 0.3)
    encoder_config = StyleEncoderConfig(6, base_width=4, input_size=32, instance_norm=False, spectral=False)
    return Checkpoint(
        config, generator.state_dict(), labels, native_size=64, style_encoder=encoder_config,
        encoder_weights=StyleEncoder(encoder_config).state_dict(), provenance={"images_seen": 0},
    )  # fmt: skip


def with_instance_edges(checkpoint: Checkpoint) -> Checkpoint:
    """The same network, one that looks at the borders between objects too."""
    torch.manual_seed(4)
    assert isinstance(checkpoint.generator, GeneratorConfig)
    config = replace(checkpoint.generator, instance_edges=True)
    return replace(checkpoint, generator=config, generator_weights=Generator(config).state_dict())


def seeing_objects(folder: Path) -> Path:
    """A network for Cityscapes that sees where objects end, without styles."""
    config = GeneratorConfig(
        LabelChannels.of(load_label_set("cityscapes")).count, base_width=2, max_width=8, spade_hidden=4,
        instance_edges=True,
    )  # fmt: skip
    made = replace(
        tiny_checkpoint("cityscapes"), generator=config, generator_weights=Generator(config).state_dict(),
        style_encoder=None, encoder_weights={},
    )  # fmt: skip
    path = folder / "edges.safetensors"
    save_checkpoint(path, made)
    return path


def tiny_model(folder: Path, label_set: str = "landscape") -> Path:
    path = folder / "tiny.safetensors"
    save_checkpoint(path, tiny_checkpoint(label_set))
    return path
