# SPDX-License-Identifier: Apache-2.0
"""Large pictures are painted in bands, which nobody sees; and several at once, which nobody sees either."""

import numpy as np
import pytest
import torch

from spade_core.contract.errors import CancelledError
from spade_core.model.convolution import row_bands
from spade_core.model.convolution.row_bands import RowBands
from spade_core.model.layers import conv
from spade_core.synthesis.batches import Batches, Canvas
from spade_core.synthesis.synthesizer import Synthesizer


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("padding", ["zeros", "replicate"])
def test_bands_give_the_very_bytes_of_the_whole(kernel, padding, monkeypatch):
    monkeypatch.setattr(row_bands, "BAND_PIXELS", 7 * 48)
    layer = conv(8, 6, kernel)
    layer.padding_mode = padding
    x = torch.randn(2, 8, 40, 48).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        whole = layer(x)
        RowBands(layer)
        assert torch.equal(layer(x), whole)


def test_a_picture_can_be_stopped_within_a_layer(monkeypatch):
    monkeypatch.setattr(row_bands, "BAND_PIXELS", 16 * 128)
    synthesizer = Synthesizer.load("landscape", "cpu")
    asked = []

    def stop_soon(stage, done):
        asked.append(done)
        if len(asked) > 40:
            raise CancelledError("stop")

    with pytest.raises(CancelledError):
        synthesizer.render(np.zeros((128, 128), np.uint8), progress=stop_soon)
    assert asked == sorted(asked) and len(set(asked)) < 10 < len(asked), "more often than once a block"


def test_pictures_of_a_batch_are_those_that_each_is_alone():
    synthesizer = Synthesizer.load("landscape", "cpu")
    ids = [entry.id for entry in synthesizer.label_set.classes]
    maps = [
        np.kron(np.array([[a, b]], np.uint8), np.ones((64, 32), np.uint8))
        for a, b in zip(ids[:-1], ids[1:], strict=True)
    ]
    canvases = [Canvas(label_map, seed=seed) for seed, label_map in enumerate(maps[:4])]
    alone = [synthesizer.render(each.label_map, seed=each.seed) for each in canvases]
    batches = Batches(synthesizer)
    for _ in range(2):
        together = batches.render(canvases, (64, 64), lambda stage, done: None)
        assert all(map(np.array_equal, together, alone))
