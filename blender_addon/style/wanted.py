# SPDX-License-Identifier: GPL-3.0-or-later
"""The style that a scene's settings ask for, as a request carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import bpy

from ..contract.errors import BadImageError, UnknownStyleError
from ..contract.request import ImageStyle, MixedStyle, NamedStyle, PlainStyle, SeedStyle, Style
from ..properties import settings
from .reference import rgb_of
from .settings import FIRST, PREFIXES, SECOND, chosen_name


@dataclass(frozen=True, eq=False)
class WantedStyle:
    """style: None lets the picture's seed draw it. strength: as in PictureRequest. facts: what a stored picture says
    of its style, each name beginning with "style_" or "second_style_"."""

    style: Style | None
    strength: float
    facts: dict[str, str | int | float]


def wanted_style(scene: bpy.types.Scene) -> WantedStyle:
    """What is chosen in the scene; pictures are read. Raises BadImageError, and UnknownStyleError where no name is
    chosen and none is known."""
    spade = settings(scene)
    facts: dict[str, str | int | float] = {}
    # Blender's numbers are single: 0.3 is to be the 0.3 of the command line.
    strength, share = round(spade.style_strength, 6), round(spade.style_mix, 6)
    style: Style | None = _plain(spade, FIRST, facts)
    if spade.mix_styles:
        second = _plain(spade, SECOND, facts)
        assert second is not None
        style = MixedStyle(style or SeedStyle(spade.seed), second, share)
        facts["style_mix"] = share
    if strength != 1:
        facts["style_strength"] = strength
    return WantedStyle(style, strength, facts)


def style_of(
    facts: Mapping[str, str | int | float], pictures: Mapping[str, bpy.types.Image | None]
) -> Style | None:
    """The style that `facts` were written of, in a picture that has a seed. pictures: of styles by picture, by prefix.

    Raises BadImageError where one of them is missing.
    """
    first, second = (_plain_of(facts, prefix, pictures[prefix]) for prefix in PREFIXES)
    if second is None:
        return first
    return MixedStyle(first or SeedStyle(int(facts["seed"])), second, float(facts["style_mix"]))


def _plain_of(
    facts: Mapping[str, str | int | float], prefix: str, picture: bpy.types.Image | None
) -> PlainStyle | None:
    if f"{prefix}_name" in facts:
        return NamedStyle(str(facts[f"{prefix}_name"]))
    if f"{prefix}_image" in facts:
        if picture is None:
            raise BadImageError(
                f"The picture of its style, '{facts[f'{prefix}_image']}', is not in the file.",
                "Choose it in the Style panel, and generate anew.",
            )
        return ImageStyle(rgb_of(picture))
    return SeedStyle(int(facts[f"{prefix}_seed"])) if f"{prefix}_seed" in facts else None


def _plain(spade, prefix: str, facts: dict[str, str | int | float]) -> PlainStyle | None:
    source = getattr(spade, f"{prefix}_source")
    if source == "NAMED":
        name = chosen_name(spade, prefix)
        if not name:
            raise UnknownStyleError(
                "No style is chosen.", "Start the server, and choose one that its model has."
            )
        facts[f"{prefix}_name"] = name
        return NamedStyle(name)
    if source == "IMAGE":
        image = getattr(spade, f"{prefix}_image")
        if image is None:
            raise BadImageError(
                "No picture is chosen for the style.", "Choose one, or take the seed's style."
            )
        facts[f"{prefix}_image"] = image.name
        return ImageStyle(rgb_of(image))
    if prefix == FIRST and not spade.own_style_seed:
        return None
    facts[f"{prefix}_seed"] = seed = getattr(spade, f"{prefix}_seed")
    return SeedStyle(seed)
