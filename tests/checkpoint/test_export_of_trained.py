# SPDX-License-Identifier: Apache-2.0
"""What is trained here by the paper's recipes is loaded by the published code's networks, and comes back the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spade_core.checkpoint.file import load_checkpoint, save_checkpoint
from spade_core.checkpoint.names import models_of, states_of
from spade_core.checkpoint.reference.importing import ImportRequest, import_reference
from spade_core.cli import main
from spade_core.model.semantic_input import one_hot
from spade_core.synthesis.synthesizer import Synthesizer
from spade_core.training.__main__ import parsed
from spade_core.training.run import Run
from tests.support import published_data
from tests.support.old_spectral_norm import PublishedDiscriminator, PublishedEncoder, PublishedGenerator

WIDTH = 4
OPTIONS = (
    "--batch 2 --perceptual taps --device cpu --threads 1 --workers 0 --images 4 --save-every 4 --no-instances "
    f"--generator.base-width {WIDTH} --generator.max-width {16 * WIDTH} --discriminator.base-width {WIDTH}"
)


def trained(recipe: str, data: Path, output: Path, options: str) -> Path:
    words = [recipe, "--data", str(data), "-o", str(output), *OPTIONS.split(), *options.split()]
    run = Run.open(parsed(words))
    run.train(lambda *_: None)
    return output


@pytest.fixture(scope="module")
def ade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ade")
    data = published_data.ade20k(root / "data")
    return trained("paper", data, root / "run", "--size 64 --load-size 72 --ema-decay 0")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("city")
    data = published_data.cityscapes(root / "data")
    options = f"--size 128 --encoder.base-width {WIDTH}"
    return trained("paper-style", data, root / "run", options)


def exported(file: Path, folder: Path, capsys) -> tuple[dict[str, dict], str]:
    capsys.readouterr()
    assert main(["checkpoint", "export", str(file), "-o", str(folder)]) == 0
    said = capsys.readouterr().out
    states = {path.stem[-1]: torch.load(path, weights_only=True) for path in sorted(folder.glob("*.pth"))}
    return states, said


def labels_of(model: Synthesizer, height: int, width: int) -> np.ndarray:
    ids = [entry.id for entry in model.label_set.classes][:20]
    return (
        np.random.default_rng(4)
        .choice(ids, (height // 8, width // 8))
        .astype(np.uint8)
        .repeat(8, 0)
        .repeat(8, 1)
    )


def apart(picture: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, of the largest value: pictures of networks that were hardly trained are nearly grey."""
    return float(np.abs(picture - other).max() / np.abs(other).max())


def planes(model_file: Path, ids: np.ndarray, edges: torch.Tensor | None = None) -> torch.Tensor:
    held = load_checkpoint(model_file)
    return one_hot(torch.from_numpy(held.label_channels.indices(ids))[None], held.label_channels.count, edges)


def test_a_model_fits_the_published_generator_and_paints_the_same(ade: Path, tmp_path: Path, capsys):
    model = models_of(ade)[-1]
    states, said = exported(model, tmp_path, capsys)
    assert set(states) == {"G"}
    for option in (
        "--label_nc 150",
        "--contain_dontcare_label",
        "--no_instance",
        "spectralspadesyncbatch3x3",
    ):
        assert option in said
    assert all(value.dtype in (torch.float32, torch.int64) for value in states["G"].values())
    theirs = PublishedGenerator(151, WIDTH, (2, 2), more=False).eval()
    theirs.load_state_dict(states["G"], strict=True)
    ours = Synthesizer.load(str(model), "cpu")
    ids = labels_of(ours, 64, 64)
    with torch.no_grad():
        picture = theirs(planes(model, ids))[0].permute(1, 2, 0).numpy()
    assert apart(picture, ours.render_float(ids)) < 1e-3


def test_the_divisors_of_a_models_spectral_norms_are_one(ade: Path, tmp_path: Path, capsys):
    states, _ = exported(models_of(ade)[-1], tmp_path, capsys)
    state = states["G"]
    layers = [key.removesuffix(".weight_u") for key in state if key.endswith(".weight_u")]
    assert len(layers) == 18
    for layer in layers:
        matrix = state[f"{layer}.weight_orig"].flatten(1).double()
        sigma = state[f"{layer}.weight_u"].double() @ matrix @ state[f"{layer}.weight_v"].double()
        assert abs(sigma.item() - 1) < 1e-6


def test_a_state_gives_generator_and_discriminator_as_they_train(ade: Path, tmp_path: Path, capsys):
    states, _ = exported(states_of(ade)[-1], tmp_path, capsys)
    assert set(states) == {"G", "D"}
    theirs = PublishedGenerator(151, WIDTH, (2, 2), more=False).eval()
    theirs.load_state_dict(states["G"], strict=True)
    PublishedDiscriminator(151 + 3, WIDTH).load_state_dict(states["D"], strict=True)
    held = torch.load(states_of(ade)[-1], weights_only=True)
    assert torch.equal(
        states["G"]["head_0.conv_0.weight_orig"],
        held["generator"]["head_0.conv_0.parametrizations.weight.original"],
    )


def test_a_style_encoder_and_six_doublings_come_along(city: Path, tmp_path: Path, capsys):
    model = models_of(city)[-1]
    states, said = exported(model, tmp_path, capsys)
    assert set(states) == {"G", "E"}
    for option in (
        "--use_vae",
        "--num_upsampling_layers more",
        "--aspect_ratio 2",
        "--label_nc 35",
        "--no_instance",
    ):
        assert option in said
    assert "contain_dontcare" not in said
    theirs = PublishedGenerator(35, WIDTH, (1, 2), more=True, code=256).eval()
    theirs.load_state_dict(states["G"], strict=True)
    encoder = PublishedEncoder(WIDTH).eval()
    encoder.load_state_dict(states["E"], strict=True)
    ours = Synthesizer.load(str(model), "cpu")
    photo = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    ids = labels_of(ours, 64, 128)
    with torch.no_grad():
        code = encoder(torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 127.5 - 1)
        picture = theirs(planes(model, ids), code)[0].permute(1, 2, 0).numpy()
    own_code = ours.encode_style(photo)
    assert np.abs(code[0].numpy() - own_code).max() < 2e-5 * max(1, np.abs(own_code).max())
    assert apart(picture, ours.render_float(ids, own_code)) < 1e-3
    from_state, _ = exported(states_of(city)[-1], tmp_path / "state", capsys)
    assert set(from_state) == {"G", "E", "D"}


@pytest.mark.parametrize("of", ["model", "state"])
def test_exported_and_imported_it_paints_the_same_picture(ade: Path, tmp_path: Path, capsys, of: str):
    file = models_of(ade)[-1] if of == "model" else states_of(ade)[-1]
    exported(file, tmp_path, capsys)
    back = import_reference(ImportRequest(tmp_path))  # opt.txt beside it says all
    assert back.label_channels == load_checkpoint(models_of(ade)[-1]).label_channels
    save_checkpoint(tmp_path / "back.safetensors", back, dtype=None)
    first = Synthesizer.load(str(models_of(ade)[-1]), "cpu")
    again = Synthesizer.load(str(tmp_path / "back.safetensors"), "cpu")
    ids = labels_of(first, 64, 64)
    # A model's file keeps half precision, a state all of it.
    assert apart(again.render_float(ids), first.render_float(ids)) < (1e-3 if of == "model" else 2e-2)


def test_what_has_no_counterpart_there_is_refused_with_the_reason(ade: Path, tmp_path: Path, capsys):
    assert (
        main(["checkpoint", "export", "spade_core/weights/landscape.safetensors", "-o", str(tmp_path)]) == 2
    )
    assert "pixel norm" in capsys.readouterr().err
    lonely = tmp_path / "state_00000004.pt"
    lonely.write_bytes(states_of(ade)[-1].read_bytes())
    assert main(["checkpoint", "export", str(lonely), "-o", str(tmp_path)]) == 2
    assert "model_00000004.safetensors" in capsys.readouterr().err
