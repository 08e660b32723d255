# SPDX-License-Identifier: Apache-2.0
"""Exports of other programs converted by the command line, and what came of them read as training reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spade_core.cli import main
from spade_core.data.layouts.layouts import find_pairs, label_set_of
from spade_core.data.pairs import read_pair
from tests.support.exports import NAMES, truth


def convert(*words: object) -> int:
    """The exit status of `spade dataset convert`."""
    return main(["dataset", "convert", *map(str, words)])


def read(root: Path) -> dict[str, np.ndarray]:
    """Places in NAMES, of each label map of a converted data set, by the names of its pairs."""
    label_set = label_set_of(root)
    places = {entry.id: place for place, name in enumerate(NAMES) if (entry := label_set.class_named(name))}
    found = {}
    for pair in find_pairs(root, None):
        ids = np.asarray(read_pair(pair, label_set)[1])
        found[pair.name] = np.vectorize(lambda id: places.get(id, 99))(ids)
    return found


def name_of(moved: int, found: dict[str, np.ndarray]) -> str:
    """The name under which a label map of the truth, with the tree moved so far, is found."""
    return next(name for name, ids in found.items() if np.array_equal(ids, truth(moved)))
