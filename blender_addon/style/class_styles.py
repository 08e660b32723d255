# SPDX-License-Identifier: GPL-3.0-or-later
"""What `scene.spade` remembers of styles that are for a part of the picture: for a class, or going over from side to
side."""

# No postponed annotations here: Blender reads its properties out of them.

from collections.abc import Mapping

import bpy
from bpy.props import BoolProperty, CollectionProperty, FloatProperty, IntProperty, StringProperty

from ..contract.placed_styles import MOST_PLACED
from ..label_set_choice import class_names
from .settings import (
    FIRST,
    PREFIXES,
    chosen_name,
    image_property,
    name_property,
    pick_property,
    source_property,
)

ACROSS = "across_style"
"""How the names of the properties begin of the style that the picture goes over into."""
PLACES = tuple(f"style_for_{number}" for number in range(MOST_PLACED))
"""What the facts of each style of classes begin with."""
FACTS_ACROSS = "style_across"


class SpadeClassStyle(bpy.types.PropertyGroup):
    """The style of one class."""

    class_name: StringProperty(name="Class", description="What is in this style", search=class_names)
    style_source: source_property("NAMED")
    style_name: name_property()
    style_pick: pick_property(FIRST)
    style_image: image_property()
    style_seed: IntProperty(name="Style Seed", description="Another seed gives another style", min=0)

    @property
    def model(self) -> str:
        """The scene's, whose styles can be picked."""
        return self.id_data.spade.model


class PlacedStyleSettings:
    """The part of `scene.spade` that says which parts of a picture have styles of their own."""

    class_styles: CollectionProperty(type=SpadeClassStyle)
    class_style_index: IntProperty(name="Class", description="The class that is chosen in the list")
    style_softness: FloatProperty(
        name="Softness",
        description="Over how much of the picture's height one style goes over into another at a border",
        default=0.02,
        min=0.0,
        max=0.5,
        subtype="FACTOR",
    )
    goes_across: BoolProperty(
        name="Across",
        description="Go over into another style from the left side to the right; in a panorama towards a side of "
        "the sky",
    )
    across_style_source: source_property("NAMED")
    across_style_name: name_property()
    across_style_pick: pick_property(ACROSS)
    across_style_image: image_property()
    across_style_seed: IntProperty(name="Style Seed", description="Another seed gives another style", min=0)
    across_peak: FloatProperty(
        name="At",
        description="Where the picture is all in this style: 0 at the left side, 1 at the right",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )


def styles_in_use(spade) -> list[tuple[object, str]]:
    """What holds each style that the next picture is painted in, and how its properties' names begin."""
    found: list[tuple[object, str]] = [(spade, each) for each in (PREFIXES if spade.mix_styles else (FIRST,))]
    found += [(each, FIRST) for each in spade.class_styles]
    return [*found, (spade, ACROSS)] if spade.goes_across else found


def chosen_names(spade) -> list[str]:
    """The named styles that the next picture is painted in."""
    return [
        chosen_name(holder, prefix)
        for holder, prefix in styles_in_use(spade)
        if getattr(holder, f"{prefix}_source") == "NAMED"
    ]


def paints_parts(spade) -> bool:
    """Whether the next picture has styles of parts."""
    return bool(spade.class_styles) or spade.goes_across


def apply_placed_facts(
    spade, facts: Mapping[str, str | int | float], images: Mapping[str, bpy.types.Image | None]
) -> None:
    """Choose the styles of parts again that a picture says of itself. images: by what their facts begin with."""
    spade.class_styles.clear()
    for prefix in PLACES:
        for name in str(facts.get(f"{prefix}_classes", "")).split(","):
            if name:
                item = spade.class_styles.add()
                item.class_name = name
                _apply(item, FIRST, facts, prefix, images)
    spade.style_softness = facts.get("style_softness", spade.style_softness)
    spade.goes_across = f"{FACTS_ACROSS}_peak" in facts
    if spade.goes_across:
        spade.across_peak = facts[f"{FACTS_ACROSS}_peak"]
        _apply(spade, ACROSS, facts, FACTS_ACROSS, images)


def _apply(holder, own: str, facts, prefix: str, images) -> None:
    source = "NAMED" if f"{prefix}_name" in facts else "IMAGE" if f"{prefix}_image" in facts else "SEED"
    setattr(holder, f"{own}_source", source)
    if source == "IMAGE":
        setattr(holder, f"{own}_image", images[prefix])
    else:
        kind = "name" if source == "NAMED" else "seed"
        setattr(holder, f"{own}_{kind}", facts[f"{prefix}_{kind}"])
