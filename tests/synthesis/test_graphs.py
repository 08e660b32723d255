# SPDX-License-Identifier: Apache-2.0
"""Pictures on a graphics card: captured where that gives the same bytes, and sent without waiting."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from spade_core.synthesis import graphs
from spade_core.synthesis.graphs import MOST_GRAPHS, Graphs, Inputs, moved
from spade_core.synthesis.synthesizer import Synthesizer

needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no graphics card that CUDA knows is here"
)


def network(labels: Tensor, style: Tensor | None, noise: Sequence[Tensor], after_block=None) -> Tensor:
    if after_block is not None:
        after_block(0)
    return labels.sum(1, keepdim=True) + (0 if style is None else style.sum())


class Capture:
    """Stands for CUDA's: says what was captured and what was replayed."""

    def __init__(self, off_by: float = 0.0, error: Exception | None = None) -> None:
        self.captured, self.replayed, self._off_by, self._error = [], 0, off_by, error

    def __call__(self, network, inputs: Inputs):
        if self._error is not None:
            raise self._error
        self.captured.append(inputs[0].shape[2])

        def replay(inputs: Inputs) -> Tensor:
            self.replayed += 1
            return network(*inputs) + self._off_by

        return replay


def inputs(side: int = 8) -> Inputs:
    return torch.randn(1, 3, side, side), torch.randn(1, 4), []


def test_from_the_second_picture_of_a_size_on_one_run_is_captured_and_replayed():
    capture = Capture()
    painting = Graphs(network, capture)
    for _ in range(4):
        given = inputs()
        assert torch.equal(painting(*given), network(*given))
    assert capture.captured == [8] and capture.replayed == 1 + 3  # one to see that it gives the same
    painting(*inputs(16))
    assert capture.captured == [8]


@pytest.mark.parametrize(
    "capture", [Capture(off_by=1.0), Capture(error=RuntimeError("not when it is capturing"))]
)
def test_what_cannot_be_captured_or_gives_other_bytes_is_painted_as_ever(capture: Capture):
    painting = Graphs(network, capture)
    for _ in range(4):
        given, told = inputs(), []
        assert torch.equal(painting(*given, told.append), network(*given))


def test_a_lack_of_memory_is_said():
    painting = Graphs(network, Capture(error=RuntimeError("CUDA out of memory")))
    painting(*inputs())
    with pytest.raises(RuntimeError, match="out of memory"):
        painting(*inputs())


def test_a_few_sizes_are_kept_and_large_pictures_are_not(monkeypatch: pytest.MonkeyPatch):
    capture = Capture()
    painting = Graphs(network, capture)
    for side in range(8, 8 + MOST_GRAPHS + 2):
        for _ in range(2):
            painting(*inputs(side))
    assert len(capture.captured) == MOST_GRAPHS + 2
    for _ in range(2):  # forgotten, and captured again
        painting(*inputs(8))
    assert capture.captured[-1] == 8
    monkeypatch.setattr(graphs, "MOST_PIXELS", 99)
    count = len(capture.captured)
    for _ in range(3):
        painting(*inputs(10))
    assert len(capture.captured) == count


def test_without_a_graphics_card_nothing_is_captured_or_pinned():
    model = Synthesizer.load("landscape", "cpu")
    assert not isinstance(model._network, Graphs)
    assert not moved(torch.ones(2), torch.device("cpu")).is_pinned()


@needs_cuda
@pytest.mark.parametrize("precision", ["exact", "preview"])
def test_on_a_graphics_card_replayed_pictures_have_the_bytes_of_the_first(precision: str):
    model = Synthesizer.load("landscape", "cuda")
    labels = np.repeat([[2], [0], [6]], 32, 0).repeat(96, 1).astype(np.uint8)
    first = model.render(labels, seed=1, precision=precision)
    for _ in range(3):
        assert np.array_equal(model.render(labels, seed=1, precision=precision), first)
    assert not np.array_equal(model.render(labels, seed=2, precision=precision), first)
