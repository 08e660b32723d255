# SPDX-License-Identifier: Apache-2.0
"""Each fault of a data set is found before training, with the files it concerns, and sound data raise none."""

import numpy as np
import pytest
from PIL import Image

from spade_core.contract.errors import BadImageError
from spade_core.contract.labels import LabelClass, LabelSet, load_label_set
from spade_core.data.checks.checks import check
from spade_core.data.checks.contact_sheet import COLUMNS, sheet
from spade_core.data.checks.inspection import in_between_share
from tests.support.small_data import save, stripes, write_pair

LANDSCAPE = load_label_set("landscape")
THREE = LabelSet("three", 1, tuple(LabelClass(i, n, c) for i, n, c in (
    (0, "sky", "#87BEEB"), (3, "hill", "#6E7F95"), (6, "grass", "#5DA130"),
)))  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Ten sound pairs, each photo another one."""
    for number in range(10):
        write_pair(tmp_path, f"p{number}", stripes(64, 48, (0, 3, 3, 6)))
        photo = np.random.default_rng(number).integers(0, 256, (64, 48, 3)).astype(np.uint8)
        save(tmp_path / "images" / f"p{number}.png", photo)
    index(tmp_path, {f"p{number}": "val" if number > 7 else "train" for number in range(10)})
    return tmp_path


def index(folder, splits):
    rows = [f"{name},{split}" for name, split in splits.items()]
    (folder / "index.csv").write_text("name,split\n" + "\n".join(rows))


def found(folder, severity=None, label_set=THREE, **options):
    report = check(folder, "auto", label_set, **{"batch": 4, "size": 48, **options})
    return [each for each in report.findings if severity in (None, each.severity)]


def only(findings):
    assert len(findings) == 1, findings
    assert findings[0].message and findings[0].fix
    return findings[0]


def test_sound_data_raise_nothing_and_their_shares_are_exact(folder):
    report = check(folder, "auto", THREE, batch=4, size=48)
    assert report.findings == [] and report.errors == 0
    assert report.pairs == {"train": 8, "val": 2} and report.sizes == {"48 x 64": 10}
    assert {share.name: share.pixels for share in report.classes} == {
        "hill": 0.5, "sky": 0.25, "grass": 0.25, "(any)": 0.0,
    }  # fmt: skip
    assert all(share.pictures == 10 for share in report.classes[:3])
    assert report.to_json()["ready"] is True


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda ids: Image.fromarray(np.full_like(ids, 99)), "99"),
        (lambda ids: Image.fromarray(ids.astype(np.uint16) * 257), "771"),
        (lambda ids: Image.fromarray(np.dstack([ids * 9, ids, ids])), "colours"),
        (lambda ids: Image.fromarray(ids[:32]), "48 x 32"),
        (lambda ids: Image.merge("LA", [Image.fromarray(ids), Image.new("L", (48, 64), 7)]), "transparent"),
    ],
)
def test_a_label_image_that_would_train_on_the_wrong_thing_is_an_error(folder, damage, said):
    for name in ("p2", "p5"):
        damage(stripes(64, 48, (0, 3, 3, 6))).save(folder / "labels" / f"{name}.png")
    error = only(found(folder, "error"))
    assert said in error.message and error.files == ("p2", "p5") and error.count == 2


@pytest.mark.parametrize("place", ["images", "labels"])
def test_a_truncated_file_is_an_error(folder, place):
    path = folder / place / "p3.png"
    save(path, np.random.default_rng(0).integers(0, 7, (64, 48)).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:200])
    error = only(found(folder, "error"))
    assert str(path) in error.message and "copy" in error.fix.lower()


def test_a_photo_and_its_labels_may_both_be_wrong_and_both_are_said(folder):
    (folder / "images" / "p3.png").write_bytes(b"")
    save(folder / "labels" / "p3.png", np.full((64, 48), 99, np.uint8))
    assert len(found(folder, "error")) == 2


def test_files_without_a_partner_or_a_row_are_said(folder):
    (folder / "labels" / "p0.png").unlink()
    (folder / "images" / "p1.png").unlink()
    index(folder, {f"p{number}": "val" if number > 7 else "train" for number in range(9)})
    photos, maps, rows = found(folder, "warning")
    assert photos.files == ("images/p0.png",) and maps.files == ("labels/p1.png",)
    assert rows.files == ("images/p9.png",)


def test_ids_between_those_of_both_sides_give_smoothed_maps_away(folder):
    wide = np.kron(np.random.default_rng(1).integers(0, 2, (8, 6)), np.ones((8, 8))).astype(np.uint8) * 6
    smooth = np.asarray(Image.fromarray(wide).resize((24, 32), Image.Resampling.BILINEAR).resize((48, 64), 2))
    save(folder / "labels" / "p4.png", smooth)
    warning = only(found(folder, "warning", LANDSCAPE)[:1])
    assert "smoothing" in warning.message and warning.files == ("p4",)
    assert in_between_share(wide) == 0.0 and in_between_share(stripes(64, 64, (0, 3, 6))) == 0.0


def test_fewer_pairs_than_a_batch_and_no_pairs_set_aside_are_said(folder):
    assert "fewer than a batch" in only(found(folder, batch=9)).message
    (folder / "index.csv").unlink()
    assert "set aside" in only(found(folder)).message
    index(folder, {f"p{number}": "val" for number in range(10)})
    assert "train" in found(folder, "error")[0].message


def test_one_photo_in_training_and_set_aside_is_said(folder):
    save(folder / "images" / "p9.png", np.asarray(Image.open(folder / "images" / "p0.png")))
    save(folder / "images" / "p2.png", np.asarray(Image.open(folder / "images" / "p1.png")))
    leaked, twice = found(folder, "warning")
    assert "p0 and p9" in leaked.message and "set aside" in leaked.message
    assert "p1 and p2" in twice.message


def test_photos_smaller_than_the_training_pictures_are_said(folder):
    assert "enlarged" in only(found(folder, size=64)).message


def test_classes_that_training_never_sees_are_said(folder):
    save(folder / "labels" / "p9.png", stripes(64, 48, (0, 10)))
    said = " ".join(each.message for each in found(folder, "warning", LANDSCAPE))
    assert "occur in val and never in training" in said and "13 classes never occur" in said


def test_a_mostly_unlabelled_map_and_a_turned_photo_are_said(folder):
    save(folder / "labels" / "p4.png", stripes(64, 48, (0, 255, 255)))
    turned = Image.open(folder / "images" / "p5.png")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "images" / "p5.png", exif=exif)
    empty, note = found(folder, "warning")
    assert empty.files == ("p4",) and "no class" in empty.message
    assert note.files == ("p5",) and "turned" in note.message


def test_ade20k_ids_that_were_shifted_are_said(tmp_path):
    for name, ids in (("ADE_train_1", (0, 149, 255)), ("ADE_train_2", (3, 255, 255))):
        write_pair(tmp_path, name, stripes(64, 48, ids), "images/training", "annotations/training")
        photo = tmp_path / "images" / "training" / f"{name}.png"
        Image.open(photo).save(photo.with_suffix(".jpg"))
        photo.unlink()
    ade = load_label_set("ade20k")
    shifted = [each for each in found(tmp_path, "warning", ade) if "shifted" in each.message]
    assert only(shifted).files == ("ADE_train_2",), "a map with 0 and 255 may be as it comes"


def test_instance_maps_of_another_size_are_errors(folder):
    save(folder / "instances" / "p1.png", stripes(10, 10))
    assert "instances" in only(found(folder, "error")).message


def test_the_sheet_shows_the_worst_first_and_some_sound_pairs(folder):
    save(folder / "labels" / "p7.png", np.full((64, 48), 99, np.uint8))
    report = check(folder, "auto", THREE, batch=4, size=48)
    page = np.asarray(sheet(report, THREE, "my data", rows=2))
    assert page.ndim == 3 and len(report.inspected) > 2 * COLUMNS
    strange = (page == (255, 0, 255)).all(axis=-1)
    assert strange.sum() > 1000, "ids outside the set are painted in a colour nobody uses"
    rows, columns = np.nonzero(strange)
    assert columns.max() < page.shape[1] / COLUMNS and rows.max() < page.shape[0] / 2, "in the first place"


def test_a_folder_without_pairs_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    with pytest.raises(BadImageError, match="No photo"):
        check(tmp_path, "auto", THREE, batch=4, size=48)
