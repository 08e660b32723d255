# SPDX-License-Identifier: Apache-2.0
"""The wheel: what `pip install` brings, and that it runs without the checkout."""

from __future__ import annotations

import email
import email.message
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from build_steps.environments import ROOT
from spade_core.contract.version import VERSION
from tests.support.published import REFERENCE_SET, recorded, write_options, write_reference_files
from tests.support.stripes_set import write_set

SOURCES = ("spade_core", "server", "blender_addon", "tests", "examples", "tools", "benchmarks", "build_steps", "docs")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built by pip from a copy of the sources: what an earlier build left in the checkout has no say."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    words = [*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, source]
    ended = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=240)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


@pytest.fixture(scope="module")
def metadata(wheel) -> email.message.Message:
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (name for name in opened.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_string(opened.read(name).decode("utf-8"))


def of_source(folder: str, installed: str) -> set[str]:
    """The files of a source folder, by their names in the wheel."""
    files = (file for file in (ROOT / folder).rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {f"{installed}/{file.relative_to(ROOT / folder).as_posix()}" for file in files}


def test_every_file_of_core_and_server_is_in_it_weights_label_sets_and_pages_too(names):
    wanted = of_source("spade_core", "spade_core") | of_source("server", "spade_server")
    assert not wanted - names
    some = ("weights/landscape.safetensors", "contract/label_sets/landscape.toml", "evaluation/pages/study.html")
    assert {f"spade_core/{name}" for name in some} <= names


def test_nothing_else_is_in_it_and_no_name_that_other_packages_have(names):
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"spade_core", "spade_server"}
    assert not [name for name in names if "test" in Path(name).parts]


def test_type_checkers_are_told_that_it_is_typed(names):
    assert {"spade_core/py.typed", "spade_server/py.typed"} <= names


def test_both_licences_come_along_and_are_named(names, metadata):
    licences = {name.partition("/licenses/")[2] for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "blender_addon/LICENSE"}
    assert metadata["License-Expression"] == "Apache-2.0 AND GPL-3.0-or-later"


def test_its_licence_expression_names_what_its_files_say_of_themselves_and_no_more(wheel, metadata):
    with zipfile.ZipFile(wheel) as opened:
        code = [name for name in opened.namelist() if name.endswith((".py", ".c"))]
        first = {name: opened.read(name).decode("utf-8").split("\n")[0] for name in code}
    said = {name: line.partition("SPDX-License-Identifier: ")[2].removesuffix(" */").strip() for name, line in first.items()}
    assert set(said.values()) == set(metadata["License-Expression"].split(" AND "))
    assert [name for name, licence in said.items() if licence != "Apache-2.0"] == ["spade_core/render_in_blender.py"]


def test_the_extras_are_those_that_messages_and_pages_name(metadata):
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "docs").glob("*.md")]
    texts += [file.read_text(encoding="utf-8") for file in (ROOT / "spade_core").rglob("*.py")]
    asked = set(re.findall(r"spade-backdrops\[([a-z,]+)\]", " ".join(texts)))
    assert asked and {extra for some in asked for extra in some.split(",")} <= set(metadata.get_all("Provides-Extra"))


def test_its_page_is_markdown_with_nothing_that_only_the_checkout_has(metadata):
    page = metadata.get_payload()
    assert metadata["Description-Content-Type"] == "text/markdown" and page.startswith("# Spade Backdrops")
    assert not re.findall(r"\]\((?!https://)", page), "a package index has no files beside the page"


def test_its_version_is_the_one_of_the_contract_the_citation_and_the_changelog(metadata):
    assert metadata["Version"] == VERSION
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The folder of programs of an environment that has the wheel; what it depends on is lent by this one."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=120)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / Path(sys.executable).name
    words = [*PIP, "--python", python, "install", "--no-deps", "--no-index", wheel]
    ended = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=240)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    lent = Path(np.__file__).parents[1]  # as a line of a .pth file: the editable install in it stays out
    (Path(packages.stdout.strip()) / "lent.pth").write_text(f"{lent}\n", encoding="utf-8")
    return programs


def test_its_server_paints_for_its_command_away_from_the_checkout(installed, tmp_path):
    where = "import spade_core, spade_server; print(spade_core.__file__, spade_server.__file__)"
    python = installed / Path(sys.executable).name
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    seen = subprocess.run(
        [python, "-c", where], capture_output=True, text=True, cwd=tmp_path, env=surroundings, check=True, timeout=60
    )
    assert str(ROOT) not in seen.stdout
    Image.fromarray(np.zeros((64, 96), np.uint8)).save(tmp_path / "labels.png")
    file = tmp_path / "server.json"
    words = [installed / "spade-server", "--connection-file", file, "--parent-pid", str(os.getpid())]
    server = subprocess.Popen(words, cwd=tmp_path, env=surroundings)
    try:
        deadline = time.monotonic() + 90
        while not file.exists():
            assert server.poll() is None and time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)
        words = [installed / "spade", "generate", "labels.png", "-o", "picture.png", "--server", file]
        ended = subprocess.run(
            words, cwd=tmp_path, env=surroundings, capture_output=True, encoding="utf-8", timeout=180
        )
    finally:
        server.terminate()
        server.wait(20)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.size == (96, 64)


@dataclass(frozen=True)
class Away:
    """The installed programs in a folder of a user, with a small data set; nothing of the checkout is near."""

    programs: Path
    folder: Path

    def __call__(self, program: str, *words: object, code: int = 0) -> str:
        ended = subprocess.run(
            [self.programs / program, *map(str, words)],
            cwd=self.folder, env=self.surroundings, capture_output=True, encoding="utf-8", timeout=600,
        )  # fmt: skip
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stdout

    @property
    def surroundings(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def away(installed, tmp_path_factory) -> Away:
    folder = tmp_path_factory.mktemp("away")
    write_set(folder / "data", 48)
    record = recorded(REFERENCE_SET)
    write_options(write_reference_files(folder / "published", record), record)
    return Away(installed, folder)


@pytest.fixture(scope="module")
def trained(away) -> Path:
    """A run's folder, trained by the installed command."""
    small = "--images 4 --batch 2 --size 64 --workers 1 --threads 1 --device cpu --no-bf16 --generator.base-width 4"
    away("spade", "train", "--data", "data", "-o", "run", *small.split())
    assert (away.folder / "run" / "model_00000004.safetensors").is_file()
    return away.folder / "run"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_trains_evaluates_and_imports_away_from_the_checkout(away, trained):
    assert "Everything that is needed works." in away("spade", "doctor")
    judged = away("spade", "evaluate", "--model", "run", "--data", "data", "-o", "judged", "--size", "64")
    assert "real photos" in judged and (away.folder / "judged" / "report.html").is_file()
    assert "imported" in away("spade", "checkpoint", "import", "published", "-o", "taken.safetensors")
    away("spade", "labels", "check", "data/labels/p00.png", "--label-set", "data/label_set.toml")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_serves_what_it_has_trained_away_from_the_checkout(away, trained):
    file = away.folder / "server.json"
    words = ("--models", trained, "--connection-file", file, "--parent-pid", os.getpid(), "--config", os.devnull)
    server = subprocess.Popen([away.programs / "spade-server", *map(str, words)], cwd=away.folder, env=away.surroundings)
    try:
        deadline = time.monotonic() + 120
        while not file.exists():
            assert server.poll() is None and time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
        words = ("data/labels/p00.png", "-o", "picture.png", "--server", file, "--model", trained.name)
        assert "model run" in away("spade", "generate", *words)
    finally:
        server.terminate()
        server.wait(30)
    with Image.open(away.folder / "picture.png") as picture:
        assert picture.size == (96, 96)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(
    importlib.util.find_spec("spade_core.commands.dataset_label") is None, reason="there is no such command"
)
def test_it_labels_photos_away_from_the_checkout(away):
    small = "--crops 16 --passes 1 --size 64 --batch 8 --width 16 --device cpu"
    away("spade", "train-segmenter", "--data", "data", "-o", "segmenter.safetensors", *small.split())
    words = ("data/images", "-o", "labelled", "--segmenter", "segmenter.safetensors", "--sure", "0", "--device", "cpu")
    away("spade", "dataset", "label", *words)
    assert (away.folder / "labelled" / "label_set.toml").is_file()
