# SPDX-License-Identifier: Apache-2.0
"""Colours become ids exactly, or not at all; what was stopped goes on; what cannot be written leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from spade_core.contract.errors import BadImageError, BadLabelSetError, CannotWriteError
from spade_core.contract.labels import LabelClass, LabelSet, load_label_set
from spade_core.data.conversion import convert
from spade_core.data.pairs import read_labels
from spade_core.data.palette import Palette
from tests.support.small_data import save, stripes

LANDSCAPE = load_label_set("landscape")
OWN = Palette.of(LANDSCAPE)
IDS = stripes(ids=(0, 3, 6, 8))


@pytest.fixture
def coloured(tmp_path):
    """Two coloured maps, one in a folder inside."""
    save(tmp_path / "in" / "a.png", LANDSCAPE.colorize(IDS))
    save(tmp_path / "in" / "deep" / "b.png", LANDSCAPE.colorize(IDS[::-1]))
    return tmp_path / "in"


def table(tmp_path, *rows):
    path = tmp_path / "palette.csv"
    path.write_text("\n".join(rows))
    return str(path)


def test_the_sets_own_colours_become_its_ids(coloured, tmp_path):
    done = convert(coloured, tmp_path / "out", OWN)
    assert len(done.written) == 2 and not done.refused
    np.testing.assert_array_equal(read_labels(tmp_path / "out" / "a.png", LANDSCAPE), IDS)
    np.testing.assert_array_equal(read_labels(tmp_path / "out" / "deep" / "b.png", LANDSCAPE), IDS[::-1])


def test_a_coloured_map_with_a_palette_is_read_by_its_colours(tmp_path):
    image = Image.fromarray(LANDSCAPE.colorize(IDS)).quantize(16)
    (tmp_path / "in").mkdir()
    image.save(tmp_path / "in" / "a.png")
    convert(tmp_path / "in", tmp_path / "out", OWN)
    np.testing.assert_array_equal(read_labels(tmp_path / "out" / "a.png", LANDSCAPE), IDS)


@pytest.mark.parametrize(
    "rows",
    [
        ("color,class", "#FF0000,tree", "00FF00,grass", "#000000,ignore"),
        ("r,g,b,class", "255,0,0,8", "0,255,0,6", "0,0,0,255"),
    ],
)
def test_a_table_may_say_what_colours_mean(tmp_path, rows):
    rgb = np.zeros((6, 4, 3), np.uint8)
    rgb[:2, :, 0], rgb[2:4, :, 1] = 255, 255
    save(tmp_path / "in" / "a.png", rgb)
    convert(tmp_path / "in", tmp_path / "out", Palette.read(table(tmp_path, *rows), LANDSCAPE))
    read = read_labels(tmp_path / "out" / "a.png", LANDSCAPE)
    assert read[:, 0].tolist() == [8, 8, 6, 6, 255, 255]


def test_another_sets_colours_go_to_classes_of_the_same_names(tmp_path):
    theirs = LabelSet("theirs", 1, (LabelClass(0, "Tree", "#010203"), LabelClass(1, "sky", "#040506")))
    (tmp_path / "theirs.toml").write_text(theirs.to_toml())
    save(tmp_path / "in" / "a.png", theirs.colorize(np.array([[0, 1]], np.uint8)))
    convert(tmp_path / "in", tmp_path / "out", Palette.read(str(tmp_path / "theirs.toml"), LANDSCAPE))
    assert read_labels(tmp_path / "out" / "a.png", LANDSCAPE).tolist() == [[8, 0]]


def test_a_table_of_ids_moves_ids(tmp_path):
    save(tmp_path / "in" / "a.png", np.array([[17, 4000]], np.uint16))
    palette = Palette.read(table(tmp_path, "id,class", "17,tree", "4000,sky"), LANDSCAPE)
    convert(tmp_path / "in", tmp_path / "out", palette)
    assert read_labels(tmp_path / "out" / "a.png", LANDSCAPE).tolist() == [[8, 0]]


@pytest.mark.parametrize(
    "rows",
    [
        ("color,class", "#FF0000,tree", "#FF0000,grass"),
        ("color,class", "#FF00,tree"),
        ("color,class", "#FF0000,unicorn"),
        ("colour,name", "#FF0000,tree"),
        ("r,g,b,class", "256,0,0,tree"),
        ("color,class",),
    ],
)
def test_a_table_that_cannot_be_trusted_is_refused(tmp_path, rows):
    with pytest.raises(BadLabelSetError) as caught:
        Palette.read(table(tmp_path, *rows), LANDSCAPE)
    assert caught.value.fix


def test_a_set_in_which_two_classes_share_a_colour_needs_a_table():
    classes = (LabelClass(0, "a", "#111111"), LabelClass(1, "b", "#111111"))
    with pytest.raises(BadLabelSetError, match="two classes"):
        Palette.of(LabelSet("twins", 1, classes))


def unmapped(tmp_path):
    rgb = LANDSCAPE.colorize(IDS)
    rgb[5, 5], rgb[30, 30:34] = rgb[5, 5] + 3, (255, 0, 255)
    save(tmp_path / "in" / "a.png", rgb)
    return tmp_path / "in"


def test_unknown_colours_refuse_their_picture_and_are_counted(tmp_path):
    done = convert(unmapped(tmp_path), tmp_path / "out", OWN)
    assert not list((tmp_path / "out").rglob("*.png")) and len(done.refused) == 1
    assert done.unmapped[0xFF00FF] == 4 and len(done.unmapped) == 2
    assert "#FF00FF" in next(iter(done.refused.values())).message


def test_a_tolerance_takes_the_nearest_colour_and_no_farther_one(tmp_path):
    done = convert(unmapped(tmp_path), tmp_path / "out", OWN, tolerance=3, unknown="ignore")
    read = read_labels(tmp_path / "out" / "a.png", LANDSCAPE)
    assert dict(done.unmapped) == {0xFF00FF: 4}
    assert read[5, 5] == IDS[5, 5] and (read[30, 30:34] == 255).all() and (read == IDS).sum() == IDS.size - 4
    assert OWN.nearest(0xFF00FF)[1] > 3


def test_soft_borders_take_the_id_of_the_nearest_known_pixel(tmp_path):
    soft = Image.fromarray(LANDSCAPE.colorize(IDS)).resize((128, 96), Image.Resampling.BILINEAR)
    (tmp_path / "in").mkdir()
    soft.save(tmp_path / "in" / "a.png")
    done = convert(tmp_path / "in", tmp_path / "out", OWN, unknown="nearby")
    assert done.unmapped
    hard = np.asarray(Image.fromarray(IDS).resize((128, 96), Image.Resampling.NEAREST))
    read = read_labels(tmp_path / "out" / "a.png", LANDSCAPE)
    assert set(np.unique(read)) == set(np.unique(IDS)) and (read == hard).mean() > 0.97


def test_transparent_places_mean_nothing(tmp_path):
    rgba = np.dstack([LANDSCAPE.colorize(IDS), np.full_like(IDS, 255)])
    rgba[0, :7, 3] = 100
    save(tmp_path / "in" / "a.png", rgba)
    assert dict(convert(tmp_path / "in", tmp_path / "out", OWN, unknown="ignore").unmapped) == {-1: 7}


def test_a_damaged_picture_is_refused_and_the_others_are_converted(coloured, tmp_path):
    (coloured / "c.png").write_bytes((coloured / "a.png").read_bytes()[:90])
    done = convert(coloured, tmp_path / "out", OWN)
    assert len(done.written) == 2 and [file.name for file in done.refused] == ["c.png"]


def test_what_is_there_is_left_unless_its_source_is_newer(coloured, tmp_path):
    convert(coloured, tmp_path / "out", OWN)
    again = convert(coloured, tmp_path / "out", OWN)
    assert not again.written and len(again.skipped) == 2
    later = time.time() + 5
    os.utime(coloured / "a.png", (later, later))
    assert [file.name for file in convert(coloured, tmp_path / "out", OWN).written] == ["a.png"]


def test_two_conversions_never_mix_in_one_folder(coloured, tmp_path):
    convert(coloured, tmp_path / "out", OWN)
    other = Palette.read(table(tmp_path, "color,class", "#87BEEB,tree"), LANDSCAPE)
    for options in ({"palette": other}, {"palette": OWN, "tolerance": 2}):
        with pytest.raises(CannotWriteError, match="another palette"):
            convert(coloured, tmp_path / "out", **options)


def test_what_was_converted_is_never_a_source(coloured, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inside = coloured.relative_to(tmp_path) / "out"  # named as the shell does, the source in full
    first = convert(coloured, inside, OWN)
    again = convert(coloured, inside, OWN)
    assert first.written == again.skipped and not again.written and not again.refused
    with pytest.raises(CannotWriteError, match="take the place"):
        convert(coloured, coloured.relative_to(tmp_path), OWN)


def test_an_empty_folder_and_twins_are_refused(coloured, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadImageError, match="no pictures"):
        convert(tmp_path / "empty", tmp_path / "out", OWN)
    save(coloured / "a.bmp", LANDSCAPE.colorize(IDS))
    with pytest.raises(BadImageError, match="have the name a"):
        convert(coloured, tmp_path / "out", OWN)


SLOWLY = """
import sys, time
from pathlib import Path
from spade_core import files
from spade_core.contract.labels import load_label_set
from spade_core.data import conversion
from spade_core.data.palette import Palette
write = files.os.replace
def slow(part, path):
    time.sleep(0.05)
    write(part, path)
files.os.replace = slow
source, output = map(Path, sys.argv[1:3])
conversion.convert(source, output, Palette.of(load_label_set("landscape")))
"""


@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.8])
def test_a_conversion_that_was_killed_goes_on_and_ends_as_one_that_was_not(tmp_path, seconds):
    for number in range(12):
        save(tmp_path / "in" / f"{number}.png", LANDSCAPE.colorize(np.roll(IDS, number, axis=0)))
    child = subprocess.Popen([sys.executable, "-c", SLOWLY, tmp_path / "in", tmp_path / "out"])
    deadline = time.monotonic() + 60
    while not (tmp_path / "out" / "conversion.json").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (tmp_path / "out" / "conversion.json").exists()
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    child.wait()
    for file in (tmp_path / "out").glob("*.png"):
        read_labels(file, LANDSCAPE)  # whatever is there is whole
    convert(tmp_path / "in", tmp_path / "out", OWN)
    for number in range(12):
        read = read_labels(tmp_path / "out" / f"{number}.png", LANDSCAPE)
        np.testing.assert_array_equal(read, np.roll(IDS, number, axis=0))
    assert sorted(file.suffix for file in (tmp_path / "out").iterdir()) == [".json"] + [".png"] * 12


def test_a_conversion_of_which_all_was_refused_leaves_nothing_so_that_another_way_can_be_tried(tmp_path):
    save(tmp_path / "coloured" / "a.png", np.full((40, 40, 3), 77, np.uint8))
    out = tmp_path / "labels"
    done = convert(tmp_path / "coloured", out, Palette.of(LANDSCAPE), 0, "refuse", lambda *_: None)
    assert done.refused and not out.exists()
    done = convert(tmp_path / "coloured", out, Palette.of(LANDSCAPE), 0, "ignore", lambda *_: None)
    assert len(done.written) == 1
