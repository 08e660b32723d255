# SPDX-License-Identifier: Apache-2.0
"""`spade dataset check` says what it saw and passed over: endings, splits, spellings, label sets, masks."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from spade_core.cli import main
from spade_core.contract.labels import LabelClass, LabelSet
from spade_core.data.layouts.layouts import find_pairs, label_set_of
from spade_core.training.summary import _classes
from tests.support.small_data import save, stripes

THREE = LabelSet("three", 1, tuple(LabelClass(i, n, c) for i, n, c in (
    (0, "sky", "#87BEEB"), (3, "hill", "#6E7F95"), (6, "grass", "#5DA130"),
)))  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six sound pairs with a label set, each photo another one."""
    root = tmp_path / "data"
    for number in range(6):
        photo = np.random.default_rng(number).integers(0, 256, (48, 64, 3)).astype(np.uint8)
        save(root / "images" / f"p{number}.png", photo)
        save(root / "labels" / f"p{number}.png", stripes())
    rows = [f"p{number},{'val' if number > 3 else 'train'}" for number in range(6)]
    (root / "index.csv").write_text("name,split\n" + "\n".join(rows))
    (root / "label_set.toml").write_text(THREE.to_toml())
    return root


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]):
    def run(root: Path) -> tuple[int, str]:
        code = main(["dataset", "check", str(root), "--batch", "2", "--size", "48"])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_a_sound_data_set_has_nothing_to_say_of_what_was_passed_over(data, check):
    (data / ".DS_Store").write_bytes(b"")
    (data / "images" / "Thumbs.db").write_bytes(b"")
    for own in ("conversion.json", "labelling.json", "render.json"):  # what our own commands leave
        (data / own).write_text("{}")
    code, said = check(data)
    assert code == 0 and "Nothing would go wrong" in said and "note:" not in said and "assed over" not in said


def test_pictures_of_endings_that_are_not_read_are_warned_of_and_other_files_are_noted(data, check):
    for name in ("p6.heic", "p7.heic", "p8.bmp"):
        (data / "images" / name).write_bytes(b"x")
    np.save(data / "labels" / "p6.npy", stripes())
    (data / "notes.txt").write_text("x")
    code, said = check(data)
    assert code == 0
    for words in (
        "images/: 2 .heic are passed over",
        "images/: 1 .bmp",
        "labels/: 1 .npy",
        "save them as JPEG",
    ):
        assert words in said
    assert "note: Passed over: ./: 1 .txt." in said


@pytest.mark.parametrize(
    ("photo", "label", "said"),
    [
        (".bmp", ".png", "images/: 6 .bmp"),
        (".heic", ".png", "are read as photos"),
        (".png", ".npy", "are read as label maps"),
        (".png", ".jpg", "labels/: 6 .jpg"),
    ],
)
def test_a_folder_without_any_pair_says_what_lies_there_instead(data, check, photo, label, said):
    for kind, ending in (("images", photo), ("labels", label)):
        for file in (data / kind).iterdir():
            file.rename(file.with_suffix(ending))
    code, text = check(data)
    assert code == 2 and said in text and "fix:" in text


def test_names_that_differ_by_what_they_all_end_in_are_paired_by_the_command_that_is_named(
    data, check, tmp_path
):
    for kind in ("images", "labels"):
        for file in (data / kind).iterdir():
            file.rename(file.with_stem(f"{file.stem}_{kind[:-1]}"))
    code, said = check(data)
    assert code == 2 and "'_image' and '_label'" in said
    command = said.split("`")[1].split()
    assert main(command[1:]) == 0
    assert len(find_pairs(data.with_name("data_data"), None)) == 6


def test_one_name_in_two_spellings_is_a_pair_and_is_said(data, check):
    for kind, form in (("images", "NFD"), ("labels", "NFC")):
        name = unicodedata.normalize(form, "äöü")
        (data / kind / "p0.png").rename(data / kind / f"{name}.png")
    index = (data / "index.csv").read_text().replace("p0,", unicodedata.normalize("NFD", "äöü") + ",")
    (data / "index.csv").write_text(index)
    assert len(find_pairs(data, "train")) == 4
    code, said = check(data)
    assert code == 0 and "NFC and NFD" in said and "no label map" not in said
    shutil.copy(data / "images" / "p1.png", data / "images" / f"{unicodedata.normalize('NFC', 'äöü')}.png")
    assert check(data)[0] == 2, "two photos whose names look the same"


def test_an_index_may_have_endings_spaces_and_the_usual_words_for_splits(data):
    rows = [f"p{number}.PNG, {'validation' if number > 3 else 'Training'}" for number in range(6)]
    (data / "index.csv").write_text("name, split\n" + "\n".join(rows))
    assert len(find_pairs(data, "train")) == 4 and len(find_pairs(data, "val")) == 2


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([f"p{number},holdout" for number in range(6)], "puts none into train or val"),
        ([f"photo {number},train" for number in range(6)], "Write names as p0 into index.csv"),
    ],
)
def test_an_index_that_leaves_no_pair_is_what_is_blamed(data, check, rows, said):
    (data / "index.csv").write_text("name,split\n" + "\n".join(rows))
    code, text = check(data)
    assert code == 2 and said in text


def test_other_splits_of_an_index_and_test_folders_are_said(data, check):
    index = (data / "index.csv").read_text().replace("p0,train", "p0,test").replace("p1,train", "p1,spare")
    (data / "index.csv").write_text(index)
    code, said = check(data)
    assert "2 train, 2 val" in said and "1 name into 'test'" in said and "1 name into 'spare'" in said
    assert "assed over" not in said, "they are said once"
    (data / "index.csv").unlink()
    for kind in ("images", "labels"):
        for number, split in enumerate(["train", "train", "train", "val", "val", "test"]):
            file = data / kind / f"p{number}.png"
            (data / kind / split).mkdir(exist_ok=True)
            file.rename(data / kind / split / file.name)
    code, said = check(data)
    assert code == 0 and "3 train, 2 val" in said and "images/test/: 1 .png are passed over" in said


def test_a_missing_label_set_is_said_and_one_of_another_name_is_named(data, check):
    (data / "label_set.toml").rename(data / "labels.toml")
    code, said = check(data)
    assert "Labels of 'landscape'" in said and "no label_set.toml (labels.toml is not called so)" in said


@pytest.mark.parametrize("own", [True, False])
def test_masks_of_0_and_255_are_an_error_with_the_command_that_makes_two_classes_of_them(data, check, own):
    if not own:
        (data / "label_set.toml").unlink()
    for file in (data / "labels").iterdir():
        save(file, stripes(ids=(0, 255)))
    code, said = check(data)
    assert code == 1 and "only 0 and 255" in said
    begun = _classes(find_pairs(data, "train"), label_set_of(data))
    assert any("only 0 and 255" in line for line in begun), "training says it before it begins"
    command = said.split("two classes of them: `")[1].split("`")[0].split()
    assert main(command[1:]) == 0
    assert check(data.with_name("data_data"))[0] == 0


def test_masks_of_0_and_255_are_fine_where_both_are_classes_and_where_one_class_is_shown_beside_others(
    data, check
):
    save(data / "labels" / "p0.png", stripes(ids=(0, 255)))
    assert "0 and 255" not in check(data)[1]
    for file in (data / "labels").iterdir():
        save(file, stripes(ids=(0, 255)))
    both = LabelSet("both", 1, (LabelClass(0, "off", "#000001"), LabelClass(255, "on", "#FFFFFF")), 254)
    (data / "label_set.toml").write_text(both.to_toml())
    code, said = check(data)
    assert code == 0 and "0 and 255" not in said
