# SPDX-License-Identifier: Apache-2.0
"""One step of our trainer is one step of the published one: picture, losses, gradients.

The recordings leave the weights alone between the generator's and the discriminator's half, so rates are zero here.
In double precision: what differs is then the recordings' rounding, which batch norms of two small pictures enlarge.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spade_core.model.baselines.pix2pixhd import Pix2PixHDConfig
from spade_core.model.build import AnyGeneratorConfig
from spade_core.model.discriminators.patchgan import MultiscaleConfig
from spade_core.model.style_encoder import StyleEncoderConfig
from spade_core.training.batch import Batch
from spade_core.training.config import TrainingConfig
from spade_core.training.presets import PAPER
from spade_core.training.trainer import Trainer
from tests.support.published import ALL_VARIANTS, FOLDER, Recorded, recorded

TOLERANCE = 1e-4
OUR_LOSSES = {
    "GAN": "g_gan", "GAN_Feat": "g_features", "KLD": "kl", "D_Fake": "d_gan_fakes", "D_real": "d_gan_photos"
}  # fmt: skip


def generator_config(record: Recorded) -> AnyGeneratorConfig:
    options = record.options
    if options["netG"] == "pix2pixhd":
        return Pix2PixHDConfig(
            options["label_nc"], base_width=options["ngf"], downsamplings=options["resnet_n_downsample"],
            blocks=options["resnet_n_blocks"],
        )  # fmt: skip
    config = record.generator_config()
    return config if options["use_vae"] else replace(config, start_grid=None)


def trainer_of(record: Recorded) -> Trainer:
    options = record.options
    recipe = replace(
        PAPER,
        generator=generator_config(record),
        encoder=StyleEncoderConfig(base_width=options["ngf"], antialias=False)
        if options["use_vae"]
        else None,
        discriminator=MultiscaleConfig(options["num_D"], options["n_layers_D"], options["ndf"]),
        crops=replace(PAPER.crops, size=64, batch=2),
        losses=replace(PAPER.losses, gan_mode=options["gan_mode"], perceptual_start=0.0, perceptual_end=0.0),
        optimizer=replace(PAPER.optimizer, generator_lr=0.0, discriminator_lr=0.0),
    )
    config = TrainingConfig(Path("data"), Path("run"), recipe=recipe, device="cpu", bf16=False)
    label_channels = options["label_nc"] + options["contain_dontcare_label"]
    trainer = Trainer(config, label_channels, None, torch.device("cpu"))
    for name, network in networks(trainer).items():
        network.load_state_dict(record.weights(name))
        network.double()
    averaged = trainer.networks.ema
    averaged.generator.double()
    if averaged.encoder is not None:
        averaged.encoder.double()
    return trainer


def networks(trainer: Trainer) -> dict[str, nn.Module]:
    found = {
        "G": trainer.networks.generator,
        "D": trainer.networks.discriminator,
        "E": trainer.networks.encoder,
    }
    return {name: network for name, network in found.items() if network is not None}


def step(record: Recorded, trainer: Trainer) -> tuple[list[Tensor], dict[str, float]]:
    """The pictures that the generator paints in a step, in order, and the losses under their published names."""
    painted: list[Tensor] = []
    trainer.networks.generator.register_forward_hook(lambda *call: painted.append(call[-1].detach()))
    labels, instances = (record.tensor(name)[:, 0].long() for name in ("in/label", "in/inst"))
    losses = trainer.train_step(Batch(record.photos("in/image_u8").double(), labels, instances))
    return painted, {name: losses[ours] for name, ours in OUR_LOSSES.items() if ours in losses}


def summary(gradient: Tensor) -> Tensor:
    """What the recordings keep of a gradient: norm, sum, and the first six entries."""
    flat = gradient.flatten()
    return torch.cat([flat.norm()[None], flat.sum()[None], flat[:6]])


def compare_gradients(record: Recorded, trainer: Trainer, network: str) -> None:
    parameters = dict(networks(trainer)[network].named_parameters())
    wanted = record.gradients(network)
    assert wanted
    for name, value in wanted.items():
        gradient = parameters[name].grad
        assert gradient is not None
        # Relative to the norm, which comes first; a bias in front of a norm has no gradient but rounding.
        room = torch.full_like(value, TOLERANCE * max(float(value[0]), 0.1))
        room[1] = (
            room[1] * 10 + TOLERANCE * value[1].abs()
        )  # a sum of 150,000 numbers, rounded as they were added
        assert bool(((summary(gradient) - value).abs() < room).all()), name


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("variant", [name for name in ALL_VARIANTS if name != "vae_inst"])
def test_a_step_has_the_published_picture_losses_and_gradients(variant: str):
    record = recorded(variant)
    trainer = trainer_of(record)
    painted, losses = step(record, trainer)
    assert len(painted) == 2  # once more, after the generator's step, for the discriminator
    if "train/G_out" in record.arrays:  # the least-squares recording has losses alone
        assert float((painted[0] - record.tensor("train/G_out")).abs().max()) < TOLERANCE
        compare_gradients(record, trainer, "G")
        compare_gradients(record, trainer, "D")
    wanted = record.losses("train")
    assert losses.keys() == wanted.keys()
    for name, value in wanted.items():
        assert losses[name] == pytest.approx(value, abs=TOLERANCE), name


def test_a_step_with_a_style_encoder_is_the_published_one(monkeypatch: pytest.MonkeyPatch):
    """The recording lacks the draw behind its style codes. The codes in vae_inst_style.npy were solved for from the
    recorded picture; losses and gradients had no part in that. The discriminator's half drew others: left out."""
    style = torch.from_numpy(np.load(FOLDER / "vae_inst_style.npy"))

    def drawn(mean: Tensor, log_variance: Tensor, ignored: Tensor) -> Tensor:
        spread = torch.exp(0.5 * log_variance)
        noise = ((style - mean) / spread).detach()
        assert abs(float(noise.mean())) < 0.15 and abs(float(noise.std()) - 1) < 0.1  # a normal draw it was
        return mean + spread * noise

    monkeypatch.setattr("spade_core.training.styles.style_at", drawn)
    record = recorded("vae_inst")
    trainer = trainer_of(record)
    painted, losses = step(record, trainer)
    assert float((painted[0] - record.tensor("train/G_out")).abs().max()) < TOLERANCE
    wanted = record.losses("train")
    for name in ("GAN", "GAN_Feat", "KLD", "D_real"):
        assert losses[name] == pytest.approx(wanted[name], abs=TOLERANCE), name
    compare_gradients(record, trainer, "G")
    compare_gradients(record, trainer, "E")


def test_torchs_own_order_of_power_iterations_would_be_noticed(monkeypatch: pytest.MonkeyPatch):
    from torch.nn.utils.parametrizations import _SpectralNorm

    monkeypatch.setattr("spade_core.model.norms._PublishedOrder._power_method", _SpectralNorm._power_method)
    record = recorded("normal_syncbatch3x3")
    painted, _ = step(record, trainer_of(record))
    assert float((painted[0] - record.tensor("train/G_out")).abs().max()) > 100 * TOLERANCE
