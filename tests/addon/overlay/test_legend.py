# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the legend."""

from spade_backdrops.contract.labels import load_label_set
from spade_backdrops.overlay.legend import LONGEST, legend_rows


def test_the_classes_in_use_come_with_colours_and_shares_the_largest_first():
    label_set = load_label_set("landscape")
    grass, sky = label_set.class_named("grass"), label_set.class_named("sky")
    rows = legend_rows(label_set, {sky.id: 0.3, grass.id: 0.6, label_set.ignore_id: 0.1, 9: 0.0})
    assert rows == [("grass", grass.rgb, 0.6), ("sky", sky.rgb, 0.3), ("no label", (0, 0, 0), 0.1)]


def test_what_would_be_too_many_is_summed_up():
    label_set = load_label_set("ade20k")
    rows = legend_rows(label_set, {entry.id: 1 / 40 for entry in label_set.classes[:40]})
    assert len(rows) == LONGEST and rows[-1][0] == f"{40 - LONGEST + 1} more"
    assert abs(sum(share for _, _, share in rows) - 1) < 1e-9
