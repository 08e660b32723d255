# SPDX-License-Identifier: Apache-2.0
"""What is said of a training: by rules that a reader can check, and by the real command on small data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spade_core.checkpoint.file import save_checkpoint
from spade_core.cli import main
from spade_core.evaluation.review import ClassShare, Point, Review, verdict
from tests.support.small_data import save
from tests.support.tiny import tiny_checkpoint


def review(
    *above: float, known: float | None = None, spread: float = 0.01, photos: int = 500, **more
) -> Review:
    points = [Point(f"model_{n}", 1000 * (n + 1), each, spread) for n, each in enumerate(above)]
    trained = None if known is None else Point(points[-1].name, points[-1].images_seen, known, spread)
    return Review(points, trained, photos, more.get("classes", ()), more.get("looked_at", 100))


def said(*above: float, **more) -> str:
    return " ".join(verdict(review(*above, **more)))


def test_a_model_that_still_falls_and_knows_nothing_by_heart_needs_hours():
    told = said(2.0, 1.5, 1.0, known=0.98)
    assert "More hours would help: the last 1,000 photos seen still brought 33%" in told
    assert "More photos" not in told and "earlier" not in told


def test_a_model_that_paints_its_own_label_maps_better_needs_photos():
    told = said(1.0, 0.99, known=0.4)
    assert "More photos would help" in told and "500 photos by heart" in told and "More hours" not in told


def test_one_that_does_both_is_told_that_hours_will_soon_end():
    assert "that will end soon" in said(2.0, 1.0, known=0.4)


def test_a_model_that_became_worse_is_told_which_one_to_take():
    told = said(2.0, 0.8, 1.2, known=0.6)
    assert "take model_1, 0.8 above the floor" in told and "More hours" not in told


def test_what_is_flat_and_knows_nothing_by_heart_needs_neither():
    assert "Neither more hours" in said(1.0, 1.0, known=0.99)


def test_differences_within_the_spread_say_nothing():
    told = said(1.3, 1.0, known=0.6, spread=0.3)
    assert "More hours" not in told and "More photos" not in told
    assert "cannot be told from photos" in said(0.05, 0.02, known=0.0, spread=0.05)


def test_without_held_out_photos_learning_by_heart_is_not_judged():
    assert "No photo is set aside" in said(2.0, 1.0) and "More photos" not in said(2.0, 1.0)


def test_rare_classes_are_named_with_the_photos_that_have_them():
    classes = (ClassShare("sand", 0.9, 80), ClassShare("palm", 0.001, 3), ClassShare("oasis", 0.0, 0))
    assert "palm (15), oasis (0)" in said(1.0, 1.0, known=1.0, classes=classes)
    assert "Too few" not in said(1.0, 1.0, known=1.0, classes=classes[:1])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    rows = ["name,split"]
    for index in range(24):
        ids = np.where(np.arange(64)[:, None] < random.integers(16, 48), 0, 6).repeat(64, 1).astype(np.uint8)
        save(root / "images" / f"p{index:02}.png", random.integers(0, 255, (64, 64, 3)).astype(np.uint8))
        save(root / "labels" / f"p{index:02}.png", ids)
        rows.append(f"p{index:02},{'val' if index < 12 else 'train'}")
    (root / "index.csv").write_text("\n".join(rows))
    return root


def test_the_command_writes_a_page_that_says_it(data, tmp_path, capsys):
    run = tmp_path / "desert"
    run.mkdir()
    for photos in (100, 200):
        trained = replace(tiny_checkpoint(), provenance={"images_seen": photos})
        save_checkpoint(run / f"model_{photos:08}.safetensors", trained)
    words = ["review", str(run), "--data", str(data), "--limit", "12", "--device", "cpu"]
    assert main(words) == 0
    page = (run / "review.html").read_text(encoding="utf-8")
    told = capsys.readouterr().out.splitlines()
    assert "model_00000200 is " in told[0] and told[0] in page.replace("&#39;", "'")
    assert "model_00000100, held-out label maps" in page and "model_00000200, training label maps" in page
    assert "From 12 photos" in page and "grass" in page and "Too few photos for some classes" in page


def test_a_folder_without_models_and_too_few_label_maps_are_refused(data, tmp_path, capsys):
    assert main(["review", str(tmp_path), "--data", str(data)]) == 2
    assert "no training's folder" in capsys.readouterr().err
    assert main(["review", str(tmp_path), "--data", str(data), "--limit", "3"]) == 2
