# SPDX-License-Identifier: Apache-2.0
"""Our pix2pixHD computes what the published one does, as in test_published_networks.py."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spade_core.model.baselines.pix2pixhd import Pix2PixHD, Pix2PixHDConfig
from spade_core.model.semantic_input import one_hot
from tests.support.published import by_formula, our_name, recorded

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def record():
    return recorded("pix2pixhd")


@pytest.fixture
def network(record) -> Pix2PixHD:
    options = record.options
    config = Pix2PixHDConfig(
        options["label_nc"], base_width=options["ngf"], downsamplings=options["resnet_n_downsample"],
        blocks=options["resnet_n_blocks"], block_kernel=options["resnet_kernel_size"],
        first_kernel=options["resnet_initial_kernel_size"],
    )  # fmt: skip
    network = Pix2PixHD(config)
    network.load_state_dict(record.weights("G"))
    return network.double().eval()


@pytest.mark.parametrize("precision", [torch.float64, torch.float32], ids=["double", "single"])
@torch.no_grad()
def test_it_paints_what_the_published_one_paints(record, network, precision):
    painted = network.to(precision)(record.tensor("out/semantics_u8").to(precision))
    assert (painted - record.tensor("out/G_eval")).abs().max() < TOLERANCE


@torch.no_grad()
def test_in_training_it_paints_what_the_published_one_paints(record, network):
    labels = record.tensor("out/semantics_u8").double()
    # One power iteration further than the recorded vectors.
    assert (network.train()(labels) - record.tensor("train/G_out")).abs().max() < TOLERANCE


def numbered(config: Pix2PixHDConfig) -> list[tuple[str, str]]:
    """(what, published name) of every convolution, in order, by the published numbering of one long sequence."""
    downs, blocks = config.downsamplings, config.blocks
    first_block, first_up = 3 + 2 * downs, 3 + 2 * downs + blocks
    return [
        ("first", "model.1.0"),
        *[("down", f"model.{3 + 2 * index}.0") for index in range(downs)],
        *[("block", f"model.{first_block + index}.conv_block") for index in range(blocks)],
        *[("up", f"model.{first_up + 2 * index}.0") for index in range(downs)],
        ("last", f"model.{first_up + 2 * downs + 1}"),
    ]


class ByHand:
    """The network written down once more from its description, on a published state dict."""

    def __init__(self, config: Pix2PixHDConfig, state: dict[str, Tensor]) -> None:
        self.config, self.state = config, state

    def weight(self, name: str, first: int = 0) -> Tensor:
        if name + ".weight_orig" not in self.state:
            return self.state[name + ".weight"]
        weight = self.state[name + ".weight_orig"]
        matrix = weight.transpose(0, first).flatten(1)
        return weight / (self.state[name + ".weight_u"] @ matrix @ self.state[name + ".weight_v"])

    def norm(self, x: Tensor, name: str) -> Tensor:
        if self.config.norm == "instance":
            spread, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
            return (x - mean) / (spread + 1e-5).sqrt()
        scale, shift, mean, spread = (
            self.state[f"{name}.{part}"][:, None, None]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / (spread + 1e-5).sqrt() * scale + shift

    def conv(self, x: Tensor, name: str, reflect: int = 0, **how: int) -> Tensor:
        x = F.pad(x, [reflect] * 4, "reflect")
        return self.norm(F.conv2d(x, self.weight(name + ".0"), **how), name + ".1")

    def __call__(self, x: Tensor) -> Tensor:
        for what, name in numbered(self.config):
            parent = name.removesuffix(".0")
            if what == "first":
                x = self.conv(x, parent, self.config.first_kernel // 2).relu()
            elif what == "down":
                x = self.conv(x, parent, stride=2, padding=1).relu()
            elif what == "block":
                reflect = self.config.block_kernel // 2
                x = x + self.conv(self.conv(x, name + ".1", reflect).relu(), name + ".4", reflect)
            elif what == "up":
                up = F.conv_transpose2d(x, self.weight(name, first=1), stride=2, padding=1, output_padding=1)
                x = self.norm(up, parent + ".1").relu()
            else:
                x = F.conv2d(F.pad(x, [3] * 4, "reflect"), self.weight(name), self.state[name + ".bias"])
        return x.tanh()


def published_state(network: Pix2PixHD) -> dict[str, Tensor]:
    """Values by the recordings' formula for every published name of this network, running statistics included."""
    theirs = {
        our_name(f"x{part}").removeprefix("x"): part for part in (".weight_orig", ".weight_u", ".weight_v")
    }
    state = {}
    for key, value in network.state_dict().items():
        for ours, part in theirs.items():
            key = key.replace(ours, part)
        if key.endswith("num_batches_tracked"):
            state[key] = value
            continue
        state[key] = by_formula("G." + key, list(value.shape)).double()
        if key.endswith("running_var"):
            state[key] = state[key].abs() + 0.5
    return state


VARIANTS = {
    "as published": Pix2PixHDConfig(5, base_width=2, blocks=3),
    "instance edges": Pix2PixHDConfig(5, True, base_width=2, blocks=2),
    "one downsampling": Pix2PixHDConfig(5, base_width=6, downsamplings=1, blocks=1),
    "three downsamplings": Pix2PixHDConfig(5, base_width=4, downsamplings=3, blocks=9),
    "kernels 5 and 3": Pix2PixHDConfig(5, base_width=4, downsamplings=2, blocks=2, first_kernel=5, block_kernel=3),
    "kernels 3 and 5": Pix2PixHDConfig(5, base_width=4, downsamplings=2, blocks=2, first_kernel=3, block_kernel=5),
    "batch norm": Pix2PixHDConfig(5, base_width=4, downsamplings=2, blocks=2, norm="batch"),
    "sync batch norm": Pix2PixHDConfig(5, True, base_width=4, downsamplings=2, blocks=2, norm="syncbatch"),
    "no spectral norm": Pix2PixHDConfig(5, base_width=4, downsamplings=2, blocks=2, spectral=False),
}  # fmt: skip


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS.keys())
@torch.no_grad()
def test_every_variant_computes_its_description_under_the_published_names(config):
    torch.manual_seed(0)
    network = Pix2PixHD(config).double().eval()
    state = published_state(network)
    network.load_state_dict({our_name(key): value for key, value in state.items()})
    label_map, instances = torch.randint(0, 5, (2, 2, 32, 64))
    labels = one_hot(label_map, 5, instances if config.instance_edges else None).double()
    painted = network(labels)
    assert painted.shape == (2, 3, 32, 64)
    assert (painted - ByHand(config, state)(labels)).abs().max() < 1e-9


def test_only_the_last_convolution_has_a_bias_and_instance_norms_have_nothing_to_learn():
    network = Pix2PixHD(VARIANTS["as published"])
    assert [name for name, _ in network.named_parameters() if name.endswith("bias")] == ["model.23.bias"]
    with_batch_norm = Pix2PixHD(replace(network.config, norm="batch"))
    assert "model.1.1.running_mean" in with_batch_norm.state_dict()
