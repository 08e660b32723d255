# SPDX-License-Identifier: Apache-2.0
"""Our networks compute what the published ones do.

They run in double precision, so that what could differ is the network and not the convolution kernel that the machine
happens to choose; and in single precision, in which they are used.
"""

from __future__ import annotations

import pytest
import torch

from spade_core.model.semantic_input import one_hot
from spade_core.model.spade import Generator
from spade_core.model.style_encoder import StyleEncoder, StyleEncoderConfig
from tests.support.published import REFERENCE_SET, VARIANTS, Recorded, recorded

TOLERANCE = 1e-5
precisions = pytest.mark.parametrize("precision", [torch.float64, torch.float32], ids=["double", "single"])


def semantic_input(record: Recorded, precision: torch.dtype = torch.float64) -> torch.Tensor:
    config = record.generator_config()
    instances = record.tensor("in/inst")[:, 0].long() if config.instance_edges else None
    return one_hot(record.tensor("in/label")[:, 0].long(), config.label_channels, instances).to(precision)


def generator_of(record: Recorded, precision: torch.dtype = torch.float64) -> Generator:
    generator = Generator(record.generator_config())
    generator.load_state_dict(record.weights("G"))
    return generator.to(precision).eval()


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    assert ours.shape == theirs.shape
    return float((ours - theirs).abs().max())


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_semantic_input_is_one_hot_with_instance_edges_last(variant: str):
    record = recorded(variant)
    assert torch.equal(semantic_input(record).byte(), record.tensor("out/semantics_u8"))


@precisions
@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "vae_inst"])
@torch.no_grad()
def test_the_generator_paints_what_the_published_one_paints(variant: str, precision: torch.dtype):
    record = recorded(variant)
    painted = generator_of(record, precision)(semantic_input(record, precision))
    exact = generator_of(record, torch.float64)(semantic_input(record, torch.float64))
    # Processors round differently, and an instance norm of a nearly flat map enlarges it.
    rounding = difference(painted, exact)
    assert difference(painted, record.tensor("out/G_eval")) < max(TOLERANCE, 2 * rounding)


@precisions
@torch.no_grad()
def test_the_generator_with_a_style_code_paints_what_the_published_one_paints(precision: torch.dtype):
    record = recorded("vae_inst")
    painted = generator_of(record, precision)(
        semantic_input(record, precision), record.tensor("in/z").to(precision)
    )
    assert difference(painted, record.tensor("out/G_given_z")) < TOLERANCE


@precisions
@pytest.mark.parametrize("variant", ["vae_inst", REFERENCE_SET])
@torch.no_grad()
def test_the_style_encoder_reads_what_the_published_one_reads(variant: str, precision: torch.dtype):
    record = recorded(variant)
    encoder = StyleEncoder(StyleEncoderConfig(base_width=record.options["ngf"], antialias=False))
    encoder.load_state_dict(record.weights("E"))
    encoder.to(precision).eval()
    for photo, prefix in (("in/image_u8", "out/E_"), ("in/e256_u8", "out/E256_")):
        if photo not in record.arrays:
            continue
        mean, log_variance = encoder(record.photos(photo).to(precision))
        assert difference(mean, record.tensor(prefix + "mu")) < TOLERANCE
        assert difference(log_variance, record.tensor(prefix + "logvar")) < TOLERANCE
    if "out/G_given_mu" in record.arrays:
        code = encoder(record.photos("in/image_u8").to(precision))[0]
        painted = generator_of(record, precision)(semantic_input(record, precision), code)
        assert difference(painted, record.tensor("out/G_given_mu")) < TOLERANCE


@torch.no_grad()
def test_the_exact_top_singular_value_in_place_of_the_stored_one_would_be_noticed():
    record = recorded("normal_syncbatch3x3")
    generator = generator_of(record)
    wrong = generator.head_0.conv_0.parametrizations.weight[0]
    _, _, v = torch.linalg.svd(generator.head_0.conv_0.parametrizations.weight.original.flatten(1))
    wrong._v.copy_(v[0])
    wrong._u.copy_(torch.nn.functional.normalize(
        generator.head_0.conv_0.parametrizations.weight.original.flatten(1) @ v[0], dim=0
    ))  # fmt: skip
    assert difference(generator(semantic_input(record)), record.tensor("out/G_eval")) > 10 * TOLERANCE


@pytest.mark.parametrize(
    ("channels", "edges", "upsampling", "parameters"),
    [(183, True, "normal", 97_480_899), (151, False, "normal", 96_492_483), (35, True, "more", 93_048_003)],
    ids=["COCO-Stuff", "ADE20K", "Cityscapes"],
)
def test_the_published_networks_have_the_published_number_of_parameters(
    channels, edges, upsampling, parameters
):
    from spade_core.model.spade import GeneratorConfig

    with torch.device("meta"):
        generator = Generator(GeneratorConfig(channels, edges, upsampling=upsampling))
    assert sum(weight.numel() for weight in generator.parameters()) == parameters


def test_the_largest_upsampling_doubles_once_more_at_half_the_base_width():
    record = recorded("normal_syncbatch3x3")
    from dataclasses import replace

    config = replace(record.generator_config(), upsampling="most", start_grid=None)
    generator = Generator(config).eval()
    with torch.no_grad():
        assert generator(torch.zeros(1, 6, 128, 256)).shape == (1, 3, 128, 256)
    assert generator.conv_img.in_channels == config.base_width // 2
    assert len(generator.state_dict()) == 272
