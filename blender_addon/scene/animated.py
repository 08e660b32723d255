# SPDX-License-Identifier: GPL-3.0-or-later
"""The data-blocks of a file that have animation or drivers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy


def animated() -> Iterator[Any]:
    """Each of them, those inside others (node trees of materials) too."""
    for kind in bpy.data.bl_rna.properties:
        # All of them once more are in Blender 5's "all_ids".
        if kind.type != "COLLECTION" or kind.fixed_type.identifier == "ID":
            continue
        blocks: Any = getattr(bpy.data, kind.identifier)
        known = kind.fixed_type.properties
        # Which kinds can be animated is asked once and not of each of many thousands.
        if "animation_data" in known:
            yield from (block for block in blocks if block.animation_data is not None)
        if "node_tree" in known:
            for block in blocks:
                if block.node_tree is not None and block.node_tree.animation_data is not None:
                    yield block.node_tree
