# SPDX-License-Identifier: GPL-3.0-or-later
"""What `scene.spade` remembers of the style: by a seed, by a name of the model's, or by a picture; or a mix of two.

A named style is stored by its name alone: it stays chosen while no server is connected, and when another model does
not have it.
"""

# No postponed annotations here: Blender reads its properties out of them.

from collections.abc import Mapping
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..session import current_session
from .thumbnails import icon_of

FIRST, SECOND = PREFIXES = ("style", "second_style")
"""How the names of each style's properties begin."""

_SOURCES = (
    ("SEED", "Seed", "The style that a seed draws"),
    ("NAMED", "Named", "One of the styles that the model has a name for"),
    ("IMAGE", "Picture", "The look of a picture"),
)
# Blender keeps no reference to the texts of a dynamic list: the last one of each must stay alive here.
_items: dict[str, list[Any]] = {}


def model_styles(spade) -> tuple[str, ...]:
    """The names of the styles that the scene's model has; none while no server is connected."""
    model = current_session().connection.model_named(spade.model)
    return model.styles if model else ()


def chosen_name(spade, prefix: str) -> str:
    """The named style that was chosen; where none was, the first that the model has, or ""."""
    return getattr(spade, f"{prefix}_name") or next(iter(model_styles(spade)), "")


def listed_names(spade, prefix: str) -> list[str]:
    """What there is to choose: the model's styles, and the chosen one, whether the model has it or not."""
    names, chosen = list(model_styles(spade)), chosen_name(spade, prefix)
    if chosen and chosen.casefold() not in map(str.casefold, names):
        names.append(chosen)
    return names


def apply_facts(
    spade, facts: Mapping[str, str | int | float], images: Mapping[str, bpy.types.Image | None]
) -> None:
    """Choose the style again that a picture says of itself. images: the pictures of styles, by prefix."""
    spade.style_strength = facts.get("style_strength", 1.0)
    spade.mix_styles = "style_mix" in facts
    spade.style_mix = facts.get("style_mix", spade.style_mix)
    spade.own_style_seed = "style_seed" in facts
    for prefix in PREFIXES:
        if f"{prefix}_name" in facts:
            source = "NAMED"
        else:
            source = "IMAGE" if f"{prefix}_image" in facts else "SEED"
        setattr(spade, f"{prefix}_source", source)
        for kind in ("name", "seed"):
            if (name := f"{prefix}_{kind}") in facts:
                setattr(spade, name, facts[name])
        if source == "IMAGE":
            setattr(spade, f"{prefix}_image", images[prefix])


def pick_property(prefix: str) -> Any:
    """The list of named styles; what is picked is stored in the style's name."""

    def items(spade, context) -> list[Any]:
        key = f"{spade.path_from_id()} {prefix}"  # each class that has a style has a list
        model = current_session().connection.model_named(spade.model)
        known = len(model.styles) if model else 0
        _items[key] = [
            (name, name, "", icon_of(model, number) if model and number < known else "QUESTION", number)
            for number, name in enumerate(listed_names(spade, prefix))
        ]
        return _items[key]

    def get(spade) -> int:
        names = [name.casefold() for name in listed_names(spade, prefix)]
        chosen = chosen_name(spade, prefix).casefold()
        return names.index(chosen) if chosen in names else 0

    def set(spade, number: int) -> None:
        setattr(spade, f"{prefix}_name", listed_names(spade, prefix)[number])

    return EnumProperty(
        name="Named Style", description="A style that the model has a name for", items=items, get=get, set=set
    )


def source_property(default: str = "SEED") -> Any:
    return EnumProperty(
        name="Style", description="What the style is taken from", items=_SOURCES, default=default
    )


def name_property() -> Any:
    return StringProperty(
        name="Style's Name", description="Which of the model's styles; empty for its first one"
    )


def image_property() -> Any:
    return PointerProperty(
        type=bpy.types.Image,
        name="Picture",
        description="A picture whose light, season and colours are taken",
    )


class StyleSettings:
    """The part of `scene.spade` that says in which style to paint."""

    style_source: source_property()
    style_name: name_property()
    style_pick: pick_property(FIRST)
    style_image: image_property()
    own_style_seed: BoolProperty(
        name="Own Style Seed",
        description="Draw the style (light, season, mood) apart from the picture's details",
    )
    style_seed: IntProperty(name="Style Seed", description="Another seed gives another style", min=0)
    style_strength: FloatProperty(
        name="Strength",
        description="0 is the model's average look, 1 the style as it is, above 1 more of it",
        default=1.0,
        min=0.0,
        max=2.0,
        subtype="FACTOR",
    )
    mix_styles: BoolProperty(name="Mix", description="Paint in a style between two")
    style_mix: FloatProperty(
        name="Share",
        description="How far from the first style (0) to the second (1)",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    second_style_source: source_property()
    second_style_name: name_property()
    second_style_pick: pick_property(SECOND)
    second_style_image: image_property()
    second_style_seed: IntProperty(name="Style Seed", description="Another seed gives another style", min=0)
