# SPDX-License-Identifier: Apache-2.0
"""Installations in which something is missing, broken or old: what the program says of them, and how to mend it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from spade_core.extras import EXTRAS, extra_of
from spade_core.verdicts import OLDEST_TORCH, WARN, judge_extras
from tests.cli.conftest import Ended

ROOT = Path(__file__).parents[2]
PACKAGES = Path(sysconfig.get_paths()["purelib"])

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links to the installed libraries")


@pytest.fixture
def without(tmp_path: Path) -> Callable[..., Callable[..., Ended]]:
    """`spade` in an installation that lacks libraries by the beginnings of their names; one may stand in for torch."""

    def installation(*lacking: str, torch: str | None = None) -> Callable[..., Ended]:
        site = tmp_path / "site"
        site.mkdir()
        for library in PACKAGES.iterdir():
            if not library.name.startswith((*lacking, "__pycache__")) and library.suffix != ".pth":
                (site / library.name).symlink_to(library)
        if torch is not None:
            (site / "torch").mkdir()
            (site / "torch" / "__init__.py").write_text(torch)

        def spade(*words: object) -> Ended:
            ended = subprocess.run(
                [sys.executable, "-S", "-m", "spade_core.cli", *map(str, words)],
                capture_output=True, text=True, cwd=tmp_path, timeout=120,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "COLUMNS": "200"},
            )  # fmt: skip
            return Ended(ended.returncode, ended.stdout, ended.stderr)

        return spade

    return installation


TORCHES = {
    "missing": (None, "torch is not installed", "pip install torch"),
    "without its libraries": (
        "raise OSError('libcudart.so.12: cannot open shared object file')",
        "does not load: libcudart.so.12: cannot open shared object file",
        "--force-reinstall torch",
    ),
    "half installed": (
        "from torch._C import nothing", "does not load: No module named 'torch._C'", "--force-reinstall torch",
    ),
    "old": ("__version__ = '1.13.1+cpu'", "torch 1.13.1+cpu is too old", "--upgrade 'torch>=2.11'"),
}  # fmt: skip


@pytest.mark.parametrize("state", TORCHES)
def test_a_torch_that_is_missing_broken_or_old_is_told_once_with_its_fix(state: str, without, labels: Path):
    torch, said, fix = TORCHES[state]
    spade = without("torch", torch=torch)
    ended = spade("doctor")
    assert ended.code == 1 and not ended.err
    assert ended.out.count(said) == 1 and fix in ended.out and "1 to mend" in ended.out
    assert "Report this" not in ended.out and ended.out.count("that takes torch") == 4
    refused = spade("generate", labels, "-o", "picture.png")
    assert refused.is_a_plain_refusal and said[6:] in refused.err and fix in refused.err
    assert spade("labels", "list").code == 0, "what needs no torch goes on"


def test_without_the_libraries_of_training_the_extra_is_named(without, tmp_path: Path):
    spade = without("efficientnet", "jinja2", "tensorboard")
    ended = spade("doctor")
    assert ended.code == 0 and "pip install 'spade-backdrops[train]'" in ended.out
    for folder in ("ours", "theirs"):
        (tmp_path / folder).mkdir()
        for name in ("a.png", "b.png"):
            Image.new("RGB", (64, 64)).save(tmp_path / folder / name)
    refused = spade("study", "ours", "theirs", "--size", 64, "-o", "study.html")
    assert refused.is_a_plain_refusal and "jinja2" in refused.err and "[train]" in refused.err


def test_a_library_that_is_missing_is_named_with_what_to_do(without):
    spade = without("zmq", "pyzmq")
    ended = spade("doctor")
    assert (
        ended.code == 1 and "No module named 'zmq'" in ended.out and "Install the package again" in ended.out
    )
    refused = spade("generate", "labels.png", "-o", "x.png", "--server", "tcp://127.0.0.1:9")
    assert refused.code == 2 and "Traceback" not in refused.err


def test_doctor_knows_every_extra_and_the_torch_that_the_package_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"dev"}
    assert f"torch>={'.'.join(map(str, OLDEST_TORCH))}" in project["dependencies"]


def test_extras_are_told_by_what_they_bring():
    found = judge_extras([])
    assert found.verdict == WARN and "--tracker wandb" in found.said and "[train]" in found.fix
    assert judge_extras(EXTRAS).said == ", ".join(EXTRAS) and not judge_extras(EXTRAS).fix
    assert extra_of("onnxruntime.capi") == "onnx" and extra_of("numpy") is None
