# SPDX-License-Identifier: GPL-3.0-or-later
"""Results: a picture in the file together with the request that it was painted for."""

from __future__ import annotations

import json

import bpy
import numpy as np

from ..bridge.jobs import SceneRequest
from ..bridge.made_with import MadeWith
from ..contract.messages import EXACT
from ..contract.request import ImageStyle, MixedStyle
from ..place.image import PROVENANCE, generated_images, is_painting, provenance_of
from ..place.layers.kept import layers_in
from ..place.projection.bare import MEANS, mean_colors
from ..place.projection.sights import sight_in
from ..style.class_styles import FACTS_ACROSS, PLACES
from ..style.settings import PREFIXES
from ..style.wanted import placed_of, style_of
from .parts import (
    INSTANCE_MAP,
    LABEL_MAP,
    REGION_BASE,
    REGION_SHARE,
    instance_map_in,
    instance_map_part,
    label_map_in,
    label_map_part,
    parts_of,
    remove_unused,
    repaint_in,
    style_part,
)
from .thumbnails import set_thumbnail

FAVOURITE = "spade_favourite"
"""Custom property of a picture that is a favourite."""

removed: set[str] = set()
"""The provenance of results that were removed from this file on purpose: a redo of that is no loss."""


def results() -> list[bpy.types.Image]:
    """The finished pictures in the file, the newest first; those of linked files are not ours to keep or remove."""
    found = reversed(generated_images())
    return [image for image in found if image.library is None and not is_painting(image)]


def record(picture: bpy.types.Image, request: SceneRequest, rgb: np.ndarray) -> None:
    """Keep with a stored picture, (H, W, 3) uint8, what it was made of, and a thumbnail."""
    if LABEL_MAP in picture:
        return
    picture[LABEL_MAP] = label_map_part(request.label_map, request.label_set)
    if rgb.shape[:2] == request.label_map.shape:
        picture[MEANS] = json.dumps(mean_colors(rgb, request.label_map, request.label_set))
    if request.instance_map is not None:
        picture[INSTANCE_MAP] = instance_map_part(request.instance_map)
    style = request.style
    own = (style.first, style.second) if isinstance(style, MixedStyle) else (style,)
    places = [
        FACTS_ACROSS if each.peak is not None else prefix
        for prefix, each in zip(PLACES, request.placed_styles, strict=False)
    ]
    plain = dict(zip(PREFIXES, own, strict=False)) | dict(
        zip(places, (each.style for each in request.placed_styles), strict=True)
    )
    for prefix, part in plain.items():
        if isinstance(part, ImageStyle):
            picture[f"spade_{prefix}_image"] = style_part(
                part.rgb, str(request.style_facts[f"{prefix}_image"])
            )
    if request.repaint is not None:
        picture[REGION_SHARE] = instance_map_part(request.repaint.share.astype(np.uint16))
        picture[REGION_BASE] = style_part(request.repaint.base, request.repaint.base_name)
    set_thumbnail(picture, rgb)


def request_of(picture: bpy.types.Image, scene: bpy.types.Scene) -> SceneRequest:
    """The same request again, for a scene. Raises BadImageError where the picture does not have all of it."""
    facts = provenance_of(picture)
    label_map, label_set = label_map_in(picture)
    return SceneRequest(
        label_map=label_map,
        label_set=label_set,
        model=str(facts["model"]),
        seed=int(facts["seed"]),
        scene_uid=scene.session_uid,
        scene_name=scene.name,
        blend_file=bpy.data.filepath,
        camera_name=str(facts["camera"]),
        upscale=str(facts.get("upscale", "auto")),
        detail=float(facts.get("detail", 1.0)),
        natural_edges=float(facts.get("natural_edges", 0.0)),
        precision=str(facts.get("precision", EXACT)),
        style=style_of(facts, style_images(picture)),
        strength=float(facts.get("style_strength", 1.0)),
        style_facts={
            name: fact for name, fact in facts.items() if name.startswith(("style_", "second_style_"))
        },
        instance_map=instance_map_in(picture),
        made_with=made_with(picture),
        sight=sight_in(picture),
        layers=layers_in(picture),
        placed_styles=placed_of(facts, style_images(picture), label_set),
        softness=float(facts.get("style_softness", 0.0)),
        wrap={"horizontal": (False, True), "both": (True, True)}.get(str(facts.get("wrap")), (False, False)),
        yaw=float(facts.get("yaw", 0.0)),
        repaint=repaint_in(picture, str(facts.get("region_of", ""))),
    )


def made_with(picture: bpy.types.Image) -> MadeWith:
    """The model and the upscaler of a result, as far as it says."""
    facts = provenance_of(picture)
    return MadeWith(
        str(facts.get("model", "")), str(facts.get("model_digest", "")), str(facts.get("upscaler", ""))
    )


def style_images(picture: bpy.types.Image) -> dict[str, bpy.types.Image | None]:
    """The pictures of a result's style, by the prefixes of the style's properties."""
    return {prefix: picture.get(f"spade_{prefix}_image") for prefix in (*PREFIXES, *PLACES, FACTS_ACROSS)}


def is_in_use(picture: bpy.types.Image) -> bool:
    """Whether anything shows it: a placement, a material of the user's, an open editor."""
    return picture.users > picture.use_fake_user


def remove_result(picture: bpy.types.Image) -> None:
    """Take a picture out of the file, and what only it was made of."""
    removed.add(picture[PROVENANCE])
    bpy.data.images.remove(picture)
    remove_unused()


def size_of(pictures: list[bpy.types.Image]) -> int:
    """How many bytes of the file pictures take together with what they were made of."""
    images = {image for picture in pictures for image in (picture, *parts_of(picture).values())}
    return sum(image.packed_file.size for image in images if image.packed_file is not None)


def trim(limit: int) -> None:
    """Remove the oldest results until they take no more bytes than this: no favourites, none that is in use."""
    kept = results()
    for picture in reversed(list(kept)):
        if size_of(kept) <= limit:
            return
        if FAVOURITE not in picture and not is_in_use(picture):
            kept.remove(picture)
            remove_result(picture)
