# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator that renders training pairs, as `spade dataset render` calls it."""

import json

import pytest

bpy = pytest.importorskip("bpy")

from spade_backdrops.example.valley import build_valley  # noqa: E402


def test_the_operator_renders_reports_and_refuses(yard, tmp_path, capfd):
    options = {"count": 1, "width": 32, "height": 24, "samples": 1}
    bpy.ops.spade.render_pairs(directory=str(tmp_path / "Bücher"), **options)
    said = [
        line.removeprefix("spade-pairs: ")
        for line in capfd.readouterr().out.splitlines()
        if "pairs: {" in line
    ]
    events = [json.loads(line) for line in said]
    assert [event["kind"] for event in events] == ["progress", "progress", "finished"]
    assert events[-1]["rendered"] == 1 and (tmp_path / "Bücher" / "labels" / "000000.png").exists()
    with pytest.raises(RuntimeError, match="another seed"):
        bpy.ops.spade.render_pairs(directory=str(tmp_path / "Bücher"), seed=9, **options)
    said = [
        line.removeprefix("spade-pairs: ")
        for line in capfd.readouterr().out.splitlines()
        if "pairs: {" in line
    ]
    failed = json.loads(said[-1])
    assert failed["kind"] == "failed" and failed["code"] == "CANNOT_WRITE" and failed["fix"]


def test_things_are_labelled_by_name_only_if_asked(scene, tmp_path):
    build_valley(scene)
    options = {"directory": str(tmp_path), "count": 1, "width": 32, "height": 24, "samples": 1}
    with pytest.raises(RuntimeError, match="label"):
        bpy.ops.spade.render_pairs(**options)
    bpy.ops.spade.render_pairs(label_by_name=True, **options)
    assert (tmp_path / "labels" / "000000.png").exists()
