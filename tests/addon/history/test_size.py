# SPDX-License-Identifier: GPL-3.0-or-later
"""What a history takes in the file, with real pictures: by the embedded model, of the example valley."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest
from spade_backdrops.history.records import results, size_of
from spade_backdrops.preferences import preferences
from spade_backdrops.properties import settings

from tests.addon.serving import painting_command, renew_session

WANTED, MOST = 50, 60e6


@pytest.fixture
def valley(scene):
    renew_session()
    entry = bpy.context.preferences.addons.new()
    entry.module = "spade_backdrops"
    preferences().server, preferences().server_command = "LOCAL", painting_command()
    bpy.ops.spade.add_example()
    spade = settings(scene)
    spade.width, spade.height, spade.match_camera = 1024, 576, False
    yield scene
    renew_session()
    bpy.context.preferences.addons.remove(entry)


def test_fifty_results_of_1024_by_576_take_less_than_60_megabytes(valley, tmp_path):
    file = tmp_path / "valley.blend"
    sizes = []
    for seed in (1, 2):
        settings(valley).seed = seed
        bpy.ops.spade.generate()
        bpy.ops.wm.save_as_mainfile(filepath=str(file), compress=False)
        sizes.append(Path(file).stat().st_size)
    assert tuple(results()[0].size) == (1024, 576)
    # The second shares its label map, the first has one of its own: each result counts as the first.
    of_one = max(size_of(results()[:1]), sizes[1] - sizes[0])
    assert WANTED * of_one < MOST
