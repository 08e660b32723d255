# SPDX-License-Identifier: Apache-2.0
"""`spade generate` in a process of its own that may take only so much more memory: a sentence, and no half picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory is limited by means of Linux here"
)

LIMITED = """
import resource, sys
from pathlib import Path
import spade_core.synthesis.paint, spade_core.synthesis.synthesizer
from spade_core.cli import main

taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (int(sys.argv[1]) << 20),) * 2)
sys.exit(main(sys.argv[2:]))
"""


def refusal(room: int, *words: object) -> str:
    """What the command says that finds `room` MiB after its libraries."""
    command = [sys.executable, "-c", LIMITED, str(room), "generate", *map(str, words)]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2]
    )
    lines = ended.stderr.splitlines()
    assert ended.returncode == 2 and len(lines) == 2, ended.stderr[-600:]
    assert lines[0].startswith("error: There is too little memory") and lines[1].startswith("  fix: ")
    return ended.stderr


@pytest.fixture
def large(tmp_path: Path) -> Path:
    ids = np.zeros((1024, 1024), np.uint8)
    ids[512:] = 6
    Image.fromarray(ids).save(tmp_path / "large.png")
    return tmp_path / "large.png"


@pytest.mark.parametrize("room", [2, 12, 40], ids=["libraries", "labels", "model"])
def test_what_finds_no_room_before_painting_is_said(room: int, large: Path, tmp_path: Path):
    assert "Close other programs" in refusal(room, large, "-o", tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_a_picture_that_finds_no_room_is_said_with_what_makes_it_smaller(large: Path, tmp_path: Path):
    (tmp_path / "out.png").write_bytes(b"the one before")
    said = refusal(130, large, "-o", tmp_path / "out.png", "--upscale", "off")
    assert "a picture of this size" in said and "Leave --upscale at auto" in said
    assert "Use a smaller label map" in refusal(130, large, "-o", tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes() == b"the one before"


def test_a_style_photo_that_finds_no_room_is_named_and_not_called_damaged(large: Path, tmp_path: Path):
    photo = tmp_path / "photo.png"
    Image.new("L", (12_000, 12_000)).save(photo, compress_level=1)
    said = refusal(60, large, "-o", tmp_path / "out.png", "--style", photo)
    assert "to read photo.png" in said and "Scale it down" in said
