# SPDX-License-Identifier: Apache-2.0
"""Three discriminators behind one interface; the multi-scale one computes what the published one does."""

from __future__ import annotations

import pytest
import torch

from spade_core.features.efficientnet_lite import LITE0_TAP_WIDTHS, NormalizedFeatures
from spade_core.model.discriminators.build import build_discriminator
from spade_core.model.discriminators.interface import Discriminator, DiscriminatorInput, NoDiscriminator
from spade_core.model.discriminators.patchgan import MultiscaleConfig, MultiscaleDiscriminator
from spade_core.model.discriminators.projected import ProjectedConfig
from spade_core.model.discriminators.segmentation import SegmentationConfig, SegmentationDiscriminator
from tests.support.published import ALL_VARIANTS, Recorded, recorded

TOLERANCE = 1e-5
LABELS = 5


def discriminator_of(record: Recorded, precision: torch.dtype = torch.float64) -> MultiscaleDiscriminator:
    options = record.options
    config = MultiscaleConfig(options["num_D"], options["n_layers_D"], options["ndf"])
    discriminator = MultiscaleDiscriminator(config, options["semantic_nc"])
    discriminator.load_state_dict(record.weights("D"))
    return discriminator.to(precision).eval()


def shown(
    record: Recorded, precision: torch.dtype = torch.float64
) -> tuple[DiscriminatorInput, DiscriminatorInput]:
    labels = record.tensor("out/semantics_u8").to(precision)
    photos = record.photos("in/image_u8").to(precision)
    return DiscriminatorInput(record.tensor("out/G_eval").to(precision), labels), DiscriminatorInput(
        photos, labels
    )


@pytest.mark.parametrize("precision", [torch.float64, torch.float32], ids=["double", "single"])
@pytest.mark.parametrize("variant", ALL_VARIANTS)
@torch.no_grad()
def test_layers_and_logits_are_those_of_the_published_network(variant: str, precision: torch.dtype):
    record = recorded(variant)
    fakes, photos = shown(record, precision)
    judged = discriminator_of(record, precision)(fakes + photos).split()
    for of, judgement in zip(("fake", "real"), judged, strict=True):
        wanted = record.discriminator_outputs(of)
        assert len(wanted) >= 2
        for (scale, layer), value in wanted.items():
            found = [*judgement.features[scale], judgement.scores[scale]][layer]
            assert found.shape == value.shape
            assert float((found - value).abs().max()) < TOLERANCE


@torch.no_grad()
def test_a_second_scale_that_counts_the_padding_would_be_noticed(monkeypatch: pytest.MonkeyPatch):
    record = recorded("normal_syncbatch3x3")
    pool = torch.nn.functional.avg_pool2d
    monkeypatch.setattr(
        "spade_core.model.discriminators.patchgan.F.avg_pool2d", lambda x, *_, **__: pool(x, 3, 2, padding=1)
    )
    judgement = discriminator_of(record)(shown(record)[0])
    wanted = record.discriminator_outputs("fake")[1, 4]
    assert float((judgement.scores[1] - wanted).abs().max()) > 100 * TOLERANCE


def test_the_published_discriminators_have_the_published_number_of_parameters():
    for input_channels, parameters in ((184, 5_904_514), (151, 5_836_930), (36, 5_601_410)):
        with torch.device("meta"):
            discriminator = MultiscaleDiscriminator(MultiscaleConfig(), input_channels)
        assert sum(weight.numel() for weight in discriminator.parameters()) == parameters


def build(kind: str) -> Discriminator:
    config = {
        "multiscale": MultiscaleConfig(base_width=8), "segmentation": SegmentationConfig(8, 4),
        "projected": ProjectedConfig(),
    }[kind]  # fmt: skip
    return build_discriminator(config, LABELS, LABELS)


def seen(discriminator: Discriminator, seed: int) -> DiscriminatorInput:
    torch.manual_seed(seed)
    image, labels = torch.rand(2, 3, 64, 64) * 2 - 1, torch.zeros(2, LABELS, 64, 64)
    taps = NormalizedFeatures(discriminator.norms)(image) if discriminator.needs_features else []  # type: ignore[arg-type]
    return DiscriminatorInput(image, labels if discriminator.needs_labels else None, taps)


@pytest.mark.parametrize("kind", ["multiscale", "segmentation", "projected"])
@torch.no_grad()
def test_two_batches_judged_together_are_judged_as_each_alone(kind: str):
    discriminator = build(kind).eval()
    first, second = seen(discriminator, 1), seen(discriminator, 2)
    for alone, half in zip(
        (discriminator(first), discriminator(second)), discriminator(first + second).split(), strict=True
    ):
        assert len(alone.scores) == len(half.scores) and len(alone.features) == len(half.features)
        pairs = list(zip(alone.scores, half.scores, strict=True))
        if alone.class_logits is not None:
            assert alone.class_logits.shape == (2, LABELS + 1, 64, 64)
            pairs.append((alone.class_logits, half.class_logits))
        assert pairs
        for ours, theirs in pairs:
            assert torch.allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("kind", ["segmentation", "projected"])
def test_class_logits_send_gradients_to_the_image(kind: str):
    discriminator = build(kind)
    shown = seen(discriminator, 1)
    image = shown.image.requires_grad_(True)
    taps = NormalizedFeatures(discriminator.norms)(image) if discriminator.needs_features else []  # type: ignore[arg-type]
    logits = discriminator(DiscriminatorInput(image, None, taps)).class_logits
    assert logits is not None
    logits[..., 32, 32].sum().backward()
    assert image.grad is not None and float(image.grad[..., 24:40, 24:40].abs().sum()) > 0


@torch.no_grad()
def test_the_segmenting_discriminator_answers_for_each_pixel_from_its_surroundings():
    torch.manual_seed(0)
    discriminator = SegmentationDiscriminator(SegmentationConfig(8, 2), LABELS).eval()
    image = torch.rand(1, 3, 64, 64)
    changed = image.clone()
    changed[..., 40:, 40:] = 0
    difference = (
        discriminator(DiscriminatorInput(image)).class_logits
        - discriminator(DiscriminatorInput(changed)).class_logits  # type: ignore[operator]
    ).abs()
    assert float(difference[..., :8, :8].max()) == 0 < float(difference[..., 48:, 48:].min())


def test_the_segmenting_discriminator_has_the_size_of_the_paper():
    with torch.device("meta"):
        discriminator = SegmentationDiscriminator(SegmentationConfig(), 151)
        logits = discriminator(DiscriminatorInput(torch.zeros(1, 3, 256, 256))).class_logits
    assert round(sum(weight.numel() for weight in discriminator.parameters()) / 1e6) == 23
    assert logits is not None and logits.shape == (1, 152, 256, 256)


def test_the_projected_discriminator_keeps_the_names_of_its_states():
    names = build("projected").state_dict().keys()
    assert {"norms.0.mean", "norms.4.scale", "heads.3.4.bias", "logits.weight"} <= names
    assert {"laterals.4.parametrizations.weight.original", "full_merge.parametrizations.weight.0._u"} <= names
    assert len(LITE0_TAP_WIDTHS) == 5


def test_no_discriminator_says_nothing():
    judgement = NoDiscriminator()(DiscriminatorInput(torch.zeros(2, 3, 8, 8)))
    assert (judgement.scores, judgement.features, judgement.class_logits) == ([], [], None)
    assert judgement.split()[0].class_logits is None


def test_a_discriminator_with_batch_statistics_is_always_shown_fakes_and_photos_together():
    assert MultiscaleDiscriminator(MultiscaleConfig(norm="batch"), 5).mixes_rows
    assert not MultiscaleDiscriminator(MultiscaleConfig(), 5).mixes_rows
