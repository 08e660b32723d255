# SPDX-License-Identifier: GPL-3.0-or-later
"""The menu of the server's models.

The model is stored by its name alone: it stays chosen while no server says anything.
"""

from __future__ import annotations

from typing import Any

from bpy.props import EnumProperty

from .session import current_session

# Blender keeps no reference to the texts of a dynamic list: the last one must stay alive here.
_items: list[Any] = []


def listed_models(spade) -> list[str]:
    """What there is to choose: the server's models, and the chosen one, whether the server has it or not."""
    welcome = current_session().connection.welcome
    names = [model.name for model in welcome.models] if welcome else []
    return names if spade.model in names else [*names, spade.model]


def _items_of(spade, context) -> list[Any]:
    connection = current_session().connection
    described = []
    for number, name in enumerate(listed_models(spade)):
        model = connection.model_named(name)
        if model is not None:
            about = f"Knows the label set {model.label_set}, learned at {model.native_size} pixels"
        elif connection.welcome is not None:
            about = "The server has no model of this name"
        else:
            about = "No server is connected: which models it has is not known yet"
        described.append((name, name, about, "NONE" if model else "QUESTION", number))
    _items[:] = described
    return _items


def _get(spade) -> int:
    return listed_models(spade).index(spade.model)


def _set(spade, number: int) -> None:
    spade.model = listed_models(spade)[number]


def model_pick() -> Any:
    """The property; what is picked is stored in `model`."""
    return EnumProperty(
        name="Model",
        description="Which of the server's models paints",
        items=_items_of,
        get=_get,
        set=_set,
        options={"SKIP_SAVE"},
    )
