# SPDX-License-Identifier: GPL-3.0-or-later
"""What has no label now: what the views show, and what the last label pass saw besides."""

from __future__ import annotations

from typing import TypeAlias

import bpy

from .coverage import Coverage, last_coverage
from .label_overview import LabelOverview, overview

Pairs: TypeAlias = list[tuple[bpy.types.Object, float | None]]

# The sidebar asks at every redraw; it is worked out anew when one of the two it comes from is another.
_known: tuple[LabelOverview, Coverage | None, Pairs] | None = None


def unlabelled_with_shares(scene: bpy.types.Scene) -> Pairs:
    """What has no label, with its share (0..1) of the picture that the last label pass took, the largest first.

    None where that pass did not see it. What only the render shows, as it is hidden in views, is among it. Raises
    BadLabelSetError when an imported label set cannot be read.
    """
    global _known
    seen, last = overview(scene), last_coverage(scene)
    if _known is None or _known[0] is not seen or _known[1] is not last:
        _known = seen, last, _joined(seen, last)
    return _known[2]


def _joined(seen: LabelOverview, last: Coverage | None) -> Pairs:
    shares = last.unlabelled if last else {}
    if not shares:
        return [(thing, None) for thing in seen.unlabelled]
    things = dict.fromkeys(seen.unlabelled)
    for name in shares:
        thing = bpy.data.objects.get(name)
        if thing is not None and not seen.table.covers(thing):
            things[thing] = None
    pairs = [(thing, shares.get(thing.name_full)) for thing in things]
    return sorted(pairs, key=lambda pair: -(pair[1] or 0.0))
