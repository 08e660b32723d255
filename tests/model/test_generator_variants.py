# SPDX-License-Identifier: Apache-2.0
"""Every kind of generator keeps the promises of the interface, and its own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spade_core.checkpoint.file import Checkpoint, load_checkpoint, save_checkpoint
from spade_core.contract.errors import BadCheckpointError
from spade_core.contract.labels import load_label_set
from spade_core.model.baselines.crn import CrnConfig
from spade_core.model.baselines.local_enhancer import LocalEnhancer, LocalEnhancerConfig
from spade_core.model.baselines.pix2pixhd import Pix2PixHD, Pix2PixHDConfig
from spade_core.model.build import (
    AnyGeneratorConfig,
    build_generator,
    config_from_json,
    config_to_json,
)
from spade_core.model.clade import CladeConfig, CladeDecoder, CladeNorm
from spade_core.model.concat import ConcatConfig
from spade_core.model.interface import ImageGenerator
from spade_core.model.semantic_input import one_hot
from spade_core.model.spade import GeneratorConfig, SpadeNorm
from spade_core.synthesis.synthesizer import Synthesizer
from tests.support.tiny import tiny_checkpoint

CLASSES = 18
"""Label channels of the landscape set, with which these are served too."""
SMALL = {"base_width": 4, "max_width": 16}
KINDS: dict[str, AnyGeneratorConfig] = {
    "spade": GeneratorConfig(CLASSES, spade_hidden=8, **SMALL),
    "spade, 1x1": GeneratorConfig(CLASSES, spade_hidden=8, spade_kernel=1, norm="batch", **SMALL),
    "spade, 5x5": GeneratorConfig(CLASSES, spade_hidden=8, spade_kernel=5, norm="instance", **SMALL),
    "spade, most": GeneratorConfig(CLASSES, spade_hidden=8, upsampling="most", norm="batch", **SMALL),
    "clade": CladeConfig(CLASSES, **SMALL),
    "clade, our additions": CladeConfig(
        CLASSES, start="labels+style", style_size=3, noise=True, smooth_upsampling=True, norm="pixel", **SMALL
    ),
    "concat": ConcatConfig(CLASSES, **SMALL),
    "pix2pixhd": Pix2PixHDConfig(CLASSES, base_width=4, blocks=2),
    "pix2pixhd++": Pix2PixHDConfig(CLASSES, base_width=4, blocks=2, norm="syncbatch"),
    "pix2pixhd++ concat": Pix2PixHDConfig(CLASSES, base_width=4, blocks=2, norm="batch", labels_at="blocks"),
    "pix2pixhd++ spade": Pix2PixHDConfig(CLASSES, base_width=4, blocks=2, norm="syncbatch", labels_at="norms"),
    "pix2pixhd enhanced": LocalEnhancerConfig(CLASSES, base_width=8, downsamplings=3, blocks=2, local_blocks=1),
    "crn": CrnConfig(CLASSES, modules=5, max_width=8),
}  # fmt: skip
kinds = pytest.mark.parametrize("config", KINDS.values(), ids=KINDS.keys())


def with_edges(config: AnyGeneratorConfig) -> AnyGeneratorConfig:
    return dataclasses.replace(config, instance_edges=True)


def network(config: AnyGeneratorConfig) -> ImageGenerator:
    torch.manual_seed(0)
    return build_generator(config)


def settle_statistics(generator: ImageGenerator, labels: Tensor) -> None:
    """Eval mode, in which batch norms know what passes through them, as after training."""
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    generator(labels)
    generator.eval()


def random_labels(config: AnyGeneratorConfig, height: int, width: int) -> Tensor:
    """Blocks of 16 pixels."""
    random = torch.Generator().manual_seed(0)
    maps = torch.randint(0, CLASSES, (2, 2, height // 16, width // 16), generator=random)
    label_map, instances = maps.repeat_interleave(16, 2).repeat_interleave(16, 3)
    return one_hot(label_map, CLASSES, instances if config.instance_edges else None)


@kinds
@torch.no_grad()
def test_an_image_has_the_size_of_its_label_map_and_values_up_to_one(config):
    generator = network(with_edges(config)).eval()
    height, width = (max(2 * generator.multiple, generator.smallest_side, side) for side in (64, 96))
    image = generator(random_labels(generator.config, height, width))
    assert image.shape == (2, 3, height, width)
    assert image.abs().max() <= 1


@kinds
def test_every_weight_learns(config):
    generator = network(with_edges(config))
    side = max(64, generator.smallest_side)
    generator(random_labels(generator.config, side, side)).square().mean().backward()
    # Biases in front of a norm that takes them away learn nothing.
    still = [
        name for name, weight in generator.named_parameters() if weight.grad is None or not weight.grad.any()
    ]
    assert still == []


@kinds
@torch.no_grad()
def test_another_label_changes_the_picture_there(config):
    generator = network(config)
    side = max(64, generator.smallest_side)
    labels = random_labels(config, side, side)
    settle_statistics(generator, labels)
    changed = labels.clone()
    changed[:, :, 16:32, 16:32] = changed[:, :, 16:32, 16:32].roll(1, dims=1)
    style = torch.zeros(2, config.style_size)
    noise = generator.draw_noise(2, side, side)
    image = generator(labels, style, noise)
    inside = (image - generator(changed, style, noise))[:, :, 16:32, 16:32]
    assert inside.abs().mean() > 0.02 * image.std((2, 3)).mean()


@kinds
@torch.no_grad()
def test_progress_is_told_after_every_block_and_may_stop_the_work(config):
    generator = network(config).eval()
    labels = random_labels(config, max(64, generator.smallest_side), max(64, generator.smallest_side))
    told: list[int] = []
    generator(labels, after_block=told.append)
    assert told == list(range(generator.block_count))

    def stop(index: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        generator(labels, after_block=stop)


@kinds
def test_a_configuration_comes_back_from_its_json(config):
    assert config_from_json(json.loads(json.dumps(config_to_json(config)))) == config


@kinds
@pytest.mark.parametrize("size", [(32, 32), (100, 37)])
def test_a_model_of_any_kind_is_saved_loaded_and_served_at_any_size(config, size, tmp_path: Path):
    path = tmp_path / "model.safetensors"
    checkpoint = Checkpoint(config, network(config).state_dict(), load_label_set("landscape"), native_size=64)
    save_checkpoint(path, checkpoint)
    label_map = np.arange(size[0] * size[1], dtype=np.uint32).reshape(size) // 400 % 17
    rgb = Synthesizer.load(path, "cpu").render(label_map.astype(np.uint8))
    assert rgb.shape == (*size, 3)


def test_a_configuration_without_a_kind_is_spade_and_its_grid_a_tuple():
    values = config_to_json(GeneratorConfig(3, start="style", style_size=2, start_grid=(1, 2)))
    del values["kind"]
    assert config_from_json(json.loads(json.dumps(values))) == GeneratorConfig(
        3, start="style", style_size=2, start_grid=(1, 2)
    )


@pytest.mark.parametrize("change", [{"kind": "spode"}, {"base_wdith": 3}, {"kind": ["spade"]}])
def test_a_file_with_an_unknown_kind_or_field_is_refused(change, tmp_path: Path, monkeypatch):
    path = tmp_path / "strange.safetensors"
    monkeypatch.setattr(
        "spade_core.checkpoint.file.config_to_json", lambda config: config_to_json(config) | change
    )
    save_checkpoint(path, tiny_checkpoint())
    with pytest.raises(BadCheckpointError):
        load_checkpoint(path)


@torch.no_grad()
def test_the_random_input_of_table_4_sees_labels_in_its_norms_alone_and_paints_one_size():
    config = GeneratorConfig(CLASSES, start="style", style_size=5, start_grid=(1, 2), spade_hidden=8, **SMALL)
    generator = network(config).eval()
    assert generator.fixed_size == (32, 64)
    labels, style = random_labels(config, 64, 64), torch.zeros(2, 5)
    image = generator(labels, style)
    assert image.shape == (2, 3, 32, 64)
    assert not torch.equal(image, generator(labels, style + 1))
    assert not torch.equal(image, generator(labels.roll(1, dims=1), style))


@pytest.mark.parametrize(("kernel", "reach"), [(1, 0), (3, 2), (5, 4)])
@torch.no_grad()
def test_scale_and_shift_look_as_far_as_the_label_kernels_reach(kernel, reach):
    torch.manual_seed(0)
    norm = SpadeNorm(GeneratorConfig(2, spade_kernel=kernel, norm="batch"), 4, kernel).eval()
    x, labels = torch.randn(1, 4, 11, 11), torch.zeros(1, 2, 11, 11)
    labels[:, 0] = 1
    changed = labels.clone()
    changed[..., 5, 5] = 1 - changed[..., 5, 5]
    rows = (norm(x, labels) != norm(x, changed)).any(1)[0].any(1).nonzero().flatten()
    assert rows.tolist() == list(range(5 - reach, 5 + reach + 1))


@torch.no_grad()
def test_clade_looks_up_what_a_1x1_convolution_of_the_labels_would_compute():
    config = CladeConfig(CLASSES, True, norm="batch", **SMALL)
    generator = network(config).eval()
    assert isinstance(generator, CladeDecoder)
    block = generator.head_0
    norm = block.norm_0
    assert isinstance(norm, CladeNorm)
    labels, x = random_labels(config, 32, 48), torch.randn(2, 16, 32, 48)
    gamma, beta = nn.functional.conv2d(labels, norm.gamma_beta.T[:, :, None, None]).chunk(2, 1)
    expected = norm.param_free_norm(x) * (1 + gamma) + beta
    assert torch.allclose(norm(x, block.seen(labels, None)), expected, atol=1e-5)


def test_pix2pixhd_with_spade_has_no_other_norm():
    generator = network(KINDS["pix2pixhd++ spade"])
    assert isinstance(generator, Pix2PixHD)
    convolutions = 1 + 4 + 2 * 2 + 4
    assert sum(isinstance(module, SpadeNorm) for module in generator.modules()) == convolutions
    assert all(not module.affine for module in generator.modules() if isinstance(module, nn.BatchNorm2d))


@torch.no_grad()
def test_the_local_enhancer_looks_at_labels_of_full_and_of_half_size():
    generator = network(KINDS["pix2pixhd enhanced"]).eval()
    assert isinstance(generator, LocalEnhancer)
    labels = random_labels(generator.config, 64, 64)
    labels[:, :, ::2, ::2] = labels[:, :, ::2, ::2].roll(1, dims=1)  # the pixels that the half size picks
    image = generator(labels)
    full_size_alone = labels.clone()
    full_size_alone[:, :, 1::2, 1::2] = labels[:, :, 1::2, 1::2].roll(2, dims=1)
    assert (image - generator(full_size_alone)).abs().max() > 0.01
    half_seen = torch.nn.functional.interpolate(labels, size=(32, 32))
    changed = torch.nn.functional.interpolate(full_size_alone, size=(32, 32))
    assert torch.equal(half_seen, changed)


def test_weights_of_a_global_generator_fit_into_its_enhanced_form():
    inner = network(Pix2PixHDConfig(CLASSES, base_width=8, downsamplings=3, blocks=2)).state_dict()
    outer = network(KINDS["pix2pixhd enhanced"]).state_dict()
    shared = {key for key in inner if key in outer and inner[key].shape == outer[key].shape}
    assert set(inner) - shared == {"model.18.weight", "model.18.bias"}  # its image
    assert {key for key in outer if key.startswith("model.")} == shared
