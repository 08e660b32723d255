# SPDX-License-Identifier: GPL-3.0-or-later
"""The style that a scene's settings ask for, as a request carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import bpy

from ..contract.errors import BadImageError, BadLabelError, BadOptionError, UnknownStyleError
from ..contract.labels import LabelSet
from ..contract.placed_styles import MOST_PLACED, PlacedStyle
from ..contract.request import ImageStyle, MixedStyle, NamedStyle, PlainStyle, SeedStyle, Style
from ..properties import settings
from ..scene.label_rules import scene_label_set
from .class_styles import ACROSS, FACTS_ACROSS, PLACES
from .reference import rgb_of
from .settings import FIRST, PREFIXES, SECOND, chosen_name


@dataclass(frozen=True, eq=False)
class WantedStyle:
    """style: None lets the picture's seed draw it. strength, placed, softness: as in PictureRequest. facts: what a
    stored picture says of its style, each name beginning with "style_" or "second_style_"."""

    style: Style | None
    strength: float
    facts: dict[str, str | int | float]
    placed: tuple[PlacedStyle, ...] = ()
    softness: float = 0.0


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
    placed = _placed(scene, facts)
    softness = round(spade.style_softness, 6) if placed else 0.0
    if placed:
        facts["style_softness"] = softness
    return WantedStyle(style, strength, facts, placed, softness)


def _placed(scene: bpy.types.Scene, facts: dict[str, str | int | float]) -> tuple[PlacedStyle, ...]:
    """Styles of classes, those of one style together, and the one that the picture goes over into.

    Raises BadLabelError for a class that the label set does not have, and what `_plain` does.
    """
    spade, label_set = settings(scene), scene_label_set(scene)
    ids = {entry.name: entry.id for entry in label_set.classes}
    together: dict[tuple, tuple[list[str], PlainStyle]] = {}
    for item in spade.class_styles:
        if item.class_name not in ids:
            raise BadLabelError(
                f"A style is for the class '{item.class_name}', which the label set does not have.",
                "Choose the class anew in the Style panel, or remove it there.",
            )
        said: dict[str, str | int | float] = {}
        style = _plain(item, FIRST, said, drawn_apart=True)
        assert style is not None
        classes, _ = together.setdefault(tuple(said.items()), ([], style))
        if item.class_name not in classes:
            classes.append(item.class_name)
    names = [name for classes, _ in together.values() for name in classes]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadLabelError(f"The class '{twice}' has two styles.", "Remove one in the Style panel.")
    placed = []
    for prefix, (same, (classes, style)) in zip(PLACES, together.items(), strict=False):
        facts |= {f"{prefix}_{name.removeprefix('style_')}": value for name, value in same}
        facts[f"{prefix}_classes"] = ",".join(classes)
        placed.append(PlacedStyle(style, tuple(ids[name] for name in classes)))
    if len(together) > MOST_PLACED - spade.goes_across:
        raise BadOptionError(
            f"There are {len(together)} styles of classes.", f"{MOST_PLACED - 1} can be painted at once."
        )
    if spade.goes_across:
        said = {}
        style = _plain(spade, ACROSS, said, drawn_apart=True)
        assert style is not None
        facts |= {name.replace(ACROSS, FACTS_ACROSS): value for name, value in said.items()}
        facts[f"{FACTS_ACROSS}_peak"] = peak = round(spade.across_peak, 6)
        placed.append(PlacedStyle(style, peak=peak))
    return tuple(placed)


def placed_of(
    facts: Mapping[str, str | int | float],
    pictures: Mapping[str, bpy.types.Image | None],
    label_set: LabelSet,
) -> tuple[PlacedStyle, ...]:
    """The styles of parts that `facts` were written of. Raises BadImageError where a picture of one is missing."""
    ids, placed = {entry.name: entry.id for entry in label_set.classes}, []
    for prefix in (*PLACES, FACTS_ACROSS):
        style = _plain_of(facts, prefix, pictures.get(prefix))
        if style is None:
            continue
        if prefix == FACTS_ACROSS:
            placed.append(PlacedStyle(style, peak=float(facts[f"{prefix}_peak"])))
        else:
            classes = str(facts[f"{prefix}_classes"]).split(",")
            placed.append(PlacedStyle(style, tuple(ids[name] for name in classes)))
    return tuple(placed)


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


def _plain(
    spade, prefix: str, facts: dict[str, str | int | float], drawn_apart: bool = False
) -> PlainStyle | None:
    """drawn_apart: a seed is always the style's own."""
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
    if prefix == FIRST and not drawn_apart and not spade.own_style_seed:
        return None
    facts[f"{prefix}_seed"] = seed = getattr(spade, f"{prefix}_seed")
    return SeedStyle(seed)
