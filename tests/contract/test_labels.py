# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from spade_core.contract.errors import BadLabelError, BadLabelSetError, BadShapeError
from spade_core.contract.labels import (
    LabelClass,
    LabelSet,
    load_label_set,
    parse_label_set,
    shipped_label_sets,
)

# Checkpoints and saved scenes carry these: they must never change by accident.
DIGESTS = {
    "landscape": "8e1c8493072681357781be497fb4fc313949695b02d49ffadcc7b70b909d0630",
    "coco_stuff": "f1cc802a3fed6a3cdc76d50e2fbc2e7acaa76feb373359d8855a909b38f98c6a",
    "ade20k": "08acb94b8e1ee37931a353a3d482508340e0c75870805682e2625067952b4f31",
    "cityscapes": "894ead1a69b7fc7cf6a14095c51cac742d7c2cdc80e622a9860b05a06b579241",
}


@pytest.fixture(scope="module")
def landscape() -> LabelSet:
    return load_label_set("landscape")


@pytest.mark.parametrize("name", shipped_label_sets())
def test_the_digest_of_a_shipped_set_never_changes(name):
    assert load_label_set(name).digest == DIGESTS[name]


@pytest.mark.parametrize(
    ("name", "count", "ignore_id"),
    [("landscape", 17, 255), ("coco_stuff", 182, 255), ("ade20k", 151, 255), ("cityscapes", 34, 0)],
)
def test_a_shipped_set_has_the_ids_of_its_tables(name, count, ignore_id):
    label_set = load_label_set(name)
    assert [entry.id for entry in label_set.classes] == list(range(count))
    assert label_set.ignore_id == ignore_id
    assert label_set.dtype is np.uint8
    assert len({entry.color for entry in label_set.classes}) == count, "two classes look the same"


def test_colours_and_aliases_may_change_without_changing_the_digest(landscape):
    repainted = LabelSet(
        "renamed", 7, tuple(LabelClass(entry.id, entry.name, "#000000") for entry in landscape.classes), 255
    )
    assert repainted.digest == landscape.digest


def test_names_and_the_ignore_id_change_the_digest(landscape):
    first, *others = landscape.classes
    renamed = LabelSet("landscape", 1, (LabelClass(0, "heaven", first.color), *others), 255)
    assert renamed.digest != landscape.digest
    assert LabelSet("landscape", 1, landscape.classes, 254).digest != landscape.digest


@pytest.mark.parametrize("name", shipped_label_sets())
def test_a_set_survives_being_written_and_read(name):
    label_set = load_label_set(name)
    assert parse_label_set(label_set.to_toml()) == label_set


def test_a_set_with_odd_names_survives_being_written_and_read():
    odd = LabelSet('né "quoted" \\ \x7f', 2, (LabelClass(3, "木", "#00FF00", ("arbre\tvert", "дерево")),), 9)
    assert parse_label_set(odd.to_toml()) == odd


def test_a_map_of_the_set_passes_and_is_contiguous(landscape):
    label_map = np.array([[0, 16], [255, 3]], np.int64).T
    checked = landscape.check(label_map)
    assert checked.dtype == np.uint8 and checked.flags.c_contiguous
    assert checked.tolist() == label_map.tolist()


def test_a_good_map_is_not_copied(landscape):
    label_map = np.zeros((4, 5), np.uint8)
    assert landscape.check(label_map) is label_map


def test_a_strange_id_is_named(landscape):
    label_map = np.zeros((8, 8), np.uint8)
    label_map[2, 3], label_map[4, 4] = 17, 99
    with pytest.raises(BadLabelError, match=r"does not know: 17, 99\.") as refused:
        landscape.check(label_map)
    assert "0 to 16" in refused.value.fix


@pytest.mark.parametrize("strange", [-1, -240, 256, 70000])
def test_an_id_that_would_wrap_is_refused(landscape, strange):
    with pytest.raises(BadLabelError, match=str(strange)):
        landscape.check(np.array([[0, strange]], np.int32))


def test_many_strange_ids_are_cut_short(landscape):
    with pytest.raises(BadLabelError, match=r"24, \.\.\."):
        landscape.check(np.arange(256, dtype=np.uint8)[None])


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 4)),
        "map",
    ],
)
def test_what_is_not_a_label_map_is_refused(landscape, wrong):
    with pytest.raises(BadShapeError):
        landscape.check(wrong)


def test_a_large_set_uses_sixteen_bits():
    large = LabelSet("large", 1, (LabelClass(0, "a", "#000000"), LabelClass(300, "b", "#FFFFFF")), 65535)
    assert large.check(np.array([[300, 0, 65535]], np.int32)).dtype == np.uint16
    with pytest.raises(BadLabelError, match="255"):
        large.check(np.array([[255]], np.uint8))


def test_a_map_is_painted_in_the_colours_of_its_classes(landscape):
    rgb = landscape.colorize(np.array([[0, 255]], np.uint8))
    assert rgb.shape == (1, 2, 3) and rgb.dtype == np.uint8
    assert rgb[0, 0].tolist() == [0x87, 0xBE, 0xEB] and rgb[0, 1].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mountain.003", "mountain"),
        ("pine_tree_L", "tree"),
        ("MyRiver", "water"),
        ("Hills", "mountain"),
        ("Big Bushes", "bush"),
        ("HDRISky", "sky"),
        ("leaf litter", "dirt"),
        ("tree leaf-litter 02", "dirt"),
        ("mountain lake", "water"),
        ("castle_wall", "building"),
        ("TREE", "tree"),
        ("tree01", "tree"),
        ("Suzanne", None),
        ("streets and stone", "rock"),
        ("skyline", None),
        ("Wooden", None),
        ("", None),
        ("猫.001", None),
    ],
)
def test_a_name_a_person_gave_finds_its_class(landscape, text, expected):
    found = landscape.match(text)
    assert (found.name if found else None) == expected


@pytest.mark.parametrize("name", shipped_label_sets())
def test_every_class_is_found_by_its_own_name_and_aliases(name):
    label_set = load_label_set(name)
    for entry in label_set.classes:
        assert label_set.match(entry.name) == entry
        assert label_set.class_named(entry.name.upper()) == entry
        for alias in entry.aliases:
            assert label_set.match(alias) == entry, alias


def test_names_in_any_alphabet_match():
    label_set = LabelSet("monde", 1, (LabelClass(0, "forêt", "#00FF00", ("лес",)),))
    for text in ("Fore\u0302t.002", "ГустойЛес", "LA_FORÊT"):  # the first as macOS spells it
        assert label_set.match(text) is label_set.classes[0], text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = ", "not TOML"),
        ("version = 1", "'name'"),
        ('name = "a"', "classes"),
        ('name = "a"\nclasses = [1]', "classes"),
        ('name = "a"\n[[classes]]\nid = 1', "'name'"),
        ('name = "a"\n[[classes]]\nid = "1"\nname = "b"', "'id'"),
        ('name = "a"\n[[classes]]\nid = true\nname = "b"', "'id'"),
        ('name = "a"\n[[classes]]\nid = -1\nname = "b"', "-1"),
        ('name = "a"\n[[classes]]\nid = 1\nname = "b"\ncolor = "red"', "RED"),
        ('name = "a"\n[[classes]]\nid = 1\nname = "b"\naliases = "c"', "aliases"),
        ('name = "a"\n[[classes]]\nid = 1\nname = "b"\n[[classes]]\nid = 1\nname = "c"', "same id: 1"),
        ('name = "a"\n[[classes]]\nid = 1\nname = "b"\n[[classes]]\nid = 2\nname = "B"', "same name: b"),
        ('name = "a"\nignore_id = 70000\n[[classes]]\nid = 1\nname = "b"', "70000"),
    ],
)
def test_a_bad_label_set_file_says_what_is_wrong(text, told):
    with pytest.raises(BadLabelSetError, match=told) as refused:
        parse_label_set(text)
    assert refused.value.fix


def test_a_label_set_is_read_from_any_path(tmp_path, landscape):
    path = tmp_path / "größe 木.toml"
    path.write_text(landscape.to_toml(), encoding="utf-8-sig")
    assert load_label_set(path) == landscape


def test_a_missing_or_binary_file_says_so(tmp_path):
    with pytest.raises(BadLabelSetError, match="no label set 'nowhere'"):
        load_label_set("nowhere")
    with pytest.raises(BadLabelSetError, match="no label set"):
        load_label_set(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\x80\x04\xff")
    with pytest.raises(BadLabelSetError, match="UTF-8"):
        load_label_set(tmp_path / "binary.toml")


def test_255_stays_a_class_where_the_set_says_that_it_is_one_and_names_no_id_for_any():
    two = "\n".join(
        f'[[classes]]\nid = {id}\nname = "{name}"\ncolor = "#0000{id:02X}"'
        for id, name in ((0, "ground"), (255, "thing"))
    )
    made = parse_label_set(f'name = "masks"\n{two}')
    assert made.ignore_id == 254
    assert parse_label_set(f'name = "masks"\nignore_id = 255\n{two}').ignore_id == 255
