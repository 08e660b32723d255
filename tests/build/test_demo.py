# SPDX-License-Identifier: Apache-2.0
"""The demo where Blender has no module: the stored label map, the real server, the embedded model."""

import subprocess
import sys

import numpy as np
from PIL import Image

from build_steps.environments import ROOT
from spade_core.contract.labels import load_label_set

DEMO = (sys.executable, "-m", "examples.demo", "--without-blender")


def opened(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_the_stored_label_map_is_one_of_the_default_label_set():
    label_map = load_label_set("landscape").check(opened(ROOT / "examples" / "demo_labels.png"))
    assert len(np.unique(label_map)) > 5


def test_the_demo_without_blender_leaves_labels_picture_and_contact_sheet(tmp_path):
    """In a folder of any name, and with words at the end on what to try next."""
    out = tmp_path / "Ergebnis 風景"
    command = [*DEMO, "--output", out]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=ROOT, timeout=180)
    assert ended.returncode == 0, ended.stderr
    assert "Try next" in ended.stdout and "contact_sheet.png" in ended.stdout
    labels = opened(out / "labels.png")
    assert np.array_equal(labels, opened(ROOT / "examples" / "demo_labels.png"))
    assert opened(out / "generated.png").shape == (*labels.shape, 3)
    assert opened(out / "contact_sheet.png").shape[1] > 1500


def test_an_output_folder_that_cannot_be_is_told_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    command = [*DEMO, "--output", tmp_path / "file"]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=ROOT, timeout=60)
    assert ended.returncode == 1 and "fix:" in ended.stderr and "Traceback" not in ended.stderr
