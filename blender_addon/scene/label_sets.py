# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving a scene another label set."""

from __future__ import annotations

import bpy

from ..contract.labels import LabelClass, LabelSet, load_label_set, shipped_label_sets
from ..label_set_choice import CUSTOM
from ..properties import settings


def shipped_with(digest: str) -> LabelSet | None:
    """The shipped label set of this digest, if there is one: no need to ask the server."""
    sets = map(load_label_set, shipped_label_sets())
    return next((each for each in sets if each.digest == digest), None)


def use_label_set(scene: bpy.types.Scene, label_set: LabelSet) -> None:
    """Make this the scene's label set: a shipped one by its name, any other by its text."""
    wanted = settings(scene)
    if shipped_with(label_set.digest) is not None and label_set.name in shipped_label_sets():
        wanted.label_set = label_set.name
        return
    wanted.custom_label_set = label_set.to_toml()
    wanted.label_set = CUSTOM


def background_of(label_set: LabelSet, background_class: str) -> LabelClass | None:
    """The class of what lies past everything, by the name that the scene gives it; None where the set has none."""
    return label_set.class_named(background_class) or label_set.match(background_class)
