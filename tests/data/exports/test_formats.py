# SPDX-License-Identifier: Apache-2.0
"""Whatever program wrote an export: it becomes a data set with exactly its pixels and names, and is recognised."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from spade_core.cli import main
from spade_core.data.exports.registry import how_to_convert, known_formats, recognised
from spade_core.data.layouts.layouts import label_set_of
from tests.support import exports
from tests.support.conversions import convert, name_of, read
from tests.support.exports import NAMES, PHOTOS, WRITERS

pytest.importorskip("pycocotools")
pytest.importorskip("pyarrow")


def test_every_format_has_a_test_of_its_own():
    assert set(WRITERS) == set(known_formats())


WITH_NAMES = [name for name in WRITERS if name not in ("pix2pix", "black-and-white")]


@pytest.mark.parametrize("name", WITH_NAMES)
def test_an_export_becomes_a_data_set_with_exactly_its_pixels_and_names(tmp_path, name):
    root = WRITERS[name](tmp_path / "export")
    assert convert(root, "-o", tmp_path / "out") == 0
    found = read(tmp_path / "out")
    assert len(found) == len(PHOTOS)
    for _, moved in exports.moves():
        assert name_of(moved, found)
    assert {entry.name for entry in label_set_of(tmp_path / "out").classes} == set(NAMES)
    assert (tmp_path / "out" / "contact_sheet.jpg").exists() and not (tmp_path / "out.part").exists()


@pytest.mark.parametrize("name", WRITERS)
def test_check_recognises_an_export_and_names_the_command_that_reads_it(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    WRITERS[name](tmp_path / "my export")
    assert [each.name for each in recognised(tmp_path / "my export")] == [name]
    main(["dataset", "check", "my export"])
    said = capsys.readouterr()
    command = re.search(r"`(spade dataset convert .*?)`", (said.out + said.err).replace("\n", " "))
    assert command and main(shlex.split(command[1])[1:]) == 0, said
    capsys.readouterr()
    main(["dataset", "check", "my export_data"])
    assert "3 train" in capsys.readouterr().out, "what was written is a data set"


@pytest.mark.parametrize("named", [".", "../export.v2", "annotations.xml"])
def test_the_command_that_check_names_works_from_inside_the_export_and_for_a_file(
    tmp_path, monkeypatch, capsys, named
):
    monkeypatch.chdir(exports.cvat_xml(tmp_path / "export.v2"))
    found = recognised(Path(named))
    assert [each.name for each in found] == ["cvat-xml"]
    command = how_to_convert(Path(named), found).strip("`")
    assert main(["dataset", "check", named]) == 2 and command in capsys.readouterr().err
    assert main(shlex.split(command)[1:]) == 0
    made = {"annotations.xml": tmp_path / "export.v2" / "annotations_data"}.get(
        named, tmp_path / "export.v2_data"
    )
    assert len(read(made)) == 3


@pytest.mark.parametrize("name", [name for name in WITH_NAMES if name != "parquet"])
def test_an_export_without_its_photos_is_refused_leaves_nothing_and_takes_them_from_elsewhere(
    tmp_path, capsys, name
):
    root = WRITERS[name](tmp_path / "export")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in [*root.rglob("*.jpg")]:
        file.rename(elsewhere / file.name)
    assert convert(root, "-o", tmp_path / "out", "--format", name) == 2
    assert "--photos" in capsys.readouterr().err
    assert {file.name for file in tmp_path.iterdir()} == {"export", "elsewhere"}
    assert convert(root, "-o", tmp_path / "out", "--format", name, "--photos", elsewhere) == 0
    assert len(read(tmp_path / "out")) == 3


def test_an_export_whose_every_file_is_nonsense_ends_in_a_sentence(tmp_path, capsys):
    """Each of some changes to JSON is taken, or refused plainly: no traceback, nothing left behind."""
    random = np.random.default_rng(10)
    values = [None, -1, 1e30, "", "x", [], {}, [[]], True, float("nan")]
    for number, name in enumerate(["labelme", "coco", "label-studio", "supervisely"] * 8):
        place = tmp_path / str(number)
        root = WRITERS[name](place / "export")
        file = sorted(root.rglob("*.json"))[int(random.integers(len(list(root.rglob("*.json")))))]
        held = json.loads(file.read_text())
        _change(held, random, values)
        file.write_text(json.dumps(held))
        code = convert(root, "-o", place / "out", "--format", name)
        said = capsys.readouterr()
        assert code in (0, 1, 2), said
        assert "Something broke" not in said.err, (name, said.err)
        assert code != 2 or not (place / "out").exists()


def _change(held: object, random: np.random.Generator, values: list) -> None:
    """One value somewhere below becomes another one."""
    while True:
        keys = (
            list(held) if isinstance(held, dict) else list(range(len(held))) if isinstance(held, list) else []
        )
        if not keys:
            return
        key = keys[int(random.integers(len(keys)))]
        if not isinstance(held[key], dict | list) or random.random() < 0.2:
            held[key] = values[int(random.integers(len(values)))]
            return
        held = held[key]
