# SPDX-License-Identifier: Apache-2.0
"""The network that pictures are judged by."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from spade_core.contract.errors import BadCheckpointError
from spade_core.features import efficientnet_lite
from spade_core.features.base import Features, perceptual_distance
from spade_core.features.build import feature_network
from spade_core.features.efficientnet_lite import FrozenPyramid, Lite2Features
from spade_core.features.inception import InceptionFeatures, InceptionV3
from tests.features.inception_weights import named_pictures, named_weights


@pytest.fixture(scope="module")
def network() -> Lite2Features:
    return Lite2Features().eval()


def pictures(count: int = 2, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, 64, 96, 3), np.uint8))


def test_the_stand_in_never_goes_by_the_name_of_fid(network: Lite2Features):
    named = f"{network.frechet_title} {network.kernel_title}"
    assert "FID" not in named and "KID" not in named and "EfficientNet-Lite2" in named


def test_a_picture_has_one_vector_whoever_is_in_its_batch(network: Lite2Features):
    both = pictures()
    together = network.extract(both).rows()
    assert together.shape == (2, 352) and together.dtype == np.float64
    np.testing.assert_allclose(network.extract(both[1:]).rows()[0], together[1], rtol=1e-4, atol=1e-4)


def test_the_stand_in_looks_through_other_weights_than_the_discriminator(network: Lite2Features):
    assert not list(network.parameters())
    widths = [tap.shape[1] for tap in network.network(torch.zeros(1, 3, 64, 64))]
    assert widths == list(efficientnet_lite.LITE2_TAP_WIDTHS)
    assert widths != [tap.shape[1] for tap in FrozenPyramid()(torch.zeros(1, 3, 64, 64))]


def test_features_that_are_not_installed_are_told_with_the_way_to_install_them(
    monkeypatch: pytest.MonkeyPatch,
):
    def missing(name: str):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(BadCheckpointError, match="pip install"):
        Lite2Features()


def test_equal_pictures_have_no_perceptual_distance_and_more_noise_has_more(network: Lite2Features):
    base = np.full((64, 64, 3), 128, np.uint8)
    random = np.random.default_rng(0)
    noisy = [
        (base + random.normal(0, strength, base.shape)).clip(0, 255).astype(np.uint8) for strength in (5, 40)
    ]
    seen = network.extract([base, base.copy(), *noisy])
    same, little, much = perceptual_distance(seen[[0, 0, 0]], seen[[1, 2, 3]])
    assert same == pytest.approx(0, abs=1e-9) and 0 < little < much
    assert perceptual_distance(seen[[2]], seen[[3]]) == pytest.approx(
        perceptual_distance(seen[[3]], seen[[2]])
    )


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in InceptionV3().state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(
        {**named_weights(shapes), "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, path
    )
    return path


def test_inception_computes_what_pytorch_fid_computes(inception_file: Path):
    """Recorded from pytorch-fid 0.3.0 with the same weights and pictures, which are drawn from the tensors' names."""
    network = InceptionFeatures(inception_file).eval()
    with torch.inference_mode():
        seen = network(named_pictures())
    assert [tap.shape[1] for tap in seen.taps] == [64, 192, 768, 2048]
    means = [float(tap.mean()) for tap in seen.taps[:3]]
    assert means == pytest.approx([0.58355844, 0.75582403, 1.60491145], rel=1e-4)
    recorded = [
        [22.158334732, 0.443704754, 0.0, 1.616652727, 0.003615388],
        [22.394783020, 0.482163370, 0.0, 1.614009738, 0.004437827],
    ]
    np.testing.assert_allclose(seen.rows()[:, [0, 500, 1000, 1500, 2047]], recorded, rtol=1e-3, atol=1e-4)


def test_with_the_inception_file_the_numbers_are_called_fid_and_kid(inception_file: Path):
    network = feature_network(inception_file)
    assert (network.frechet_title, network.kernel_title) == ("FID", "KID")


def wrong_files() -> dict:
    return {
        "missing": None,
        "empty": b"",
        "something else": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "another network": {"conv1.weight": torch.zeros(3)},
        "another shape": {"Conv2d_1a_3x3.conv.weight": torch.zeros(32, 3, 5, 5)},
        "no state dict": [1, 2, 3],
    }


@pytest.mark.parametrize("kind", wrong_files())
def test_a_wrong_inception_file_is_refused_with_the_name_of_the_right_one(tmp_path: Path, kind: str):
    path, content = tmp_path / "inception.pth", wrong_files()[kind]
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(BadCheckpointError) as caught:
        feature_network(path)
    assert "pt_inception-2015-12-05" in caught.value.fix
    assert "inception.pth" in caught.value.message


def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path: Path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    torch.save({"a": Bomb()}, tmp_path / "inception.pth")
    with pytest.raises(BadCheckpointError):
        feature_network(tmp_path / "inception.pth")
    assert not (tmp_path / "exploded").exists()


class WithoutFloat64(torch.Tensor):
    """As MPS holds tensors: whole and half numbers, and what has come to the processor is like any other."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is torch.Tensor.double:
            raise TypeError("MPS has no float64")
        result = super().__torch_function__(func, types, args, kwargs or {})
        return result.as_subclass(torch.Tensor) if func is torch.Tensor.cpu else result


def test_a_device_without_float64_can_judge_pictures(network):
    first, second = (network.extract(pictures(2, seed)) for seed in (0, 1))
    there = [
        Features(
            each.pooled.as_subclass(WithoutFloat64), [tap.as_subclass(WithoutFloat64) for tap in each.taps]
        )
        for each in (first, second)
    ]
    assert np.array_equal(there[0].rows(), first.rows()) and there[0].rows().dtype == np.float64
    assert np.array_equal(perceptual_distance(*there), perceptual_distance(first, second))
