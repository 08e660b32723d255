# SPDX-License-Identifier: Apache-2.0
"""A checkpoint of ours as files of the published code, which that code loads as its own."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from torch import Tensor

from ...contract.errors import BadCheckpointError
from ...files import write_text, write_torch
from ...model.baselines.pix2pixhd import Pix2PixHDConfig
from ...model.spade import GeneratorConfig
from ..file import Checkpoint
from .fit import check_fit
from .keys import as_saved, published_name
from .networks import empty_networks
from .options import as_text, published_options

PUBLISHED = {
    "label_channels", "instance_edges", "spectral", "style_size", "base_width", "max_width", "upsampling", "norm",
    "start", "start_grid", "spade_kernel", "spade_hidden",
}  # fmt: skip
"""What the published code has options for; all else of a GeneratorConfig is our own."""


def export_reference(checkpoint: Checkpoint, folder: Path, epoch: str = "latest") -> list[Path]:
    """Write {epoch}_net_{G,E,D}.pth, each in one piece, and return those there are; tensors stay as they are.

    An opt.txt beside them, where there is none, says under which options the published code loads them.
    checkpoint: imported, or as `trained.exportable` gives it.
    Raises BadCheckpointError for a network that the published code does not know, and CannotWriteError.
    """
    _refuse_unpublished(checkpoint)
    weights = {
        "G": checkpoint.generator_weights,
        "E": checkpoint.encoder_weights,
        "D": checkpoint.discriminator_weights,
    }
    networks = empty_networks(weights, checkpoint.generator, checkpoint.style_encoder)
    # In the network's order, which the checkpoint file does not keep.
    fitted = {key: check_fit(network, weights[key], "the checkpoint") for key, network in networks.items()}
    written = [_save(state, folder / f"{epoch}_net_{key}.pth") for key, state in fitted.items()]
    if not (folder / "opt.txt").exists():
        write_text(folder / "opt.txt", as_text(published_options(checkpoint)))
    return written


def _refuse_unpublished(checkpoint: Checkpoint) -> None:
    config = checkpoint.generator
    if isinstance(config, GeneratorConfig):
        unknown = _additions(config)
    elif isinstance(config, Pix2PixHDConfig):
        unknown = [] if config.labels_at == "input" else ["labels inside pix2pixHD"]
    else:
        unknown = [f"a generator of the kind '{config.kind}'"]
    encoder = checkpoint.style_encoder
    if encoder is not None and not (
        encoder.instance_norm
        and encoder.input_size == 256
        and encoder.style_size == 256
        and not encoder.antialias
    ):
        unknown.append("a style encoder like this one")
    if unknown:
        raise BadCheckpointError(
            f"The published code does not know {', nor '.join(unknown)}.",
            "Only models with the published network can be exported for it; `spade checkpoint export-onnx` takes any.",
        )


def _additions(config: GeneratorConfig) -> list[str]:
    """What of it is not the published network's, in words."""
    ours = [
        field.name.replace("_", " ")
        for field in dataclasses.fields(config)
        if field.name not in PUBLISHED and getattr(config, field.name) != field.default
    ]
    if config.start == "labels+style":
        ours.append("a start from labels and style at once")
    if config.norm == "pixel":
        ours.append("pixel norm")
    if config.label_sampling != "nearest":
        ours.append("labels by area")
    if config.max_width < 16 * config.base_width:
        ours.append("a largest width")
    return ours


def _save(weights: dict[str, Tensor], path: Path) -> Path:
    write_torch(path, as_saved({published_name(key): value for key, value in weights.items()}))
    return path
