# SPDX-License-Identifier: Apache-2.0
"""`spade evaluate` on small data: real networks, real files, and a painter whose pictures are known."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from spade_core.checkpoint.file import save_checkpoint
from spade_core.cli import main
from spade_core.contract.labels import load_label_set
from spade_core.evaluation.candidates import Candidate, load_candidates
from spade_core.evaluation.evaluator import Evaluator
from spade_core.evaluation.own_segmenter import PyramidDecoder, SegmenterDecoderConfig, SegmenterFile
from spade_core.evaluation.painting import Painting
from spade_core.evaluation.scenes import Comparison, PictureSize, Scenes
from spade_core.evaluation.styles import DrawnStyles
from spade_core.features.efficientnet_lite import Lite2Features
from spade_core.synthesis.batches import Canvas
from spade_core.synthesis.synthesizer import Synthesizer
from tests.support.small_data import save
from tests.support.small_disk import assert_told_full, command, small_disk
from tests.support.tiny import tiny_checkpoint, tiny_model

LANDSCAPE = load_label_set("landscape")


def photo_of(ids: np.ndarray, seed: int) -> np.ndarray:
    """A rough texture for each class, brighter for higher ids."""
    grain = np.random.default_rng(seed).integers(0, 60, (*ids.shape, 3))
    return (ids[..., None] * 12 + grain).astype(np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes whose borders move; 12 pairs to paint and 14 to compare with."""
    root, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    rows = ["name,split"]
    for index in range(26):
        first, second = sorted(random.choice(range(8, 56), 2, replace=False))
        height = np.repeat(np.arange(64)[:, None], 64, axis=1)
        ids = np.select([height < first, height < second], [0, 6], 10).astype(np.uint8)
        save(root / "images" / f"p{index:02}.png", photo_of(ids, index))
        save(root / "labels" / f"p{index:02}.png", ids)
        rows.append(f"p{index:02},{'val' if index < 12 else 'train'}")
    (root / "index.csv").write_text("\n".join(rows))
    return root


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of random weights: what is tested here is not how well it sees."""
    torch.manual_seed(0)
    decoder = PyramidDecoder(SegmenterDecoderConfig(17, width=8))
    path = tmp_path_factory.mktemp("segmenter") / "any.safetensors"
    SegmenterFile(decoder.config, decoder.state_dict(), LANDSCAPE).save(path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def evaluated(data: Path, model: Path, segmenter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("evaluated")
    second = model.with_name("second.safetensors")
    second.write_bytes(model.read_bytes())
    assert evaluate(data, output, [model, second], "--segmenter", segmenter) == 0
    return output


def evaluate(data: Path, output: Path, models: list[Path], *more: object) -> int:
    words = [
        "evaluate",
        "--model",
        *models,
        "--data",
        data,
        "-o",
        output,
        "--size",
        64,
        "--device",
        "cpu",
        *more,
    ]
    return main([str(word) for word in words])


def held(folder: Path) -> dict:
    return json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))


def test_every_number_has_its_protocol_beside_it(evaluated: Path, data: Path):
    found = held(evaluated)
    protocol = found["protocol"]
    assert (protocol["pictures"], protocol["reference_pictures"]) == (12, 14)
    assert (protocol["height"], protocol["width"], protocol["split"]) == (64, 64, "val")
    for told in (
        "frame",
        "features",
        "feature_resize",
        "reference",
        "segmenter",
        "seeds",
        "diversity",
        "hardware",
    ):
        assert protocol[told]
    assert protocol["features"] == "EfficientNet-Lite2" and protocol["feature_count"] == 352
    assert "FID" not in json.dumps(found)
    assert (protocol["data"], protocol["layout"]) == (data.name, "folder")
    page = (evaluated / "report.html").read_text(encoding="utf-8")
    assert page.count("by any.safetensors") >= 2  # beside mIoU and beside pixel accuracy


def test_a_model_gets_distances_agreement_and_diversity_and_photos_the_floor(evaluated: Path):
    found = held(evaluated)
    result = found["models"][0]
    assert result["distance"]["frechet"] > found["real"]["floor"]["frechet"] > 0
    assert result["distance"]["kernel"]["mean"] > 0
    assert 0 <= result["agreement"]["miou"] <= 1 and 0 <= found["real"]["agreement"]["miou"] <= 1
    assert set(result["agreement"]["iou"]) == {"sky", "grass", "sand"}
    assert 0 < result["diversity"]
    assert len(result["pictures"]) == 12 and result["pictures"][3]["seed"] == 3


def test_the_same_model_gets_the_same_numbers(evaluated: Path):
    first, second = held(evaluated)["models"]
    for name in ("distance", "distance_same", "agreement", "diversity", "pictures"):
        assert first[name] == second[name]


def test_the_report_is_one_file_that_loads_nothing(evaluated: Path):
    page = (evaluated / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources and all(source.startswith("data:image/") for source in sources)
    assert not re.search(r"https?://|@import|<script", page)
    for heading in (
        "Numbers",
        "Curves",
        "Classes",
        "Side by side",
        "Styles",
        "Best, median, worst",
        "Protocol",
    ):
        assert f"<h2>{heading}</h2>" in page
    assert "no FID" in page and "do not fill a covariance" in page


def test_without_a_segmenter_and_with_one_model_what_is_not_measured_is_left_out(
    data, model, tmp_path, capsys
):
    assert evaluate(data, tmp_path / "out", [model], "--limit", "10") == 0
    found = held(tmp_path / "out")
    assert found["protocol"]["segmenter"] is None and found["models"][0]["agreement"] is None
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<h2>Curves</h2>" not in page and "<h2>Classes</h2>" not in page
    assert "mIoU and pixel accuracy are not measured" in page
    said = capsys.readouterr().out
    assert "real photos" in said and "split 'val'" in said and "64 x 64" in said


def test_models_of_equal_file_names_are_told_apart(model: Path, tmp_path: Path):
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        shutil.copy(model, tmp_path / run / "model_00000100.safetensors")
    files = [str(model), *(str(tmp_path / run / "model_00000100.safetensors") for run in ("first", "second"))]
    names = [candidate.name for candidate in load_candidates(files, "cpu")]
    assert names == ["tiny", "first/model_00000100", "second/model_00000100"]


AT_64 = Painting((64, 64), seed=0, styles=DrawnStyles())


class Painter:
    """Paints each scene by a rule in place of a network."""

    name, digest, style_size, label_set = "painter", "0" * 64, 0, LANDSCAPE
    looks_at_instances, terms = False, ""

    def __init__(self, paint) -> None:
        self.paint = paint

    def render_batch(self, canvases: list[Canvas], progress=None, size=None) -> list[np.ndarray]:
        return [self.paint(canvas.label_map, canvas.seed) for canvas in canvases]


def test_pictures_like_photos_come_near_the_floor_and_others_do_not(data: Path):
    scenes = Scenes.of(data, "val", LANDSCAPE, PictureSize(64, 64))
    evaluator = Evaluator(
        Comparison.of(scenes, data, "val", 100), Lite2Features().eval(), None, AT_64, lambda *told: None
    )

    def distances(paint):
        candidate = Candidate("painter", cast(Synthesizer, Painter(paint)), "painter", None)
        result = evaluator.evaluate(candidate)
        return (
            result.distance.frechet,
            result.distance.kernel.mean,
            np.mean([p.nearest_photo for p in result.pictures]),
        )

    likes = distances(lambda ids, seed: photo_of(ids, 1000 + seed))
    flats = distances(lambda ids, seed: np.repeat((ids * 12 + 30).astype(np.uint8)[..., None], 3, axis=2))
    floor = evaluator.real.floor
    assert likes[0] < 1.3 * floor.frechet and flats[0] > 2 * floor.frechet
    assert abs(likes[1]) < 0.2 * flats[1]
    assert likes[2] < flats[2]


def test_a_model_without_styles_has_no_diversity(data: Path):
    scenes = Scenes.of(data, "val", LANDSCAPE, PictureSize(64, 64), limit=10)
    evaluator = Evaluator(
        Comparison.of(scenes, data, "val", 10), Lite2Features().eval(), None, AT_64, lambda *told: None
    )
    painter = cast(Synthesizer, Painter(photo_of))
    assert evaluator.evaluate(Candidate("painter", painter, "painter", None)).diversity is None


def refusal(capsys) -> SimpleNamespace:
    error = capsys.readouterr().err.strip().splitlines()
    return SimpleNamespace(message=error[-2], fix=error[-1])


def test_a_model_of_another_label_set_is_refused(data: Path, model: Path, tmp_path: Path, capsys):
    other = tiny_model(tmp_path, "ade20k")
    assert evaluate(data, tmp_path / "out", [model, other]) == 2
    told = refusal(capsys)
    assert "ade20k" in told.message and "landscape" in told.message and told.fix.strip().startswith("fix:")


def test_too_few_pictures_are_refused(data: Path, model: Path, tmp_path: Path, capsys):
    assert evaluate(data, tmp_path / "out", [model], "--limit", "5") == 2
    assert "at least 10" in refusal(capsys).fix


def test_a_photo_that_cannot_be_read_is_named_and_an_older_result_stays(
    data: Path, model: Path, tmp_path, capsys
):
    broken = tmp_path / "data"
    shutil.copytree(data, broken)
    (broken / "images" / "p03.png").write_bytes(b"half")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "evaluation.json").write_text("older")
    assert evaluate(broken, tmp_path / "out", [model]) == 2
    assert "p03.png" in refusal(capsys).message
    assert (tmp_path / "out" / "evaluation.json").read_text() == "older"


def test_a_place_that_cannot_be_written_is_told_before_anything_is_painted(
    data: Path, model: Path, tmp_path, capsys
):
    (tmp_path / "file").write_text("in the way")
    assert evaluate(data, tmp_path / "file", [model]) == 2
    told = refusal(capsys)
    assert "cannot be written" in told.message and "looking at" not in told.message


@pytest.mark.parametrize("kilobytes", [1, 40])  # the numbers do not fit, or the pictures do not
def test_a_full_disk_is_told_and_takes_no_number_away(data: Path, model: Path, tmp_path: Path, kilobytes):
    with small_disk(tmp_path / "disk", kilobytes) as disk:
        words = ["--model", model, "--data", data, "--size", 64, "--limit", 10, "-o", disk / "out"]
        ended = command("evaluate", *words)
        assert_told_full(ended)
        assert not list((disk / "out").glob("*.part")) and not (disk / "out" / "report.html").exists()
    assert "Frechet distance" in ended.stdout and "tiny" in ended.stdout


def test_a_subset_is_evaluated_by_its_name(tmp_path: Path):
    """The model paints what the layout that was named takes, and the report says which that is."""
    for split, folder in (("train", "training"), ("val", "validation")):
        for index in range(24):
            ids = np.full((32, 32), 3 if index % 2 else 6, np.uint8)  # sky, or a ceiling
            name = f"ADE_{split}_{index:08}"
            save(tmp_path / "ade" / "images" / folder / f"{name}.jpg", photo_of(ids, index))
            save(tmp_path / "ade" / "annotations" / folder / f"{name}.png", ids)
    model = tiny_model(tmp_path, "ade20k")
    words = ["--layout", "ade20k-outdoor", "--reference", "12"]
    assert evaluate(tmp_path / "ade", tmp_path / "out", [model], *words) == 0
    found = held(tmp_path / "out")
    assert (found["protocol"]["layout"], found["protocol"]["pictures"]) == ("ade20k-outdoor", 12)
    assert all(int(picture["name"][-1]) % 2 for picture in found["models"][0]["pictures"])
    assert "ade20k-outdoor" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_wrong_inception_file_is_refused(data: Path, model: Path, tmp_path: Path, capsys):
    (tmp_path / "inception.pth").write_bytes(b"nonsense")
    assert evaluate(data, tmp_path / "out", [model], "--inception", tmp_path / "inception.pth") == 2
    assert "docs/evaluation.md" in refusal(capsys).fix


def test_plain_statistics_stand_beside_those_of_photos_by_class_too(evaluated: Path):
    found = held(evaluated)
    for whose in (found["real"], *found["models"]):
        statistics = whose["statistics"]
        assert set(statistics["by_class"]) == {"sky", "grass", "sand"}
        assert sum(entry["share"] for entry in statistics["by_class"].values()) == pytest.approx(1)
        assert 0 < statistics["whole"]["lightness"] < 1 and statistics["whole"]["laplacian"] > 0
    assert "luma" in found["protocol"]["statistics"] and found["real"]["enlarged"] is None
    page = (evaluated / "report.html").read_text(encoding="utf-8")
    assert "<h2>Plain statistics</h2>" in page and page.count("spread of lightness") >= 2


@pytest.fixture(scope="module")
def enlarging(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twice as large as the model was trained at, in the styles of photos."""
    folder = tmp_path_factory.mktemp("enlarging")
    model = folder / "tiny.safetensors"
    save_checkpoint(model, replace(tiny_checkpoint(), trained_size=(64, 64)))
    words = ["--size", "128", "--limit", "10", "--upscale", "embedded", "--styles", "photos"]
    assert evaluate(data, folder / "out", [model], *words) == 0
    return folder / "out"


def test_larger_pictures_are_judged_at_the_size_that_the_model_knows(enlarging: Path):
    found = held(enlarging)
    protocol, result = found["protocol"], found["models"][0]
    assert (protocol["height"], protocol["width"]) == (128, 128)
    assert (protocol["judged_height"], protocol["judged_width"]) == (64, 64)
    assert (result["painted_height"], result["painted_width"]) == (64, 64)
    assert "embedded" in protocol["upscaler"] and "reference photo" in protocol["seeds"]


def test_photos_enlarged_by_the_same_upscaler_have_a_row_of_their_own(enlarging: Path):
    found = held(enlarging)
    real, enlarged = found["real"], found["real"]["enlarged"]
    assert enlarged["upscaler"] == found["protocol"]["upscaler"]
    assert enlarged["distance"]["photos"] == real["floor"]["photos"]
    assert enlarged["statistics"]["whole"]["lightness"] == pytest.approx(
        real["statistics"]["whole"]["lightness"], abs=0.01
    )
    assert enlarged["statistics"]["whole"]["laplacian"] < real["statistics"]["whole"]["laplacian"]
    page = (enlarging / "report.html").read_text(encoding="utf-8")
    assert "photos, enlarged by embedded" in page and "The Laplacian depends on the size" in page


def test_painted_at_full_size_photos_are_enlarged_for_comparison_all_the_same(
    data: Path, model: Path, tmp_path: Path, capsys
):
    assert evaluate(data, tmp_path / "out", [model], "--size", 128, "--limit", 10, "--upscale", "off") == 0
    found = held(tmp_path / "out")
    assert found["protocol"]["upscaler"] is None and "embedded" in found["real"]["enlarged"]["upscaler"]
    assert found["models"][0]["painted_height"] == 128
    assert "painted at 128 x 128, judged at 64 x 64" in capsys.readouterr().out


def test_an_upscaler_that_has_nothing_to_do_is_refused(data: Path, model: Path, tmp_path: Path, capsys):
    assert evaluate(data, tmp_path / "out", [model], "--upscale", "embedded") == 2
    told = refusal(capsys)
    assert "not upscaled" in told.message and "--size" in told.fix


def test_an_upscaler_that_does_not_exist_is_refused(data: Path, model: Path, tmp_path: Path, capsys):
    assert evaluate(data, tmp_path / "out", [model], "--size", 128, "--upscale", "nonsense") == 2
    assert "nonsense" in refusal(capsys).message
