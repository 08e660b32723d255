# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators: they ask the scene side for labels and the session for pictures."""

from __future__ import annotations

import bpy

from . import (
    animation,
    bake,
    batch,
    class_styles,
    comparison,
    diagnostics,
    engine,
    eyedropper,
    generate,
    history,
    install,
    label_image,
    label_map,
    label_sets,
    labels,
    live,
    pairs,
    panorama,
    place,
    projection,
    repaint,
    reports_errors,
    scenes,
    server,
    style,
    swatches,
    unlabelled,
    variations,
)

_CLASSES = tuple(
    kind
    for part in (
        reports_errors,
        generate,
        variations,
        live,
        place,
        projection,
        bake,
        animation,
        batch,
        panorama,
        engine,
        history,
        repaint,
        comparison,
        labels,
        unlabelled,
        label_sets,
        label_map,
        label_image,
        eyedropper,
        pairs,
        scenes,
        server,
        install,
        diagnostics,
        style,
        class_styles,
    )
    for kind in part.CLASSES
)


def register() -> None:
    for kind in _CLASSES:
        bpy.utils.register_class(kind)


def unregister() -> None:
    for kind in reversed(_CLASSES):
        bpy.utils.unregister_class(kind)
    swatches.forget()
