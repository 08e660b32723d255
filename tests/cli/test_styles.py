# SPDX-License-Identifier: Apache-2.0
"""spade checkpoint add-styles, and what a model's styles are for the other commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spade_core.cli import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve photos with label maps, and two pictures that stand for looks."""
    random = np.random.default_rng(0)
    for index in range(12):
        for kind, array in (
            ("images", random.integers(0, 255, (40, 40, 3), np.uint8)),
            ("labels", np.full((40, 40), index % 3, np.uint8)),
        ):
            path = tmp_path / "data" / kind / f"p{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
    for name, color in (("golden-hour", "#ffbb66"), ("night", "#000010")):
        path = tmp_path / "looks" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (50, 40), color).save(path)
    return tmp_path / "data"


@pytest.fixture
def styled(data: Path, tiny_model: Path, tmp_path: Path, capsys) -> Path:
    path = tmp_path / "styled.safetensors"
    words = ["--data", str(data), "--named", str(tmp_path / "looks"), "-o", str(path)]
    assert main(["checkpoint", "add-styles", str(tiny_model), *words]) == 0
    assert "golden-hour, night" in capsys.readouterr().out
    return path


def painted(labels: Path, model: Path, *words: object) -> np.ndarray:
    out = labels.with_name("out.png")
    assert main(["generate", str(labels), "-o", str(out), "--model", str(model), *map(str, words)]) == 0
    with Image.open(out) as image:
        return np.asarray(image)


def test_a_named_style_is_painted_by_its_name(styled: Path, labels: Path, tmp_path: Path):
    by_name = painted(labels, styled, "--style", "golden-hour", "--seed", 3)
    by_picture = painted(labels, styled, "--style", tmp_path / "looks" / "golden-hour.png", "--seed", 3)
    assert np.abs(by_name.astype(int) - by_picture).max() <= 2  # the file keeps codes in 16 bits
    assert not np.array_equal(by_name, painted(labels, styled, "--style", "night", "--seed", 3))


def test_a_style_that_the_model_does_not_have_is_refused_with_those_it_has(
    styled: Path, labels: Path, tiny_model: Path, capsys
):
    for model, said_of_it in ((styled, ("dawn", "golden-hour, night")), (tiny_model, ("no named styles",))):
        words = ["generate", str(labels), "-o", str(labels.with_name("out.png")), "--style", "dawn"]
        assert main([*words, "--model", str(model)]) == 2
        said = capsys.readouterr().err
        assert all(words in said for words in said_of_it)


def test_a_model_says_which_styles_it_has(styled: Path, tiny_model: Path, capsys):
    assert main(["checkpoint", "info", str(styled)]) == 0
    assert "12 of photos; by name: golden-hour, night" in " ".join(capsys.readouterr().out.split())
    assert main(["checkpoint", "info", str(tiny_model)]) == 0
    assert "standard normal" in capsys.readouterr().out


def test_photos_of_another_label_set_are_refused(data: Path, tiny_model: Path, tmp_path: Path, capsys):
    from spade_core.contract.labels import load_label_set

    (data / "label_set.toml").write_text(load_label_set("ade20k").to_toml(), encoding="utf-8")
    words = ["--data", str(data), "-o", str(tmp_path / "styled.safetensors")]
    assert main(["checkpoint", "add-styles", str(tiny_model), *words]) == 2
    assert "ade20k" in capsys.readouterr().err and not (tmp_path / "styled.safetensors").exists()
