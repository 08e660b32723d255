# SPDX-License-Identifier: Apache-2.0
"""Losses: those of the recordings, and each against the formula of its paper."""

from __future__ import annotations

import math
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spade_core.contract.errors import BadCheckpointError, UnavailableError
from spade_core.features.vgg19 import Vgg19, load_vgg19
from spade_core.model.discriminators.interface import DiscriminatorInput
from spade_core.model.losses import (
    CRN_WEIGHTS,
    GanMode,
    TapPerceptualLoss,
    VggPerceptualLoss,
    class_loss,
    class_weights,
    feature_matching,
    generated_class_loss,
    generated_loss,
    generator_loss,
    kl_divergence,
    label_mix,
    label_mix_loss,
    label_mix_mask,
    photo_loss,
)
from tests.model.test_discriminators import discriminator_of, shown
from tests.support.published import ALL_VARIANTS, recorded


@pytest.mark.parametrize("variant", ALL_VARIANTS)
@torch.no_grad()
def test_losses_are_those_of_the_published_code(variant: str):
    record = recorded(variant)
    fakes, photos = shown(record)
    of_fakes, of_photos = discriminator_of(record)(fakes + photos).split()
    mode: GanMode = record.options["gan_mode"]
    found = {
        "GAN": generator_loss(of_fakes.scores, mode),
        "GAN_Feat": record.options["lambda_feat"] * feature_matching(of_fakes.features, of_photos.features),
        "D_Fake": generated_loss(of_fakes.scores, mode),
        "D_real": photo_loss(of_photos.scores, mode),
    }
    if "out/E_mu" in record.arrays:
        mean, log_variance = record.tensor("out/E_mu"), record.tensor("out/E_logvar")
        found["KLD"] = record.options["lambda_kld"] * kl_divergence(mean, log_variance)
    wanted = record.losses("eval")
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert float(found[name]) == pytest.approx(value, abs=1e-5), name


SCORES = [torch.tensor([[[[-2.0, 0.5]]]]), torch.tensor([[[[3.0]]]])]


@pytest.mark.parametrize(
    ("mode", "of_photos", "of_fakes", "of_generator"),
    [
        ("hinge", (1.75 + 0) / 2, (0.75 + 4) / 2, (0.75 - 3) / 2),
        ("ls", ((9 + 0.25) / 2 + 4) / 2, ((4 + 0.25) / 2 + 9) / 2, ((9 + 0.25) / 2 + 4) / 2),
        ("w", (0.75 - 3) / 2, (-0.75 + 3) / 2, (0.75 - 3) / 2),
    ],
)
def test_adversarial_losses_average_over_patches_then_over_scales(mode, of_photos, of_fakes, of_generator):
    assert float(photo_loss(SCORES, mode)) == pytest.approx(of_photos)
    assert float(generated_loss(SCORES, mode)) == pytest.approx(of_fakes)
    assert float(generator_loss(SCORES, mode)) == pytest.approx(of_generator)


def test_the_original_loss_is_the_logarithm_of_the_probability():
    def log_probability(score: float) -> float:
        return -math.log(1 / (1 + math.exp(-score)))

    wanted = ((log_probability(-2) + log_probability(0.5)) / 2 + log_probability(3)) / 2
    assert float(photo_loss(SCORES, "original")) == pytest.approx(wanted)
    assert float(generator_loss(SCORES, "original")) == pytest.approx(wanted)
    turned = [-score for score in SCORES]
    assert float(generated_loss(turned, "original")) == pytest.approx(wanted)


def test_feature_matching_moves_the_generated_images_only():
    ours, theirs = (torch.rand(2, 3, 4, 4, requires_grad=True) for _ in range(2))
    loss = feature_matching([[ours, ours], [ours]], [[theirs, theirs], [theirs]])
    assert float(loss.detach()) == pytest.approx(1.5 * float((ours - theirs).detach().abs().mean()))
    loss.backward()
    assert ours.grad is not None and theirs.grad is None


LABEL_MAP = torch.tensor([[[0, 0, 0, 1, 2, 2]]])


def test_rare_classes_weigh_more_and_unlabelled_pixels_nothing():
    weights = class_weights(LABEL_MAP, 3, dont_care=2)
    assert weights[1] > weights[0] > 0 and weights[2] == 0
    balanced = class_weights(LABEL_MAP, 3, dont_care=None)
    assert torch.allclose(balanced * torch.tensor([3.0, 1, 2]), torch.full((3,), 2.0))
    # Of (2/3, 2) the cap of 1 leaves (2/3, 1), whose mean over the four pixels that count is 3/4.
    capped = class_weights(LABEL_MAP, 3, dont_care=2, cap=1.0)
    assert torch.allclose(capped, torch.tensor([8 / 9, 4 / 3, 0]))


def test_class_losses_are_cross_entropies_over_one_class_more():
    torch.manual_seed(0)
    logits = torch.randn(1, 4, 1, 6)
    log_probability = logits.log_softmax(1)
    weights = class_weights(LABEL_MAP, 3, dont_care=2)
    wanted = -sum(
        weights[int(label)] * log_probability[0, int(label), 0, x] for x, label in enumerate(LABEL_MAP[0, 0])
    )
    assert float(class_loss(logits, LABEL_MAP, weights)) == pytest.approx(float(wanted) / 6, rel=1e-5)
    assert float(generated_class_loss(logits)) == pytest.approx(
        float(-log_probability[:, 3].mean()), rel=1e-5
    )


def test_label_mix_takes_whole_classes_from_one_picture_or_the_other():
    torch.manual_seed(0)
    label_map = torch.randint(0, 8, (4, 16, 16))
    mask = label_mix_mask(label_map, 8)
    for index in range(4):
        for label in range(8):
            assert mask[index, 0][label_map[index] == label].unique().numel() == 1
    assert 0 < float(mask.float().mean()) < 1
    assert not torch.equal(label_mix_mask(label_map, 8), mask)


def test_label_mix_asks_for_the_logits_of_the_two_sources():
    mask = torch.tensor([[[[True, False]]]])
    photos, fakes = torch.zeros(1, 2, 1, 2), torch.ones(1, 2, 1, 2)
    assert torch.equal(label_mix(mask, photos, fakes), torch.tensor([[[[0.0, 1]], [[0.0, 1]]]]))
    assert float(label_mix_loss(label_mix(mask, photos, fakes), mask, photos, fakes)) == 0
    assert float(label_mix_loss(photos, mask, photos, fakes)) == pytest.approx(0.5)


def vgg_weights() -> dict[str, Tensor]:
    """Random weights under torchvision's names, classifier included; small, so that features neither grow nor die."""
    torch.manual_seed(0)
    layout = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512)
    weights, fan_in, index = {}, 3, 0
    for fan_out in layout:
        if fan_out == 0:
            index += 1
            continue
        spread = (2 / (9 * fan_in)) ** 0.5
        weights[f"features.{index}.weight"] = torch.randn(fan_out, fan_in, 3, 3) * spread
        weights[f"features.{index}.bias"] = torch.randn(fan_out) * 0.1
        fan_in, index = fan_out, index + 2
    return weights | {"classifier.0.bias": torch.zeros(2)}


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return vgg_weights()


def features_in_torchvisions_order(weights: dict[str, Tensor], image: Tensor) -> list[Tensor]:
    """Walk through torchvision's list of layers one by one and note relu1_1, relu2_1, relu3_1, relu4_1, relu5_1."""
    x, noted = image, []
    for index in range(30):
        if f"features.{index}.weight" in weights:
            x = F.conv2d(x, weights[f"features.{index}.weight"], weights[f"features.{index}.bias"], padding=1)
        elif f"features.{index - 1}.weight" in weights:
            x = torch.relu(x)
        else:
            x = F.max_pool2d(x, 2, 2)
        if index in (1, 6, 11, 20, 29):
            noted.append(x)
    return noted


@torch.no_grad()
def test_the_perceptual_loss_is_the_published_sum_over_vgg19(weights):
    ours, theirs = (torch.rand(2, 3, 32, 48) * 2 - 1 for _ in range(2))
    parts = [
        (our - their).abs().mean()
        for our, their in zip(
            features_in_torchvisions_order(weights, ours),
            features_in_torchvisions_order(weights, theirs),
            strict=True,
        )
    ]
    wanted = parts[0] / 32 + parts[1] / 16 + parts[2] / 8 + parts[3] / 4 + parts[4]
    found = VggPerceptualLoss(Vgg19(weights))(DiscriminatorInput(ours), DiscriminatorInput(theirs))
    assert found.shape == (2,) and float(found.mean()) == pytest.approx(float(wanted), rel=1e-5)


def test_cascaded_refinements_loss_has_the_image_itself_and_its_layers_scales(weights):
    ours, theirs = (torch.rand(2, 3, 32, 48) * 2 - 1 for _ in range(2))
    vgg = Vgg19(weights, read=2)
    layers = [(our - their).abs().mean() for our, their in zip(vgg(ours), vgg(theirs), strict=True)]
    scales = (1.6, 2.3, 1.8, 2.8, 0.08)
    wanted = (ours - theirs).abs().mean() + sum(
        layer / scale for layer, scale in zip(layers, scales, strict=True)
    )
    found = VggPerceptualLoss(vgg, CRN_WEIGHTS, 1.0)(DiscriminatorInput(ours), DiscriminatorInput(theirs))
    assert float(found.mean()) == pytest.approx(float(wanted), rel=1e-5)


def test_the_perceptual_loss_reaches_the_generated_image_and_no_weight(weights):
    loss = VggPerceptualLoss(Vgg19(weights))
    image = torch.zeros(1, 3, 32, 32, requires_grad=True)
    loss(DiscriminatorInput(image), DiscriminatorInput(torch.ones(1, 3, 32, 32))).sum().backward()
    assert image.grad is not None and float(image.grad.abs().sum()) > 0
    assert not list(loss.parameters()) and not loss.state_dict()


def test_taps_are_compared_picture_by_picture():
    ours = [torch.ones(2, 3, 4, 4) * torch.tensor([0.0, 1]).view(2, 1, 1, 1)] * 5
    found = TapPerceptualLoss()(
        DiscriminatorInput(ours[0], taps=ours),
        DiscriminatorInput(ours[0], taps=[torch.zeros(2, 3, 4, 4)] * 5),
    )
    assert found.tolist() == pytest.approx([0.0, 4.5 / 5])


def test_vgg19_is_read_from_torchvisions_file(weights, tmp_path: Path):
    torch.save(weights, tmp_path / "vgg19.pth")
    vgg = load_vgg19(tmp_path / "vgg19.pth")
    assert torch.equal(vgg.get_buffer("weight_28"), weights["features.28.weight"])


def test_another_networks_file_is_refused_with_what_is_missing(weights, tmp_path: Path):
    wrong = {**weights, "features.0.weight": torch.zeros(64, 4, 3, 3)}
    del wrong["features.28.bias"]
    torch.save(wrong, tmp_path / "vgg16.pth")
    with pytest.raises(BadCheckpointError, match=r"features\.0\.weight, features\.28\.bias .*2 in all"):
        load_vgg19(tmp_path / "vgg16.pth")
    with pytest.raises(BadCheckpointError, match="no file"):
        load_vgg19(tmp_path / "missing.pth")


class Trap:
    """Unpickling it would leave a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def test_a_pickle_in_place_of_vgg19_is_refused_and_not_run(tmp_path: Path):
    torch.save({"features.0.weight": Trap(tmp_path / "opened")}, tmp_path / "vgg19.pth")
    with pytest.raises(BadCheckpointError):
        load_vgg19(tmp_path / "vgg19.pth")
    assert not (tmp_path / "opened").exists()


def test_without_a_file_and_a_network_the_fix_says_where_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def offline(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr("torch.hub.urlopen", offline)
    with pytest.raises(UnavailableError, match="no route") as caught:
        load_vgg19()
    assert "download.pytorch.org" in caught.value.fix and "--vgg-weights" in caught.value.fix
    assert "--perceptual taps" in caught.value.fix
