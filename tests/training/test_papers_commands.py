# SPDX-License-Identifier: Apache-2.0
"""Every recipe of the paper's tables, on a small copy of ADE20K and at a small width: until a picture and a row of a
table come out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples import paper
from examples.paper_rows import TABLES
from spade_core.checkpoint.names import models_of
from spade_core.cli import main
from spade_core.training.presets import PRESETS
from tests.support import published_data

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

OPTIONS = (
    "--size 64 --load-size 72 --batch 1 --device cpu --threads 1 --workers 0 --images 2 --save-every 2 "
    "--perceptual taps"
)
NARROW = {
    "crn": "--generator.max-width 8",
    "pix2pixhd-enhanced": "--size 128 --load-size 136 --generator.base-width 2",
}
RECIPES = [name for name in PRESETS if not name.startswith("frozen")]


@pytest.fixture(scope="module")
def ade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published_data, "PAIRS", {"train": 12, "val": 12})
        return published_data.ade20k(tmp_path_factory.mktemp("ade"))


@pytest.fixture(scope="module")
def trained() -> dict[str, Path]:
    return {}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains_and_paints(recipe: str, ade: Path, trained: dict[str, Path], tmp_path_factory):
    run = tmp_path_factory.mktemp(recipe.replace("+", "p"))
    narrow = NARROW.get(recipe, "--generator.base-width 2")
    words = ["train", recipe, "--data", str(ade), "-o", str(run), *OPTIONS.split(), *narrow.split()]
    if recipe == "paper-style":
        words += ["--encoder.base-width", "2"]
    assert main(words) == 0
    model = models_of(run)[-1]
    labels = ade / "ADEChallengeData2016" / "annotations" / "validation" / "ADE_val_00000003.png"
    assert main(["generate", str(labels), "-o", str(run / "out.png"), "--model", str(model)]) == 0
    assert np.asarray(Image.open(run / "out.png")).shape == (96, 128, 3)
    trained[recipe] = model


def test_all_of_them_have_a_row_in_one_table(ade: Path, trained: dict[str, Path], tmp_path: Path):
    assert len(trained) > 15
    models = list(map(str, trained.values()))
    words = ["evaluate", "--model", *models, "--data", str(ade), "--protocol", "ade20k", "--limit", "10"]
    assert main([*words, "--size", "64", "--aspect", "1", "-o", str(tmp_path), "--device", "cpu"]) == 0
    rows = json.loads((tmp_path / "evaluation.json").read_text())["models"]
    assert len(rows) == len(trained) and all(row["distance"]["frechet"] > 0 for row in rows)


SMALL = (
    "--size 64 --load-size 72 --batch 1 --device cpu --threads 1 --workers 0 --save-every 2 --perceptual taps"
)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_one_command(table: str, ade: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # CRN has another word for its width; what its row trains is in the test of recipes.
    rows = tuple(row for row in TABLES[table] if row.recipe != "crn")
    monkeypatch.setitem(TABLES, table, rows)
    measure = "--limit 10 --size 64 --aspect 1 --device cpu" if table != "table2" else "--pairs 4"
    words = f"{table} --dataset ade20k --data {ade} -o {tmp_path} --images 2"
    trained = f"--train={SMALL} --generator.base-width 2"
    assert paper.main([*words.split(), trained, f"--measure={measure}"]) == 0
    if table == "table2":
        assert "pix2pixhd" in (tmp_path / "table2.html").read_text()
        return
    measured = json.loads((tmp_path / table / "evaluation.json").read_text())["models"]
    assert len(measured) == len(rows) and all(row["distance"]["frechet"] > 0 for row in measured)


def test_figure_9_is_one_command(ade: Path, tmp_path: Path):
    words = f"figure9 --dataset ade20k --data {ade} -o {tmp_path} --images 2"
    trained = f"--train={SMALL} --generator.base-width 2 --encoder.base-width 2"
    assert paper.main([*words.split(), trained]) == 0
    picture = np.asarray(Image.open(tmp_path / "figure9.png"))
    maps, styles = paper.MAPS, paper.STYLES
    assert picture.shape[0] % maps == 0 and picture.shape[1] % (styles + 3) == 0


def test_a_plan_says_how_long_it_takes(ade: Path, capsys: pytest.CaptureFixture[str]):
    words = f"table4 --dataset ade20k --data {ade} -o nowhere --plan --images 4042000"
    assert paper.main(words.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    hours = {line[:34].strip(): int(line.split()[-2]) for line in lines}
    assert len(hours) == len(TABLES["table4"]) and hours["kernel 1x1"] < hours["kernel 5x5"]
