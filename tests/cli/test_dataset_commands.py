# SPDX-License-Identifier: Apache-2.0
"""spade dataset: exit codes for scripts, plain refusals, folders nobody may write to, and disks without room."""

import json
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from spade_core.commands.dataset import LayoutName
from spade_core.contract.labels import load_label_set
from spade_core.data.layouts.layouts import LAYOUTS
from tests.support import exports

LANDSCAPE = load_label_set("landscape")
IDS = np.repeat(np.array([0, 3, 6, 8], np.uint8), 12)[:, None] * np.ones((1, 64), np.uint8)


@pytest.fixture
def data(tmp_path):
    """Six sound pairs, two of them set aside."""
    for folder in ("images", "labels"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for number in range(6):
        photo = np.random.default_rng(number).integers(0, 256, (48, 64, 3)).astype(np.uint8)
        Image.fromarray(photo).save(tmp_path / "data" / "images" / f"p{number}.png")
        Image.fromarray(IDS).save(tmp_path / "data" / "labels" / f"p{number}.png")
    rows = [f"p{number},{'val' if number > 3 else 'train'}" for number in range(6)]
    (tmp_path / "data" / "index.csv").write_text("name,split\n" + "\n".join(rows))
    used = [LANDSCAPE.classes[index] for index in (0, 3, 6, 8)]
    own = type(LANDSCAPE)("own", 1, tuple(used))
    (tmp_path / "data" / "label_set.toml").write_text(own.to_toml())
    return tmp_path / "data"


def test_every_layout_can_be_named_on_the_command_line():
    assert set(get_args(LayoutName)) == {"auto", *LAYOUTS}


def test_check_says_what_there_is_and_leaves_with_0(spade, data):
    ended = spade("dataset", "check", data, "--batch", 4, "--size", 48)
    assert ended.code == 0
    assert "4 train, 2 val" in ended.out and "'own'" in ended.out and "25.00 %" in ended.out
    assert "Nothing would go wrong" in ended.out


def test_brackets_in_names_are_names_and_no_markup(spade, data):
    text = (
        (data / "label_set.toml").read_text().replace('"grass"', '"grass [tall]"').replace('"sky"', '"a[/b]"')
    )
    (data / "label_set.toml").write_text(text)
    for words in (
        ("dataset", "check", data, "--batch", 4, "--size", 48),
        ("labels", "show", data / "label_set.toml"),
    ):
        ended = spade(*words)
        assert ended.code == 0 and "grass [tall]" in ended.out and "a[/b]" in ended.out, ended.err
    palette = data / "palette.csv"
    palette.write_text("id,class\n0,a[/b]\n6,grass [tall]\n")
    ended = spade("dataset", "convert", data / "labels", "-o", data / "new", "--label-set", data / "label_set.toml",
                  "--palette", palette)  # fmt: skip
    assert ended.code == 1 and "id 3" in ended.out and "Something broke" not in ended.err


def test_check_leaves_with_1_for_errors_and_if_strict_for_warnings(spade, data):
    assert spade("dataset", "check", data, "--batch", 9, "--size", 48).code == 0
    assert spade("dataset", "check", data, "--batch", 9, "--size", 48, "--strict").code == 1
    Image.fromarray(np.full((48, 64), 99, np.uint8)).save(data / "labels" / "p1.png")
    ended = spade("dataset", "check", data, "--batch", 4, "--size", 48)
    assert (
        ended.code == 1 and "99" in ended.out and "fix:" in ended.out and "spade dataset convert" in ended.out
    )


def test_check_writes_json_and_a_picture_for_other_programs_and_eyes(spade, data, tmp_path):
    ended = spade("dataset", "check", data, "--json", "--batch", 9, "--size", 48, "-o", "sheet.jpg")
    said = json.loads(ended.out)
    assert said["ready"] and said["pairs"] == {"train": 4, "val": 2} and said["label_set"] == "own"
    assert said["findings"][0]["severity"] == "warning" and said["classes"][0]["pixels"] == 0.25
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.width > 500


@pytest.mark.parametrize(
    "words", [["nowhere"], ["."], ["data", "--layout", "cityscapes"], ["data", "-o", "no/a.jpg"]]
)
def test_check_refuses_plainly_what_is_no_data_set(spade, data, words):
    assert spade("dataset", "check", *words).is_a_plain_refusal


@pytest.fixture
def coloured(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(3):
        Image.fromarray(LANDSCAPE.colorize(IDS)).save(tmp_path / "in" / f"{number}.png")
    return tmp_path / "in"


def test_convert_writes_label_maps_that_labels_check_takes(spade, coloured, tmp_path):
    ended = spade("dataset", "convert", coloured, "-o", "out")
    assert ended.code == 0 and "3 converted" in ended.out
    assert spade("labels", "check", "out/1.png").code == 0
    assert "3 were there already" in spade("dataset", "convert", coloured, "-o", "out").out


def test_convert_names_unknown_colours_with_counts_and_leaves_with_1(spade, coloured):
    rgb = LANDSCAPE.colorize(IDS)
    rgb[0, :5] = (255, 0, 255)
    Image.fromarray(rgb).save(coloured / "1.png")
    ended = spade("dataset", "convert", coloured, "-o", "out")
    assert ended.code == 1 and "2 converted, 1 refused" in ended.out
    assert "#FF00FF" in ended.out and "5" in ended.out and "fix:" in ended.out


def test_convert_into_a_folder_nobody_may_write_to_is_refused(spade, coloured, tmp_path):
    (tmp_path / "out").mkdir(mode=0o500)
    assert spade("dataset", "convert", coloured, "-o", "out").is_a_plain_refusal


def test_an_export_that_cannot_be_written_is_refused_and_leaves_nothing(spade, tmp_path):
    exports.cvat(tmp_path / "export")
    (tmp_path / "locked").mkdir(mode=0o500)
    assert spade("dataset", "convert", "export", "-o", "locked/out").is_a_plain_refusal
    assert not list((tmp_path / "locked").iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_FSIZE stands for a full disk")
@pytest.mark.parametrize("room", [2_000, 9_000], ids=["for no photo", "for no sheet"])
def test_an_export_on_a_full_disk_is_refused_and_leaves_nothing(tmp_path, room):
    import resource

    words = ["dataset", "convert", str(exports.cvat(tmp_path / "export")), "-o", str(tmp_path / "out")]
    ended = subprocess.run(
        [sys.executable, "-m", "spade_core.cli", *words],
        capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )  # fmt: skip
    assert ended.returncode == 2 and "error: " in ended.stderr and "Traceback" not in ended.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["export"]


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_FSIZE stands for a full disk")
def test_convert_on_a_full_disk_is_refused_and_leaves_no_half_file(coloured, tmp_path):
    import resource

    noise = np.random.default_rng(0).integers(0, 17, (300, 300))
    Image.fromarray(LANDSCAPE.colorize(noise)).save(coloured / "large.png")

    def fill_the_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    words = ["dataset", "convert", str(coloured), "-o", str(tmp_path / "out")]
    ended = subprocess.run(
        [sys.executable, "-m", "spade_core.cli", *words],
        capture_output=True, text=True, preexec_fn=fill_the_disk,
    )  # fmt: skip
    assert ended.returncode == 2 and "error: " in ended.stderr and "  fix: " in ended.stderr
    assert "Traceback" not in ended.stderr and "large.png" in ended.stderr
    assert not (tmp_path / "out" / "large.png").exists()
    assert not [file for file in (tmp_path / "out").iterdir() if file.name.endswith(".part")]
