# SPDX-License-Identifier: Apache-2.0
"""What docs/performance.md is made of: systems that paint the same, and a page with every number measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.synthesis.measuring import Row, measured
from benchmarks.synthesis.page import write_page
from benchmarks.synthesis.plan import Case
from benchmarks.synthesis.profile import profiled
from benchmarks.synthesis.results import Large, Results
from benchmarks.synthesis.systems import EXACT, OURS
from spade_core.model.convolution.library import library
from spade_core.model.spade import Generator, GeneratorConfig


@pytest.fixture
def network() -> Generator:
    torch.manual_seed(0)
    return Generator(GeneratorConfig(label_channels=4, base_width=8, max_width=24, spade_hidden=8)).eval()


@pytest.mark.skipif(library() is None, reason="there is no C compiler, or SPADE_FUSED is 0")
def test_all_systems_paint_what_plain_pytorch_paints_and_what_cannot_be_had_is_said(network: Generator):
    said: list[str] = []
    names = ["channels_last", "bf16 channels_last", *OURS]
    rows = measured(Case("tiny", "median", 64, 2), network, names, said.append)
    exact = [row for row in rows if row.system.startswith(("plain", "channels_last", EXACT))]
    assert [row.system for row in exact] == ["plain", "channels_last", *OURS[:3]]
    assert all(row.difference < 1e-4 and row.lowest <= row.ratio <= row.highest for row in exact)
    assert len(rows) + len(said) == 1 + len(names)
    profile = profiled("tiny", network, "median", 64)
    assert 0 < profile.labels < profile.seconds and 0 < profile.convolutions < profile.seconds


def test_results_are_added_to_and_the_page_has_all_of_them(tmp_path: Path):
    (tmp_path / "pictures").mkdir()
    row = Row("embedded median 512", "plain", 1.234, 1.0, 1.0, 1.0, 321.0, 0.0, 1.0)
    results = Results().on_this_machine().with_rows([row])
    results.write(tmp_path / "out" / "results.json")
    again = Results.read(tmp_path / "out" / "results.json").on_this_machine()
    again = again.with_rows([replace(row, system="ours", seconds=0.3, ratio=4.113, difference=3e-5)])
    write_page(again.with_large(Large(4096, 99.0, 88.0, 777.0)), tmp_path)
    page = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert all(text in page for text in ("1.234", "4.11", "3e-05", "| 777 |", "reached", "not measured here"))
    assert "4.11" in (tmp_path / "pictures/performance.svg").read_text(encoding="utf-8")
    assert not replace(results, machine="another").on_this_machine().rows
