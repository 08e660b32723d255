# SPDX-License-Identifier: Apache-2.0
"""The real command in a process of its own, a small real checkpoint, and folders nobody may write to."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spade_core.contract.labels import load_label_set

DROP_FROM_BOUNDS, OVERRIDE_FILE_MODES = 24, 1  # prctl's PR_CAPBSET_DROP, CAP_DAC_OVERRIDE


@dataclass(frozen=True)
class Ended:
    """How a run of the command came out."""

    code: int
    out: str
    err: str

    @property
    def is_a_plain_refusal(self) -> bool:
        """Exit code 2, one sentence and a fix on stderr, no traceback."""
        lines = self.err.splitlines()
        shape = len(lines) == 2 and lines[0].startswith("error: ") and lines[1].startswith("  fix: ")
        return self.code == 2 and shape and "Traceback" not in self.err


def _obey_file_modes() -> None:
    """Root may write anywhere; after this its programs may not."""
    ctypes.CDLL(None).prctl(DROP_FROM_BOUNDS, OVERRIDE_FILE_MODES, 0, 0, 0)


@pytest.fixture
def spade(tmp_path) -> Callable[..., Ended]:
    """Run `spade WORDS` in a fresh process, in the test's own folder."""

    def run(*words: object) -> Ended:
        obey = _obey_file_modes if sys.platform == "linux" and os.geteuid() == 0 else None
        ended = subprocess.run(
            [sys.executable, "-m", "spade_core.cli", *map(str, words)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            preexec_fn=obey,
            timeout=120,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1", "COLUMNS": "100"},
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture
def labels(tmp_path) -> Path:
    """A small landscape: sky over mountains over grass."""
    ids = np.zeros((48, 64), np.uint8)
    ids[16:], ids[32:] = 3, 6
    path = tmp_path / "labels.png"
    Image.fromarray(ids).save(path)
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A real checkpoint of the landscape set, with untrained weights and few of them."""
    import torch

    from spade_core.checkpoint.file import Checkpoint, save_checkpoint
    from spade_core.model.spade import Generator, GeneratorConfig
    from spade_core.model.style_encoder import StyleEncoder, StyleEncoderConfig

    torch.manual_seed(0)
    label_set = load_label_set("landscape")
    generator = GeneratorConfig(
        label_channels=len(label_set.classes) + 1,
        base_width=4,
        max_width=16,
        norm="batch",
        spade_hidden=8,
        start="labels+style",
        style_size=8,
        noise=True,
    )
    encoder = StyleEncoderConfig(style_size=8, base_width=4, input_size=64)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_checkpoint(
        path,
        Checkpoint(
            generator=generator,
            generator_weights=Generator(generator).state_dict(),
            label_set=label_set,
            native_size=64,
            style_encoder=encoder,
            encoder_weights=StyleEncoder(encoder).state_dict(),
            provenance={"data": "none: untrained", "steps": 0},
        ),
    )
    return path
