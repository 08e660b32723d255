# SPDX-License-Identifier: Apache-2.0
"""A published checkpoint of full size is imported by machines of little memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from benchmarks.import_memory import LIMIT_MB, coco_weights, import_peak
from spade_core.checkpoint.file import load_checkpoint
from spade_core.checkpoint.reference.keys import as_saved


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process its peak this way")
def test_importing_the_published_coco_network_takes_less_than_1_3_gb(tmp_path: Path):
    weights = coco_weights()
    assert sum(
        value.numel() for key, value in weights.items() if key.endswith((".weight_orig", "weight", "bias"))
    ) == (97_480_899)
    # In the format that the published files were saved in, of which nothing can stay on disk.
    torch.save(as_saved(weights), tmp_path / "latest_net_G.pth", _use_new_zipfile_serialization=False)
    assert import_peak(tmp_path) < LIMIT_MB
    loaded = load_checkpoint(tmp_path / "model.safetensors").generator_weights
    assert torch.equal(loaded["conv_img.weight"], weights["conv_img.weight"])
