# SPDX-License-Identifier: Apache-2.0
"""The networks have as many parameters as the published ones; counted without memory for them."""

from __future__ import annotations

import pytest

from spade_core.checkpoint.reference.facts import PRESETS
from spade_core.commands.model import Cost, Model, counted, fitted, parameters
from spade_core.model.build import build_generator
from spade_core.model.paper import GENERATORS

COCO, ADE20K, CITYSCAPES = range(3)


@pytest.fixture(scope="module")
def costs() -> dict[str, Cost]:
    assert list(PRESETS) == ["coco", "ade20k", "cityscapes"]
    return {cost.name: cost for cost in counted()}


@pytest.fixture(scope="module")
def counts(costs: dict[str, Cost]) -> dict[str, list[int]]:
    return {name: cost.parameters for name, cost in costs.items()}


@pytest.mark.parametrize(
    ("name", "dataset", "number"),
    [
        ("paper", COCO, 97_480_899),
        ("paper", ADE20K, 96_492_483),
        ("paper", CITYSCAPES, 93_048_003),
        ("spade-random", COCO, 112_626_883),
        ("style encoder", COCO, 10_463_424),
        ("pix2pixhd", CITYSCAPES, 182_525_379),
        ("discriminator", COCO, 5_904_514),
        ("discriminator", ADE20K, 5_836_930),
        ("discriminator", CITYSCAPES, 5_601_410),
    ],
)
def test_a_published_network_has_exactly_its_number(counts, name, dataset, number):
    assert counts[name][dataset] == number


@pytest.mark.parametrize(
    ("name", "millions"),
    [("spade-compact", 60.6), ("spade-large", 140.7), ("spade-kernel-1", 71.3), ("spade-kernel-5", 146.9)],
)
def test_a_variation_of_table_4_has_its_size_on_ade20k(counts, name, millions):
    assert round(counts[name][ADE20K] / 1e6, 1) == millions


def test_the_norms_under_spade_and_the_tricks_of_pix2pixhd_cost_next_to_nothing(counts):
    assert counts["paper"] == counts["spade-batch"] == counts["spade-instance"]
    for more, less in zip(counts["pix2pixhd++"], counts["pix2pixhd"], strict=True):
        assert 0 < more - less < 50_000


def test_looking_scales_up_costs_a_quarter_of_computing_them(costs):
    for fast, plain in zip(costs["clade"].parameters, costs["paper"].parameters, strict=True):
        assert fast < 0.75 * plain
    assert 4 * costs["clade"].multiplications < costs["paper"].multiplications


def test_multiplications_are_counted_by_hand_too(costs):
    # The last stage's gamma and beta alone: two 3x3 convolutions of 128 hidden features at full size, for three norms.
    last = sum(2 * 9 * 128 * channels * 256 * 256 for channels in (128, 64, 128))
    assert last < costs["paper"].multiplications < 5 * last
    assert round(costs["paper"].multiplications / 1e9) in range(180, 190)


def test_a_spectral_norm_adds_no_parameters(counts):
    config = fitted(GENERATORS["spade-compact"].config, PRESETS["ade20k"])
    assert config.spectral and parameters(build_generator, config) == counts["spade-compact"][ADE20K]


def test_the_command_prints_one_line_a_network(costs, counts, capsys, monkeypatch):
    monkeypatch.setattr("spade_core.commands.model.counted", lambda: list(costs.values()))
    assert Model("list").run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0].strip() for line in lines[:-1]] == ["network", *counts]
    assert "97,480,899   96,492,483   93,048,003" in lines[1]
