# SPDX-License-Identifier: Apache-2.0
"""Networks that were trained here as the published code keeps its own: spectral norms apart, in float32."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ...contract.errors import BadCheckpointError
from ...model.baselines.pix2pixhd import Pix2PixHDConfig
from ...model.build import build_generator
from ...model.style_encoder import StyleEncoder
from ..file import Checkpoint, load_checkpoint
from ..folding import settle_spectral_norms, unfolded
from ..names import model_path, photos_seen


def exportable(path: Path) -> Checkpoint:
    """A model's generator and style encoder, or a training state's with the discriminator, to be exported.

    An imported model stays as it is. Raises BadCheckpointError.
    """
    if path.suffix == ".pt":
        return _of_state(path)
    held = load_checkpoint(path)
    return held if "imported" in held.provenance else _with_spectral_norms(held)


def _with_spectral_norms(held: Checkpoint) -> Checkpoint:
    """Folded weights become those to be divided, with vectors by which the divisor is 1."""
    generator, encoder = held.generator, held.style_encoder
    trained = held.provenance.get("config", {}).get("recipe", {})
    # The published code has no pix2pixHD without them; its instance norms undo whatever they divide by.
    if trained.get("generator", {}).get("spectral", True) or isinstance(generator, Pix2PixHDConfig):
        generator = dataclasses.replace(generator, spectral=True)
    if encoder is not None and (trained.get("encoder") or {}).get("spectral", True):
        encoder = dataclasses.replace(encoder, spectral=True)
    return dataclasses.replace(
        held,
        generator=generator,
        generator_weights=_divided_by_one(build_generator(generator), held.generator_weights),
        style_encoder=encoder,
        encoder_weights={}
        if encoder is None
        else _divided_by_one(StyleEncoder(encoder), held.encoder_weights),
    )


def _divided_by_one(network: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    whole = {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
    network.load_state_dict(unfolded(whole, network))
    settle_spectral_norms(network)
    for module in network.modules():
        if parametrize.is_parametrized(module, "weight"):
            norm: Any = module.parametrizations.weight[0]  # type: ignore[union-attr, index]
            original = module.parametrizations.weight.original  # type: ignore[union-attr]
            matrix = norm._reshape_weight_to_matrix(original).detach().double()
            # The published code divides by u W v, whatever their lengths.
            norm._v.div_(norm._u.double().dot(matrix @ norm._v.double()).float())
    return network.state_dict()


def _of_state(path: Path) -> Checkpoint:
    """With the model beside it, which says what the networks are."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        generator, discriminator = state["generator"], state["discriminator"]
    except FileNotFoundError:
        raise BadCheckpointError(f"There is no file {path}.", "Check the path.") from None
    except Exception:
        raise BadCheckpointError(
            f"{path.name} is no state of a training.", "Name state_*.pt of a run."
        ) from None
    model = model_path(path.parent, photos_seen(path))
    if not model.exists():
        raise BadCheckpointError(
            f"There is no {model.name} beside {path.name}, which says what its networks are.",
            "Name the newest state of the run's folder.",
        )
    held = load_checkpoint(model)
    averaged = held.provenance.get("config", {}).get("recipe", {}).get("optimizer", {}).get("ema_decay", 0.0)
    discriminators = {key: value.float() for key, value in discriminator.items() if value.is_floating_point()}
    spectral = any(key.endswith("._u") for key in generator)
    if averaged or not spectral:  # where weights are averaged, what is served is not what trains
        return dataclasses.replace(_with_spectral_norms(held), discriminator_weights=discriminators)
    encoder = held.style_encoder
    return dataclasses.replace(
        held,
        generator=dataclasses.replace(held.generator, spectral=spectral),
        generator_weights=generator,
        style_encoder=None if encoder is None else dataclasses.replace(encoder, spectral=True),
        encoder_weights={} if encoder is None else state["encoder"],
        discriminator_weights=discriminators,
    )
