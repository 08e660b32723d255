# SPDX-License-Identifier: Apache-2.0
"""The paper's protocols: what they set, and what is said where an evaluation departs from them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spade_core.checkpoint.file import save_checkpoint
from spade_core.cli import main
from spade_core.evaluation.published import PROTOCOLS
from tests.support.small_data import save
from tests.support.tiny import seeing_objects, tiny_checkpoint, tiny_model

PAIRS = 10


@pytest.fixture(scope="module")
def cityscapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it comes, of 96 x 48 pixels."""
    root, random = tmp_path_factory.mktemp("cityscapes"), np.random.default_rng(0)
    for split, city in (("train", "aachen"), ("val", "ulm")):
        for index in range(PAIRS):
            name = f"{index:06}_000019"
            ids = random.choice([7, 11, 23, 26], (6, 12)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
            photo = (ids[..., None] * 8 + random.integers(0, 40, (*ids.shape, 3))).astype(np.uint8)
            save(root / "leftImg8bit" / split / city / f"{city}_{name}_leftImg8bit.png", photo)
            fine = root / "gtFine" / split / city
            save(fine / f"{city}_{name}_gtFine_labelIds.png", ids)
            save(fine / f"{city}_{name}_gtFine_instanceIds.png", ids.astype(np.uint16) * 1000 + 3)
    return root


@pytest.fixture(scope="module")
def with_edges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that sees where objects end."""
    return seeing_objects(tmp_path_factory.mktemp("edges"))


def evaluated(data: Path, output: Path, models: list[Path], *words: str) -> dict:
    told = [
        "evaluate",
        "--model",
        *map(str, models),
        "--data",
        str(data),
        "-o",
        str(output),
        "--device",
        "cpu",
    ]
    assert main([*told, *words]) == 0
    return json.loads((output / "evaluation.json").read_text(encoding="utf-8"))


def test_cityscapes_is_judged_at_512_by_256_and_every_departure_is_said(
    cityscapes, with_edges, tmp_path, capsys
):
    found = evaluated(cityscapes, tmp_path, [with_edges], "--protocol", "cityscapes")
    protocol = found["protocol"]
    assert (protocol["width"], protocol["height"], protocol["layout"]) == (512, 256, "cityscapes")
    assert (protocol["judged_width"], protocol["judged_height"]) == (512, 256)
    assert "squeezed" in protocol["frame"] and protocol["upscaler"] is None
    assert protocol["published"] == "cityscapes"
    departures = " / ".join(protocol["departures"])
    for said in ("10 label maps, the paper has 500", "Inception's FID (--inception)", "DRN-D-105"):
        assert said in departures
    assert len(protocol["departures"]) == 3
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "DRN-D-105" in page and "DRN-D-105" in capsys.readouterr().out


def test_the_report_says_whether_instance_maps_were_used(cityscapes, with_edges, tmp_path):
    blind = tiny_model(tmp_path, "cityscapes")
    found = evaluated(cityscapes, tmp_path / "out", [with_edges, blind], "--size", "64", "--aspect", "2")
    assert [model["objects"] for model in found["models"]] == ["instance maps", None]
    assert "edges: by instance maps" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")

    found = evaluated(cityscapes, tmp_path / "boxes", [with_edges], "--size", "64", "--grey-box")
    assert found["models"][0]["objects"] == "borders of labels"


def test_an_option_beside_a_protocol_wins_and_is_a_departure(cityscapes, with_edges, tmp_path):
    found = evaluated(
        cityscapes, tmp_path, [with_edges], "--protocol", "cityscapes", "--size", "64", "--aspect", "2"
    )
    assert (found["protocol"]["width"], found["protocol"]["height"]) == (128, 64)
    assert any("128 x 64" in said for said in found["protocol"]["departures"])


def test_without_a_size_pictures_have_the_shape_that_the_model_was_trained_on(cityscapes, tmp_path):
    model = tmp_path / "wide.safetensors"
    save_checkpoint(model, replace(tiny_checkpoint("cityscapes"), trained_size=(32, 64)))
    protocol = evaluated(cityscapes, tmp_path / "out", [model])["protocol"]
    assert (protocol["width"], protocol["height"]) == (64, 32)
    assert protocol["published"] is None and protocol["departures"] == []


def test_only_models_of_one_training_are_joined_by_a_line(cityscapes, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    made = tiny_checkpoint("cityscapes")
    paths = [
        run / "model_00000004.safetensors",
        run / "model_00000008.safetensors",
        tmp_path / "x.safetensors",
    ]
    for path, seen in zip(paths, (4, 8, 6), strict=True):
        save_checkpoint(path, replace(made, provenance={"images_seen": seen}))
    evaluated(cityscapes, tmp_path / "out", paths, "--size", "64")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    charts = re.findall(r"<svg.*?</svg>", page)
    assert charts and "photos seen in training" in page
    for chart in charts:
        (line,) = re.findall(r'<polyline class="line" points="([^"]*)"', chart)
        assert len(line.split()) == 2 and chart.count("<circle") == 3


def test_the_papers_protocols_are_what_it_says():
    sizes = {name: (each.size.width, each.size.height, each.pictures) for name, each in PROTOCOLS.items()}
    assert sizes == {
        "coco-stuff": (256, 256, 5000),
        "ade20k": (256, 256, 2000),
        "ade20k-outdoor": (256, 256, None),
        "cityscapes": (512, 256, 500),
        "flickr": (256, 256, 1000),
    }
    assert all(each.size.fit == "squeeze" for each in PROTOCOLS.values())
