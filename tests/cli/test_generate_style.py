# SPDX-License-Identifier: Apache-2.0
"""spade generate --style and its company, on a real (tiny, untrained) checkpoint.

In this process: most of these compare several pictures, and each process would load torch anew.
"""

import numpy as np
import pytest
from PIL import Image

from spade_core.cli import main


def picture(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture
def photos(tmp_path) -> tuple:
    look = np.random.default_rng(0)
    for name, low, high in (("a.png", 0, 120), ("b.png", 100, 255)):
        Image.fromarray(look.integers(low, high, (50, 70, 3), np.uint8)).save(tmp_path / name)
    return "a.png", "b.png"


@pytest.fixture
def painted(labels, tiny_model, tmp_path, monkeypatch):
    """The picture that the command makes with these words."""
    monkeypatch.chdir(tmp_path)

    def paint(*words: object) -> np.ndarray:
        always = ("generate", labels, "-o", "out.png", "--model", tiny_model, "--seed", 5)
        assert main([str(word) for word in (*always, *words)]) == 0
        return picture(tmp_path / "out.png")

    return paint


def test_a_mix_starts_at_the_first_picture_and_ends_at_the_second(painted, photos):
    first, second = photos
    only_first = painted("--style", first)
    mixed = painted("--style", first, "--style-mix", second, "--mix", 0)
    assert np.array_equal(mixed, only_first)
    assert np.array_equal(
        painted("--style", first, "--style-mix", second, "--mix", 1), painted("--style", second)
    )
    half = painted("--style", first, "--style-mix", second)
    assert not np.array_equal(half, only_first)
    assert np.array_equal(half, painted("--style", second, "--style-mix", first, "--mix", 0.5))


def test_one_style_is_mixed_with_that_of_the_seed(painted, photos):
    assert np.array_equal(painted("--style", photos[0], "--mix", 0), painted())


def test_without_strength_all_styles_look_the_same(painted, photos):
    assert np.array_equal(painted("--strength", 0), painted("--style", photos[0], "--strength", 0))
    assert not np.array_equal(painted("--style", photos[0], "--strength", 0), painted("--style", photos[0]))


def test_a_style_code_can_come_from_a_file(painted, photos, tiny_model, tmp_path):
    from spade_core.synthesis.synthesizer import Synthesizer

    code = Synthesizer.load(tiny_model).encode_style(picture(tmp_path / photos[0]))
    np.save(tmp_path / "look.npy", code)
    assert np.abs(painted("--style", "look.npy").astype(int) - painted("--style", photos[0])).max() <= 1


@pytest.mark.parametrize(
    ("words", "clue"),
    [
        (("--style-mix", "a.png"), "--style"),
        (("--mix", "0.3"), "--style"),
        (("--style", "a.png", "--mix", "1.5"), "0 to 1"),
        (("--strength", "-1"), "0 to 2"),
        (("--style", "object.npy"), "object.npy"),
        (("--instances", "missing.png"), "missing.png"),
        (("--instances", "a.png"), "does not look at instances"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    labels, tiny_model, photos, tmp_path, monkeypatch, capsys, words, clue
):
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "object.npy", np.array([{"run": "me"}], object))
    code = main(["generate", str(labels), "-o", "out.png", "--model", str(tiny_model), *words])
    said = capsys.readouterr().err
    assert code == 2 and clue in said and "\n  fix: " in said
    assert not (tmp_path / "out.png").exists()


def test_a_class_and_a_region_have_styles_of_their_own(painted, photos, tmp_path):
    first, second = photos
    own = painted("--style", first)
    grass = painted("--style", first, "--style-for", f"grass={second}")
    assert not np.array_equal(grass, own)
    regions = np.zeros((48, 64), np.uint8)
    regions[32:] = 7
    Image.fromarray(regions).save(tmp_path / "regions.png")
    words = "--style-regions", "regions.png", "--style-for", f"7={second}"
    assert np.array_equal(painted("--style", first, *words), grass), "the same place, said otherwise"
    all_of_it = painted(
        "--style", first, "--style-for", *(f"{name}={second}" for name in ("sky", "mountain", "grass"))
    )
    assert np.array_equal(all_of_it, painted("--style", second))
    right = painted("--style", first, "--style-right", second).astype(int)
    middle = painted("--style", first, "--style-right", second, "--wrap", "horizontal")
    assert not np.array_equal(right, own) and not np.array_equal(right, middle)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--style-for", "sky"), "names no class and style"),
        (("--style-for", "carpet=sunset.jpg"), "no class 'carpet'"),
        (("--style-for", "3=b.png"), "no image of regions"),
        (("--softness", "0.7"), "Give a number from 0 to 0.5"),
    ],
)
def test_a_place_that_is_none_is_refused_in_words(
    labels, tiny_model, photos, tmp_path, monkeypatch, capsys, words, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sunset.jpg").write_bytes((tmp_path / "a.png").read_bytes())
    assert main(["generate", str(labels), "-o", "out.png", "--model", str(tiny_model), *words]) != 0
    assert said in capsys.readouterr().err
