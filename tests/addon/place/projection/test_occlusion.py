# SPDX-License-Identifier: GPL-3.0-or-later
"""A projection lights what its camera saw, and nothing behind it."""

from __future__ import annotations

import bpy
import numpy as np
from spade_backdrops.scene.label_pass import render_label_map
from spade_backdrops.scene.projector import projector_of

from tests.addon.place.projection import court


def test_what_is_lit_is_what_rays_reach(scene, camera, tmp_path):
    """From 4 m aside and 2 m higher: shares as of a depth of twice the picture's size, all of the surfaces seen."""
    court.project(scene, np.full((court.HEIGHT, court.WIDTH, 3), 255, np.uint8))
    projector = projector_of(scene, camera)
    camera.location.x, camera.location.z = 4.0, 5.0
    bpy.context.view_layer.update()
    depth = render_label_map(scene, (court.HEIGHT, court.WIDTH)).depth
    points, rows, columns = court.points(projector_of(scene, camera), depth)
    places, ahead = projector.seen(points)
    framed = (ahead > 0) & ((places > 0) & (places < 1)).all(axis=1)
    margin = 4 / court.HEIGHT  # beyond its frame a picture goes on a little, for renderers that look past it
    beside = ~framed & (ahead > 0) & ((places > -margin) & (places < 1 + margin)).all(axis=1)
    # Paint is 255; what it lights is less.
    lit = court.rendered(scene, tmp_path)[rows, columns, 0] == 255
    reached = framed.copy()
    reached[framed] = court.are_reached(projector.place, points[framed])
    assert 0.2 < reached.mean() < 0.9
    assert (reached & ~lit).mean() < 0.005, "hidden though rays reach it"
    assert (lit & ~reached & ~beside).mean() < 0.005, "lit though something stands in front"
