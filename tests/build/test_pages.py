# SPDX-License-Identifier: Apache-2.0
"""The pages for people: what they link to, show and tell to run is there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from build_steps.environments import ROOT

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "spade_core").rglob("*.md")]
LINK = re.compile(r"\]\(([^()\s]+)\)")


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_and_picture_of_a_page_is_there(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists() and target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_into_the_source_that_a_page_names_is_there(page):
    folders = "spade_core|server|blender_addon|build_steps|tests|examples|tools|benchmarks|docs"
    for path in re.findall(rf"`((?:{folders})/[\w./-]*)`", page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_program_that_a_page_tells_to_run_is_there(page):
    text = page.read_text(encoding="utf-8")
    for module in re.findall(r"-m ((?:examples|tools|benchmarks|server|spade_core|spade_server)[\w.]*)", text):
        assert importlib.util.find_spec(module) is not None, module
    for program in re.findall(r"python[\d.]* ([\w/]+\.py)", text):
        assert (ROOT / program).is_file(), program


def test_every_picture_is_shown_on_some_page():
    shown = {
        (page.parent / link).resolve() for page in PAGES for link in LINK.findall(page.read_text(encoding="utf-8"))
    }
    assert not set((ROOT / "docs" / "pictures").iterdir()) - shown


@pytest.mark.parametrize("folder", ["examples", "tools", "benchmarks"])
def test_docs_are_prose_and_programs_say_how_they_are_run(folder):
    assert not list((ROOT / "docs").rglob("*.py"))
    for program in (ROOT / folder).glob("*.py"):
        text = program.read_text(encoding="utf-8")
        if 'if __name__ == "__main__":' in text and program.stem != "demo":  # the demo is run by build.py
            assert f"python -m {folder}.{program.stem}" in text
