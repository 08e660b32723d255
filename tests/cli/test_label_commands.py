# SPDX-License-Identifier: Apache-2.0
"""spade labels: what it shows, which files count as label maps, and how the others are refused."""

import numpy as np
import pytest
from PIL import Image

from spade_core.contract.labels import load_label_set, shipped_label_sets

LANDSCAPE = load_label_set("landscape")


def save(path, pixels, **options):
    Image.fromarray(np.asarray(pixels)).save(path, **options)
    return path


def test_list_names_every_shipped_label_set(spade):
    ended = spade("labels", "list")
    assert ended.code == 0
    assert all(
        name in ended.out and load_label_set(name).digest[:12] in ended.out for name in shipped_label_sets()
    )


def test_show_prints_every_class_with_its_id_and_colour(spade):
    ended = spade("labels", "show", "landscape")
    assert ended.code == 0
    assert all(entry.name in ended.out and entry.color in ended.out for entry in LANDSCAPE.classes)


def test_show_reads_a_users_own_set_whatever_its_name(spade, tmp_path):
    own = tmp_path / "Größe 風景.toml"
    own.write_text(
        'name = "風景"\n[[classes]]\nid = 0\nname = "Himmel"\ncolor = "#0000FF"\n', encoding="utf-8"
    )
    ended = spade("labels", "show", own)
    assert ended.code == 0 and "風景" in ended.out and "Himmel" in ended.out


@pytest.mark.parametrize("text", ["not toml [", 'name = "x"', "\x00\xff"])
def test_a_file_that_is_no_label_set_is_refused(spade, tmp_path, text):
    (tmp_path / "own.toml").write_text(text, encoding="latin-1")
    assert spade("labels", "show", "own.toml").is_a_plain_refusal


def test_check_tells_the_share_of_each_class(spade, labels):
    ended = spade("labels", "check", labels)
    assert ended.code == 0
    assert "64 x 48" in ended.out and "grass" in ended.out and "33.3 %" in ended.out


@pytest.mark.parametrize(
    "kind", ["palette", "16 bit", "one-bit", "colours", "colours with alpha", "ids with alpha"]
)
def test_every_unambiguous_way_to_write_ids_is_understood(spade, tmp_path, labels, kind):
    with Image.open(labels) as opened:
        ids = np.asarray(opened)
    if kind == "palette":
        image = Image.fromarray(ids, mode="P")
        image.putpalette([7, 7, 7] * 256)  # a palette's colours mean nothing: its indices are the ids
    elif kind == "16 bit":
        image = Image.fromarray(ids.astype(np.uint16))
    elif kind == "one-bit":
        ids = (ids > 0).astype(np.uint8)
        image = Image.fromarray(ids.astype(bool))
    elif kind.startswith("colours"):
        image = Image.fromarray(LANDSCAPE.colorize(ids))
        image = image.convert("RGBA") if "alpha" in kind else image
    else:
        image = Image.fromarray(np.dstack([ids, np.full_like(ids, 255)]), mode="LA")
    image.save(tmp_path / "other.png")
    assert spade("labels", "colorize", "other.png", "-o", "out.png").code == 0
    with Image.open(tmp_path / "out.png") as made:
        assert np.array_equal(np.asarray(made), LANDSCAPE.colorize(ids))


GREY = np.full((40, 40), 200, np.uint8)
REFUSED = {
    "ids outside the set": (lambda p: save(p, GREY), "200"),
    "colours outside the set": (lambda p: save(p, np.dstack([GREY] * 3)), "#C8C8C8"),
    "transparent": (lambda p: save(p, np.dstack([GREY, GREY, GREY, GREY])), "transparent"),
    "floats": (lambda p: save(p.with_suffix(".tif"), GREY.astype(np.float32)).rename(p), "pixels"),
    "a jpeg": (lambda p: save(p, GREY * 0, format="JPEG"), "JPEG"),
    "empty": (lambda p: p.write_bytes(b""), "empty"),
    "text": (lambda p: p.write_text("hello"), "not a picture"),
    "a folder": (lambda p: p.mkdir(), "folder"),
    "missing": (lambda p: None, "no file"),
    "over the limit": (lambda p: save(p, np.zeros((1, 5000), np.uint8)), "5000 x 1"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_label_map_is_refused_in_one_sentence(spade, tmp_path, what):
    make, said = REFUSED[what]
    make(tmp_path / "map.png")
    ended = spade("labels", "check", "map.png")
    assert ended.is_a_plain_refusal and said in ended.err, ended


def test_a_label_map_cut_short_is_refused(spade, labels):
    labels.write_bytes(labels.read_bytes()[:-30])
    ended = spade("labels", "check", labels)
    assert ended.is_a_plain_refusal and "cut short" in ended.err


def test_a_colour_that_two_classes_share_is_refused_and_not_guessed(spade, tmp_path):
    classes = [
        f'[[classes]]\nid = {id}\nname = "{name}"\ncolor = "#102030"\n'
        for id, name in enumerate(("oak", "elm"))
    ]
    (tmp_path / "own.toml").write_text('name = "trees"\n' + "".join(classes))
    save(tmp_path / "map.png", np.full((40, 40, 3), [0x10, 0x20, 0x30], np.uint8))
    ended = spade("labels", "check", "map.png", "--label-set", "own.toml")
    assert ended.is_a_plain_refusal and "may mean oak and elm" in ended.err


def test_colorize_never_overwrites_the_label_map_itself(spade, labels):
    before = labels.read_bytes()
    assert spade("labels", "colorize", labels, "-o", labels).is_a_plain_refusal
    assert labels.read_bytes() == before


def test_an_existing_output_is_kept_when_the_input_is_bad(spade, tmp_path):
    save(tmp_path / "map.png", GREY)
    (tmp_path / "out.png").write_bytes(b"precious")
    assert spade("labels", "colorize", "map.png", "-o", "out.png").is_a_plain_refusal
    assert (tmp_path / "out.png").read_bytes() == b"precious"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["map.png", "out.png"]


@pytest.mark.parametrize("output", ["missing/out.png", "out", "out.psd", "."])
def test_an_output_that_cannot_be_is_refused(spade, labels, output):
    assert spade("labels", "colorize", labels, "-o", output).is_a_plain_refusal


def test_a_read_only_folder_is_refused(spade, labels, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    ended = spade("labels", "colorize", labels, "-o", locked / "out.png")
    assert ended.is_a_plain_refusal and "cannot be written" in ended.err
    assert not list(locked.iterdir())


def test_paths_need_not_be_ascii(spade, labels, tmp_path):
    folder = tmp_path / "Präsentation 風景"
    folder.mkdir()
    moved = labels.rename(folder / "étiquettes.png")
    assert spade("labels", "colorize", moved, "-o", folder / "couleurs é.png").code == 0
    assert (folder / "couleurs é.png").exists()
