# SPDX-License-Identifier: Apache-2.0
"""The page of a preference study, answered by a script inside real Chromium."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from spade_core.cli import main
from spade_core.contract.errors import LabelSetMismatchError
from spade_core.contract.labels import load_label_set
from spade_core.evaluation.candidates import load_candidates
from spade_core.evaluation.scenes import PictureSize, Scenes
from spade_core.evaluation.study import PreferenceStudy, legend
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


def study(models: list[Path], data: Path, seed: int = 0) -> PreferenceStudy:
    first, second = load_candidates(list(map(str, models)), "cpu")
    scenes = Scenes.of(data, "val", load_label_set("landscape"), PictureSize(64, 64))
    return PreferenceStudy(first, second, scenes, seed)


def told(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('<script type="application/json" id="study">')[1].split("</script>")[0])


def test_the_page_is_one_file_that_loads_and_sends_nothing(page: Path):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|fetch\(|XMLHttpRequest|sendBeacon|<img[^>]* src=", text)
    trials = told(page)["trials"]
    assert len(trials) == PAIRS
    for trial in trials:
        pictures = [trial["labels"], *trial["pictures"].values()]
        assert len(pictures) == 3 and all(picture.startswith("data:image/") for picture in pictures)


def test_each_model_is_on_the_left_equally_often_in_an_order_drawn_from_the_seed(models, data):
    sides = {tuple(study(models, data, seed).left_sides()) for seed in range(8)}
    assert len(sides) > 3
    assert all(side.count("a") == PAIRS / 2 for side in sides)
    assert study(models, data, 5).left_sides() == study(models, data, 5).left_sides()


def test_another_seed_is_another_study(models, data):
    assert study(models, data, 0).digest == study(models, data, 0).digest != study(models, data, 1).digest


def test_a_full_disk_is_told_and_leaves_no_half_page(models, data, tmp_path: Path):
    with small_disk(tmp_path / "disk", 16) as disk:
        words = ["study", *models, "--data", data, "--size", 64, "-o", disk / "study.html"]
        assert_told_full(command(*words))
        assert not list(disk.iterdir())


def test_models_of_different_label_sets_are_not_compared(models, data, tmp_path: Path):
    with pytest.raises(LabelSetMismatchError, match="ade20k"):
        study([models[0], tiny_model(tmp_path, "ade20k")], data)


def test_the_legend_names_what_is_on_the_map_the_largest_first():
    label_set = load_label_set("landscape")
    names = [entry.name for entry in label_set.classes]
    ids = np.zeros((10, 10), np.uint8)
    ids[:3], ids[3, :2] = 6, 255
    assert [name for name, _ in legend(label_set, ids)] == [names[0], names[6]]


def in_browser(page: Path, folder: Path, script: str, *options: str) -> str:
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

    file = tmp_path / "ann.json"
    file.write_text(json.dumps(answers["answers"]), encoding="utf-8")
    assert main(["study-results", str(file)]) == 0
    counted = sum(answer["chosen"] == "a" for answer in given) / PAIRS
    assert (
        f"ourmodel is preferred to theirmodel in {counted:.1%} of {PAIRS} answers" in capsys.readouterr().out
    )


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
        const { trial, left } = order[0], pair = study.trials[trial].pictures;
        const both = ["left", "right"].map(side => $(side).querySelector("img").src);
        report(both[0] === pair[left] && both[1] === pair[left === "a" ? "b" : "a"]
               && $("labels").src === study.trials[trial].labels);
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
def test_a_reload_goes_on_where_one_was(page: Path, tmp_path: Path):
    in_browser(page, tmp_path, 'begin("Dan"); key("ArrowLeft"); await pause(); report(1);')
    seen = in_browser(page, tmp_path, """
        report({ rater: state && state.rater, count: $("count").textContent, hidden: $("trial").hidden });
    """)  # fmt: skip
    assert seen == {"rater": "Dan", "count": f"1 of {PAIRS}", "hidden": False}


def test_results_of_nothing_are_refused(capsys):
    assert main(["study-results"]) == 2
