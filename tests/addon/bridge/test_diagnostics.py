# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip for whoever helps: real files, a real doctor."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

from spade_backdrops.bridge.diagnostics import Diagnostics, Evidence, doctor_of

from tests.addon.serving import PYTHON, until


def written(file: Path, evidence: Evidence) -> dict[str, str]:
    collecting = Diagnostics(file, evidence)
    until(lambda: collecting.has_ended, collecting.step, 90)
    assert collecting.error is None
    with zipfile.ZipFile(file) as opened:
        return {name: opened.read(name).decode() for name in opened.namelist()}


def test_facts_logs_and_the_doctors_words_are_in_it(tmp_path):
    log = tmp_path / "server-1.log"
    log.write_text(f"Listening. {Path.home()}/secret-project\n", encoding="utf-8")
    evidence = Evidence({"blender": "4.5"}, [log], doctor_of((PYTHON, "-P", "-m", "spade_server")))
    inside = written(tmp_path / "Größe.zip", evidence)
    assert set(inside) == {"facts.json", "logs/server-1.log", "doctor.txt"}
    assert json.loads(inside["facts.json"])["blender"] == "4.5"
    assert "torch" in inside["doctor.txt"]


def test_the_users_name_is_not_in_it(tmp_path):
    log = tmp_path / "server-1.log"
    log.write_text(f"{Path.home()}/secret-project\n", encoding="utf-8")
    inside = written(tmp_path / "d.zip", Evidence({"path": str(Path.home() / "x")}, [log]))
    assert not any(str(Path.home()) in text for text in inside.values())
    assert "~" in inside["logs/server-1.log"]


def test_nothing_else_is_left_beside_it(tmp_path):
    written(tmp_path / "d.zip", Evidence({}, [], (sys.executable, "-c", "print('well')")))
    assert [file.name for file in tmp_path.iterdir()] == ["d.zip"]


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    collecting = Diagnostics(tmp_path / "nowhere" / "d.zip", Evidence({}))
    until(lambda: collecting.has_ended, collecting.step)
    assert "could not be written" in collecting.error.message and collecting.error.fix


def test_the_doctor_is_found_beside_a_program_of_the_users_own(tmp_path):
    for name in ("spade-server", "spade"):
        (tmp_path / name).touch()
    assert doctor_of((str(tmp_path / "spade-server"), "--threads", "2")) == (
        str(tmp_path / "spade"),
        "doctor",
    )
    assert doctor_of(("/somewhere/start-it.sh",)) == ()
