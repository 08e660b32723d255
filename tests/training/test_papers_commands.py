# SPDX-License-Identifier: Apache-2.0
"""Every recipe of the paper's tables, on a small copy of ADE20K and at a small width: until a picture and a row of a
table come out."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples import figure3, paper
from examples.paper_rows import FIGURES, TABLES
from spade_core.checkpoint.names import models_of
from spade_core.cli import main
from spade_core.training.presets import PRESETS
from tests.support import published_data
from tests.support.small_data import save

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


COLUMNS = {
    "coco-stuff": (published_data.coco_stuff, "", "--aspect 1"),
    "ade20k-outdoor": (published_data.ade20k, "", "--aspect 1"),
    "cityscapes": (published_data.cityscapes, "--size 128", "--aspect 2"),
    "flickr": (published_data.flickr, "", "--aspect 1"),
}
"""Of the tables, beside ADE20K's: a small copy, and in what it is trained and measured otherwise."""


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The small copy of a column, with photos enough for a number."""

    @cache
    def made(column: str) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(published_data, "PAIRS", {"train": 15, "val": 15})
            root = COLUMNS[column][0](tmp_path_factory.mktemp(column))
        if column == "flickr":  # a hash sets one photo in 41 aside
            names = [f"owner{index % 3}/{index:05}" for index in range(60)]
            rows = [f"{name},{'val' if index < 12 else 'train'}" for index, name in enumerate(names)]
            (root / "index.csv").write_text("\n".join(["name,split", *rows]))
        return root

    return made


@pytest.mark.parametrize("column", COLUMNS)
def test_another_column_is_the_same_command(column: str, copies, tmp_path: Path, monkeypatch):
    _, trained, measured = COLUMNS[column]
    monkeypatch.setitem(TABLES, "table1", TABLES["table1"][:1])
    words = f"table1 --dataset {column} --data {copies(column)} -o {tmp_path} --images 2"
    options = [
        f"--train={SMALL} --generator.base-width 2 {trained}",
        f"--measure=--limit 10 --size 64 --device cpu {measured}",
    ]
    assert paper.main([*words.split(), *options]) == 0
    [row] = json.loads((tmp_path / "table1" / "evaluation.json").read_text())["models"]
    assert row["distance"]["frechet"] > 0


@pytest.mark.parametrize("figure", ["figure5", "figure6"])
def test_pictures_beside_other_systems_are_one_command_and_no_network_is_trained_twice(
    figure: str, ade: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
):
    monkeypatch.setitem(TABLES, "table1", TABLES["table1"][:2])
    monkeypatch.setitem(FIGURES, figure, FIGURES[figure][:2])
    options = [
        f"--train={SMALL} --generator.base-width 2",
        "--measure=--limit 10 --size 64 --aspect 1 --device cpu",
    ]
    for what in ("table1", figure):
        words = f"{what} --dataset ade20k --data {ade} -o {tmp_path} --images 2"
        assert paper.main([*words.split(), *options]) == 0
    assert len(list(tmp_path.rglob("state_*.pt"))) == 2
    page = (tmp_path / figure / "report.html").read_text(encoding="utf-8")
    assert "paper" in page and "pix2pixhd" in page and "data:image" in page


def test_figure_9_is_one_command(copies, tmp_path: Path):
    words = f"figure9 --dataset flickr --data {copies('flickr')} -o {tmp_path} --images 2"
    trained = f"--train={SMALL} --generator.base-width 2 --encoder.base-width 2"
    assert paper.main([*words.split(), trained]) == 0
    picture = np.asarray(Image.open(tmp_path / "figure9.png"))
    maps, styles = paper.MAPS, paper.STYLES
    assert picture.shape[0] % maps == 0 and picture.shape[1] % (styles + 3) == 0


def test_figure_3_is_one_command(tmp_path: Path):
    for index in range(4):
        ids = np.full((96, 96), 6, np.uint8)
        ids[: 30 + 5 * index] = 0
        save(tmp_path / "photos" / "images" / f"{index}.png", np.repeat(ids[..., None] * 20, 3, axis=2))
        save(tmp_path / "photos" / "labels" / f"{index}.png", ids)
    words = f"--data {tmp_path}/photos --run {tmp_path}/run -o {tmp_path}/figure3.png --images 16 --threads 1"
    figure3.main(words.split())
    assert np.asarray(Image.open(tmp_path / "figure3.png")).std() > 20


def test_a_plan_says_how_long_it_takes(ade: Path, capsys: pytest.CaptureFixture[str]):
    words = f"table4 --dataset ade20k --data {ade} -o nowhere --plan --images 4042000"
    assert paper.main(words.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    hours = {line[:34].strip(): int(line.split()[-2]) for line in lines}
    assert len(hours) == len(TABLES["table4"]) and hours["kernel 1x1"] < hours["kernel 5x5"]


PHOTOS = {"coco-stuff": 11_800_000, "ade20k": 4_042_000, "cityscapes": 600_000}
PAGE = (Path(__file__).parents[2] / "docs" / "paper.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", ["table 1", "table 3", "table 4", "table 5"])
def test_the_hours_on_the_page_are_those_of_the_plan(table: str, capsys: pytest.CaptureFixture[str]):
    rows = [line.split("|") for line in PAGE.splitlines() if line.startswith(f"| {table}")]
    [told] = [row[3:6] for row in rows if len(row) == 7]
    for dataset, hours in zip(PHOTOS, told, strict=True):
        words = (
            f"{table.replace(' ', '')} --dataset {dataset} --data x -o y --plan --images {PHOTOS[dataset]}"
        )
        assert paper.main(words.split()) == 0
        planned = [int(line.split()[-2]) for line in capsys.readouterr().out.splitlines()]
        assert sum(planned) == int(hours.replace(",", ""))
