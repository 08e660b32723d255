# SPDX-License-Identifier: Apache-2.0
"""The page of a preference study, answered by a script inside real Chromium."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spade_core.cli import main
from spade_core.contract.labels import load_label_set
from spade_core.evaluation.candidates import load_candidates
from spade_core.evaluation.pictures import PHOTOS, is_picture_folder, source_of
from spade_core.evaluation.scenes import PictureSize, Scenes
from spade_core.evaluation.study import PreferenceStudy, Question, legend
from tests.support.small_data import stripes, write_pair
from tests.support.small_disk import assert_told_full, command, small_disk
from tests.support.tiny import tiny_model

PAIRS = 6
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for index in range(PAIRS):
        write_pair(root, f"p{index}", np.roll(stripes(64, 64), 5 * index, axis=0))
    return root


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    ours = tiny_model(folder).rename(folder / "ourmodel.safetensors")
    theirs = ours.with_name("theirmodel.safetensors")
    theirs.write_bytes(ours.read_bytes())
    return [ours, theirs]


@pytest.fixture(scope="module")
def page(data: Path, models: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "study.html"
    words = ["study", *models, "--data", data, "-o", path, "--size", 64, "--seed", 3, "--device", "cpu"]
    assert main([str(word) for word in words]) == 0
    return path


def study(
    compared: list[Path | str],
    data: Path,
    seed: int = 0,
    question: Question = "prefer",
    crop: int | None = None,
) -> PreferenceStudy:
    size = PictureSize(64, 64)
    words = list(map(str, compared))
    named = [word for word in words if word != PHOTOS and not is_picture_folder(word)]
    candidates = dict(zip(named, load_candidates(named, "cpu"), strict=True))
    scenes = Scenes.of(data, "val", load_label_set("landscape"), size)
    sources = [source_of(word, candidates.get(word), size, seed, "cpu") for word in words]
    return PreferenceStudy.of(sources, scenes, 40, question, seed, crop)


def written(study: PreferenceStudy, folder: Path) -> dict:
    """What the page holds."""
    study.write(folder / "study.html", lambda *_: None)
    return told(folder / "study.html")


def picture_in(address: str) -> np.ndarray:
    """(H, W, 3) of a data: address."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB"))


def flat_pictures(folder: Path, colour: int, names: str = "p{}", size: tuple[int, int] = (64, 64)) -> Path:
    folder.mkdir(parents=True)
    for index in range(PAIRS):
        Image.new("RGB", size, (colour,) * 3).save(folder / f"{names.format(index)}.png")
    return folder


def told(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('<script type="application/json" id="study">')[1].split("</script>")[0])


def test_the_page_is_one_file_that_loads_and_sends_nothing(page: Path):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|fetch\(|XMLHttpRequest|sendBeacon|<img[^>]* src=", text)
    maps = told(page)["maps"]
    assert len(maps) == len(told(page)["trials"]) == PAIRS
    for map in maps:
        pictures = [map["labels"], *map["pictures"].values()]
        assert len(pictures) == 3 and all(picture.startswith("data:image/") for picture in pictures)


def test_each_model_is_on_the_left_equally_often_in_an_order_drawn_from_the_seed(models, data):
    sides = {tuple(trial["left"] for trial in study(models, data, seed).trials()) for seed in range(8)}
    assert len(sides) > 3
    assert all(side.count("a") == PAIRS / 2 for side in sides)
    assert study(models, data, 5).trials() == study(models, data, 5).trials()


def test_another_seed_is_another_study_and_the_same_one_is_the_same(models, data, tmp_path):
    first, again, other = (written(study(models, data, seed), tmp_path)["study"] for seed in (0, 0, 1))
    assert first == again != other


def test_pictures_of_another_system_stand_beside_a_models_by_name(models, data, tmp_path: Path):
    theirs = flat_pictures(tmp_path / "sims", 200, "p{}_leftImg8bit")
    held = written(study([models[0], theirs], data), tmp_path)
    assert held["names"] == {"a": "ourmodel", "b": str(theirs)}
    for map in held["maps"]:
        assert abs(picture_in(map["pictures"]["b"]).astype(int) - 200).max() <= 1
        assert picture_in(map["pictures"]["a"]).std() > 1


def test_several_are_compared_two_by_two_on_every_label_map(models, data, tmp_path: Path):
    third = flat_pictures(tmp_path / "third", 90)
    trials = study([*models, third], data).trials()
    for pair in ("ab", "ac", "bc"):
        of_two = [trial for trial in trials if {trial["left"], trial["right"]} == set(pair)]
        assert sorted(trial["map"] for trial in of_two) == list(range(PAIRS))
        assert sum(trial["left"] == pair[0] for trial in of_two) == PAIRS / 2


def test_folders_are_compared_without_label_maps(tmp_path: Path):
    first, second = flat_pictures(tmp_path / "x/1", 30), flat_pictures(tmp_path / "x/2", 220)
    page = tmp_path / "study.html"
    assert main(["study", str(first), str(second), "-o", str(page), "--size", "64"]) == 0
    held = told(page)
    assert [map["labels"] for map in held["maps"]] == [None] * PAIRS
    assert abs(picture_in(held["maps"][2]["pictures"]["b"]).astype(int) - 220).max() <= 1


def test_only_what_every_folder_has_is_shown_and_nothing_is_refused(models, data, tmp_path: Path, capsys):
    theirs = flat_pictures(tmp_path / "theirs", 10)
    (theirs / "p3.png").unlink()
    assert [map["name"] for map in written(study([models[0], theirs], data), tmp_path)["maps"]] == [
        f"p{index}" for index in (0, 1, 2, 4, 5)
    ]
    others = flat_pictures(tmp_path / "others", 10, "q{}")
    assert main(["study", str(models[0]), str(others), "--data", str(data), "--size", "64"]) == 2
    assert "'p0.png'" in capsys.readouterr().err


def test_photos_against_painted_shows_each_alone_and_no_label_map(models, data, tmp_path: Path):
    held = written(study([models[0], PHOTOS], data, question="photo"), tmp_path)
    assert [(trial["map"], trial["shown"]) for trial in held["trials"]] == [
        (place, key) for place in range(PAIRS) for key in "ab"
    ]
    assert all(map["labels"] is None for map in held["maps"])
    photo = np.asarray(Image.open(next((data / "images").glob("p2.*"))).convert("RGB"))
    assert abs(picture_in(held["maps"][2]["pictures"]["b"]).astype(int) - photo).mean() < 6


def test_a_crop_is_one_place_of_all_pictures_of_a_label_map_and_another_of_the_next(data, tmp_path: Path):
    ramp = np.stack(np.meshgrid(np.arange(64), np.arange(64)), -1).astype(np.uint8) * 3
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for index in range(PAIRS):
            rgb = np.concatenate([ramp, np.full((64, 64, 1), 100, np.uint8)], -1)
            Image.fromarray(rgb).save(tmp_path / folder / f"p{index}.png")
    maps = written(study([tmp_path / "one", tmp_path / "two"], data, crop=16), tmp_path)["maps"]
    shown = [[picture_in(map["pictures"][key]) for key in "ab"] for map in maps]
    assert all(first.shape == (16, 16, 3) and (first == second).all() for first, second in shown)
    assert len({first.tobytes() for first, _ in shown}) > 3


REFUSED = {
    "one model alone": (["{model}", "--data", "{data}"], "cannot be preferred"),
    "painted pictures alone as photos": (["{model}", "--ask", "photo", "--data", "{data}"], "nothing is a photo"),
    "a model without label maps": (["{model}", "{folder}"], "--data"),
    "one of them twice": (["{model}", "{model}", "--data", "{data}"], "twice"),
    "a crop larger than the pictures": (["{folder}", "{other}", "--size", "64", "--crop", "65"], "--crop"),
    "photos smaller than the pictures": (["{model}", "photos", "--data", "{data}", "--size", "256"], "--size 64"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_makes_no_study_is_refused_in_words(what: str, models, data, tmp_path: Path, capsys):
    places = {
        "model": models[0],
        "data": data,
        "folder": flat_pictures(tmp_path / "folder", 1),
        "other": flat_pictures(tmp_path / "other", 1),
    }
    words, said = REFUSED[what]
    page = tmp_path / "study.html"
    assert main(["study", *(word.format(**places) for word in words), "-o", str(page)]) == 2
    assert said in capsys.readouterr().err and not page.exists()


def test_a_full_disk_is_told_and_leaves_no_half_page(models, data, tmp_path: Path):
    with small_disk(tmp_path / "disk", 16) as disk:
        words = ["study", *models, "--data", data, "--size", 64, "-o", disk / "study.html"]
        assert_told_full(command(*words))
        assert not list(disk.iterdir())


def test_models_of_different_label_sets_are_not_compared(models, data, tmp_path: Path, capsys):
    other = tiny_model(tmp_path, "ade20k")
    assert main(["study", str(models[0]), str(other), "--data", str(data), "--size", "64"]) == 2
    assert "ade20k" in capsys.readouterr().err


def test_the_legend_names_what_is_on_the_map_the_largest_first():
    label_set = load_label_set("landscape")
    names = [entry.name for entry in label_set.classes]
    ids = np.zeros((10, 10), np.uint8)
    ids[:3], ids[3, :2] = 6, 255
    assert [name for name, _ in legend(label_set, ids)] == [names[0], names[6]]


def in_browser(page: Path, folder: Path, script: str, *options: str) -> Any:
    """The text of <pre id="result"> after a script has driven the page."""
    driven = folder / page.name
    helpers = """
        const key = name => dispatchEvent(new KeyboardEvent("keydown", { key: name }));
        const pause = () => new Promise(done => setTimeout(done, 250));
        const begin = name => { $("rater").value = name; $("begin").click(); };
        const report = value => {
          const result = document.createElement("pre");
          result.id = "result";
          result.textContent = JSON.stringify(value);
          document.body.append(result);
        };"""
    text = page.read_text(encoding="utf-8").replace("</html>", "")
    driven.write_text(
        f"{text}<script>(async () => {{{helpers}{script}}})();</script></html>", encoding="utf-8"
    )
    assert CHROMIUM is not None
    ended = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=20000", *options, "--dump-dom", driven.as_uri(),
        ],
        capture_output=True, text=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    found = re.search(r'<pre id="result">(.*?)</pre>', ended.stdout, re.DOTALL)
    assert found, ended.stderr[-2000:]
    return json.loads(unescape(found[1]))


@in_chromium
def test_a_person_answers_by_key_and_click_takes_one_back_and_the_answers_are_counted(
    page: Path, tmp_path, capsys
):
    answers = in_browser(page, tmp_path, """
        begin("Ann");
        for (const name of ["ArrowLeft", "ArrowRight", "ArrowLeft"]) { key(name); await pause(); }
        key("Backspace"); await pause();
        const counted = $("count").textContent;
        $("right").click(); await pause();
        const shown = order.slice(0, 3).map(({ left }) => left);
        while (!$("trial").hidden) {
          $(order[state.answers.length].left === "a" ? "left" : "right").click(); await pause();
        }
        report({ counted, shown, end: $("thanks").textContent, answers: JSON.parse($("text").value) });
    """)  # fmt: skip
    assert answers["counted"] == f"2 of {PAIRS}" and answers["end"] == "Thank you"
    given = answers["answers"]["answers"]
    other = {"a": "b", "b": "a"}
    left = answers["shown"]
    # left, right, and right in place of the left that was taken back; then always a
    assert [answer["chosen"] for answer in given[:3]] == [left[0], other[left[1]], other[left[2]]]
    assert all(answer["chosen"] == "a" for answer in given[3:])
    assert sorted(answer["trial"] for answer in given) == list(range(PAIRS))
    assert all({answer["left"], answer["right"]} == {"a", "b"} for answer in given)

    file = tmp_path / "ann.json"
    file.write_text(json.dumps(answers["answers"]), encoding="utf-8")
    assert main(["study-results", str(file)]) == 0
    counted = sum(answer["chosen"] == "a" for answer in given) / PAIRS
    said = capsys.readouterr().out
    assert f"ourmodel is preferred to theirmodel in {counted:.1%} of {PAIRS} answers" in said
    assert "nothing of what other people would say" in said


@in_chromium
def test_people_see_orders_of_their_own_and_half_of_them_the_other_way_round(page: Path, tmp_path: Path):
    orders = in_browser(page, tmp_path, """
        report(Array.from({ length: 12 }, (_, n) => ordered("person " + n)));
    """)  # fmt: skip
    given = [trial["left"] for trial in told(page)["trials"]]
    sides = []
    for order in orders:
        assert sorted(entry["trial"] for entry in order) == list(range(PAIRS))
        sides.append({entry["left"] == given[entry["trial"]] for entry in order})
    assert all(len(side) == 1 for side in sides)  # all pairs as drawn, or all the other way round
    assert {True, False} <= set.union(*sides)
    assert len({tuple(entry["trial"] for entry in order) for order in orders}) > 8


@in_chromium
def test_what_is_on_the_left_is_what_the_answer_says(page: Path, tmp_path: Path):
    seen = in_browser(page, tmp_path, """
        begin("Bob");
        const { trial, left, right } = order[0], map = study.maps[study.trials[trial].map];
        const both = ["left", "right"].map(side => $(side).querySelector("img").src);
        report(left !== right && both[0] === map.pictures[left] && both[1] === map.pictures[right]
               && $("labels").src === map.labels);
    """)  # fmt: skip
    assert seen is True


@in_chromium
def test_a_held_key_answers_once_and_model_names_are_never_on_the_screen(page: Path, tmp_path: Path):
    seen = in_browser(page, tmp_path, """
        begin("Cleo");
        key("ArrowLeft"); key("ArrowLeft"); await pause();
        dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", repeat: true })); await pause();
        report({ answers: state.answers.length, text: document.body.innerText });
    """)  # fmt: skip
    assert seen["answers"] == 1
    assert "ourmodel" not in seen["text"] and "theirmodel" not in seen["text"]


@in_chromium
def test_pictures_one_by_one_are_taken_for_photos_or_not_and_counted(models, data, tmp_path: Path, capsys):
    written(study([models[0], PHOTOS], data, question="photo"), tmp_path)
    (tmp_path / "browser").mkdir()
    answers = in_browser(tmp_path / "study.html", tmp_path / "browser", """
        begin("Eve");
        let wrong = 0;
        while (!$("trial").hidden) {
          const { trial, shown } = order[state.answers.length];
          if ($("shown").src !== study.maps[study.trials[trial].map].pictures[shown]) wrong++;
          // photos are always told; of the painted ones the first two are taken for photos
          const fooled = shown === "a" && state.answers.filter(({ shown }) => shown === "a").length < 2;
          key(shown === "b" || fooled ? "ArrowLeft" : "ArrowRight"); await pause();
        }
        report({ wrong, said: JSON.parse($("text").value) });
    """)  # fmt: skip
    assert answers["wrong"] == 0 and len(answers["said"]["answers"]) == 2 * PAIRS
    file = tmp_path / "eve.json"
    file.write_text(json.dumps(answers["said"]), encoding="utf-8")
    assert main(["study-results", str(file)]) == 0
    said = capsys.readouterr().out
    assert f"ourmodel is taken for a photo in {2 / PAIRS:.1%} of {PAIRS} answers" in said
    assert f"photos is taken for a photo in 100.0% of {PAIRS} answers" in said


@in_chromium
def test_a_reload_goes_on_where_one_was(page: Path, tmp_path: Path):
    in_browser(page, tmp_path, 'begin("Dan"); key("ArrowLeft"); await pause(); report(1);')
    seen = in_browser(page, tmp_path, """
        report({ rater: state && state.rater, count: $("count").textContent, hidden: $("trial").hidden });
    """)  # fmt: skip
    assert seen == {"rater": "Dan", "count": f"1 of {PAIRS}", "hidden": False}


def test_results_of_nothing_are_refused(capsys):
    assert main(["study-results"]) == 2
