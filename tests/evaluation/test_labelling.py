# SPDX-License-Identifier: Apache-2.0
"""`spade dataset label`: photos become a data set by a segmenter, as far as it is sure, and the command goes on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from spade_core.cli import main
from spade_core.contract.labels import LabelClass, LabelSet, load_label_set
from spade_core.data.layouts.layouts import find_pairs, label_set_of
from spade_core.data.pairs import read_labels, read_pair
from spade_core.evaluation.build import load_segmenter
from spade_core.evaluation.labelling import OPEN, Labelling, _bilinear, labelled
from spade_core.evaluation.segmenter import Segmenter
from spade_core.evaluation.segmenter_settings import SegmenterTraining
from spade_core.evaluation.segmenter_training import SegmenterRun
from spade_core.image_files import picture_size
from tests.evaluation.test_hugging_face import hugging_face_folder
from tests.support.small_data import save

CPU = torch.device("cpu")
SKY, GRASS = 0, 1
TWO = LabelSet("two", 1, (LabelClass(3, "sky", "#78AAE6"), LabelClass(7, "grass", "#3C7828")))
COLORS = np.array([(120, 170, 230), (60, 120, 40)], np.uint8)


class ByColor(Segmenter):
    """Sees sky in blue, grass in green, and neither in red; of grey it is not sure."""

    title, known_classes, side = "by colour", np.ones(2, bool), 64

    def shares(self, picture: np.ndarray) -> torch.Tensor:
        rgb = torch.from_numpy(picture.copy()).float().permute(2, 0, 1)[None]
        red, green, blue = F.avg_pool2d(rgb, 4)[0]
        return (torch.stack([blue, green, red]) / 30).softmax(0)

    def predict(self, pictures):
        raise NotImplementedError


def half_and_half(height: int = 96, width: int = 128) -> np.ndarray:
    photo = np.zeros((height, width, 3), np.uint8)
    photo[: height // 2, :, 2] = photo[height // 2 :, :, 1] = 200
    return photo


def test_a_photo_of_any_size_gets_a_map_of_its_own_size():
    for height, width in ((96, 128), (31, 200), (500, 300), (1, 1)):
        found = labelled(ByColor(), half_and_half(height, width), Labelling())
        assert found.places.shape == found.confidence.shape == (height, width)
    assert (found.confidence <= 1).all()
    found = labelled(ByColor(), half_and_half(480, 640), Labelling())
    assert (found.places[:220] == SKY).all() and (found.places[260:] == GRASS).all()
    assert found.confidence[:200].min() > 0.95


def test_what_is_not_sure_and_what_is_of_no_class_stays_open():
    photo = half_and_half()
    photo[48:, :40] = 120
    photo[:, 100:] = (200, 0, 0)
    found = labelled(ByColor(), photo, Labelling(sure=0.6))
    assert (found.places[60:90, 4:32] == OPEN).all(), "grey"
    assert (found.places[8:90, 108:124] == OPEN).all(), "red, of which it is quite sure"
    assert (found.places[8:40, 8:92] == SKY).all() and (found.places[60:90, 50:92] == GRASS).all()
    lower = labelled(ByColor(), photo, Labelling(sure=0.0))
    assert (lower.places[60:90, 4:32] != OPEN).all()


def test_specks_go_to_what_is_around_them():
    photo = half_and_half()
    photo[12:20, 20:28] = photo[70:78, 60:68] = (0, 0, 0)
    photo[12:20, 20:28, 1], photo[70:78, 60:68, 2] = 200, 200
    kept = labelled(ByColor(), photo, Labelling(smallest=0))
    assert kept.places[16, 24] == GRASS and kept.places[74, 64] == SKY
    found = labelled(ByColor(), photo, Labelling(smallest=0.03))
    assert (found.places[:44] == SKY).all() and (found.places[52:] == GRASS).all()


@pytest.mark.parametrize(("short", "long"), [(8, 32), (5, 17), (9, 9), (16, 5), (1, 4)])
def test_shares_are_spread_as_torch_interpolates(short, long):
    values = torch.rand(short)
    wanted = F.interpolate(values[None, None], long, mode="linear", align_corners=False)[0, 0]
    torch.testing.assert_close(_bilinear(short, long) @ values, wanted)


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own, trained for seconds on blue over green; its classes have the ids 3 and 7."""
    root = tmp_path_factory.mktemp("learned")
    for index in range(12):
        save(root / "data" / "images" / f"p{index}.png", photo_of(index))
        ids = np.where(np.arange(128)[:, None] < border(index), 3, 7) * np.ones(128, int)
        save(root / "data" / "labels" / f"p{index}.png", ids.astype(np.uint8))
    training = SegmenterTraining(crops=24, passes=10, size=64, batch=8, rate=1e-2, width=16)
    run = SegmenterRun(root / "data", TWO, root / "two.safetensors", training, CPU)
    run.train(lambda stage, done, of: None)
    return root / "two.safetensors"


def border(index: int) -> int:
    return 40 + 4 * index


def photo_of(index: int) -> np.ndarray:
    places = (np.arange(128) >= border(index)).astype(int)
    rgb = COLORS[places][:, None].repeat(128, axis=1).astype(float)
    return (rgb + np.random.default_rng(index).normal(0, 6, rgb.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photos: one in a folder, one a BMP that training does not read, one stored on its side."""
    save(tmp_path / "photos" / "a.png", photo_of(1))
    save(tmp_path / "photos" / "trip" / "b.bmp", photo_of(5))
    turned = Image.fromarray(photo_of(9)[:, :96]).transpose(Image.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x112] = 6
    turned.save(tmp_path / "photos" / "c.jpg", quality=95, exif=exif)
    return tmp_path / "photos"


def label(photos: Path, output: Path, segmenter: Path, *words: object) -> int:
    return main(["dataset", "label", str(photos), "-o", str(output), "--segmenter", str(segmenter),
                 "--device", "cpu", *map(str, words)])  # fmt: skip


def test_photos_become_a_data_set_that_training_reads(photos, segmenter, tmp_path, capsys):
    out = tmp_path / "out"
    assert label(photos, out, segmenter) == 0
    assert "3 photos labelled" in capsys.readouterr().out
    label_set = label_set_of(out)
    assert label_set.digest == TWO.digest, "the segmenter's own set"
    pairs = {pair.name: pair for pair in find_pairs(out, None)}
    assert sorted(pairs) == ["a", "b", "c"]
    for name, index, width in (("a", 1, 128), ("b", 5, 128), ("c", 9, 96)):
        photo, ids = read_pair(pairs[name], label_set)
        assert photo.size == ids.size == (width, 128)
        right = np.where(np.arange(128)[:, None] < border(index), 3, 7)
        assert (np.asarray(ids) == right).mean() > 0.95
        assert picture_size(out / "confidence" / f"{name}.png") == (width, 128)
    rows = list(csv.DictReader((out / "confidence.csv").read_text().splitlines()))
    assert [float(row["confidence"]) for row in rows] == sorted(float(row["confidence"]) for row in rows)
    assert picture_size(out / "contact_sheet.jpg")[0] > 800
    assert main(["dataset", "check", str(out), "--size", "64", "--batch", "2"]) == 0
    assert "assed over" not in capsys.readouterr().out


def test_the_same_command_goes_on_and_another_one_is_kept_out(photos, segmenter, tmp_path, capsys):
    assert label(photos, tmp_path / "out", segmenter) == 0
    table = (tmp_path / "out" / "confidence.csv").read_text()
    (tmp_path / "out" / "labels" / "b.png").unlink()
    capsys.readouterr()
    assert label(photos, tmp_path / "out", segmenter) == 0
    assert "3 photos labelled, 2 of them before" in capsys.readouterr().out
    again = (tmp_path / "out" / "confidence.csv").read_text()
    for one, other in zip(csv.reader(table.splitlines()), csv.reader(again.splitlines()), strict=True):
        assert one[0] == other[0] and (one[1] == "confidence" or abs(float(one[1]) - float(other[1])) < 0.003)
    assert label(photos, tmp_path / "out", segmenter, "--sure", "0.7") == 2
    assert label(photos, photos, segmenter) == 2, "the photos' own folder"
    assert "Choose another folder" in capsys.readouterr().err


def test_a_damaged_photo_is_refused_and_one_of_which_nothing_is_sure_is_left_out(
    photos, segmenter, tmp_path, capsys
):
    (photos / "d.jpg").write_bytes((photos / "c.jpg").read_bytes()[:300])
    assert label(photos, tmp_path / "out", segmenter) == 1
    said = capsys.readouterr().out
    assert "3 photos labelled" in said and "d.jpg" in said and "fix:" in said
    assert label(photos, tmp_path / "sure", segmenter, "--sure", "1.0") == 1
    assert "3 left out" in capsys.readouterr().out and not (tmp_path / "sure" / "labels").exists()


@pytest.mark.parametrize("words", [["--sure", "2"], ["--side", "8"], ["--label-set", "landscape"]])
def test_what_cannot_work_is_refused_and_leaves_nothing(photos, segmenter, tmp_path, words):
    assert label(photos, tmp_path / "out", segmenter, *words) == 2
    assert not (tmp_path / "out").exists()


def test_no_photos_no_segmenter_and_no_folder_are_refused_and_leave_nothing(photos, segmenter, tmp_path):
    (tmp_path / "empty").mkdir()
    for place, network in (
        ("empty", segmenter),
        ("nowhere", segmenter),
        ("photos", tmp_path / "no.safetensors"),
    ):
        assert label(tmp_path / place, tmp_path / "out", network) == 2
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["SegFormer", "Mask2Former"])
def test_a_hugging_face_checkpoint_labels_by_its_classes_names(photos, tmp_path, capsys, kind):
    landscape = load_label_set("landscape")
    network = load_segmenter(hugging_face_folder(tmp_path / "network", kind), landscape, CPU)
    shares = network.shares(np.zeros((64, 96, 3), np.uint8))
    assert shares.shape[0] == len(landscape.classes) + 1
    torch.testing.assert_close(shares.sum(0), torch.ones(shares.shape[1:]))
    assert (shares[-1] > 0).all(), "what it calls a television is none of ours"
    assert label(photos, tmp_path / "out", tmp_path / "network", "--sure", 0, "--at-least", 0) == 0
    ids = {
        int(id)
        for file in (tmp_path / "out" / "labels").iterdir()
        for id in np.unique(read_labels(file, landscape))
    }
    named = {landscape.class_named(name).id for name in ("sky", "tree", "mountain")}
    assert ids <= named | {landscape.ignore_id}
