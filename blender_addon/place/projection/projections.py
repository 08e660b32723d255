# SPDX-License-Identifier: GPL-3.0-or-later
"""The projections of a scene: added, replaced, removed. `scene.spade.projections` lists them, the first one first."""

from __future__ import annotations

from typing import Any

import bpy

from ...bridge.sight import Projector
from ...contract.errors import BadOptionError
from ...properties import settings
from ...scene.blocks import blocks_in_sight, blocks_of
from ...scene.projected import users_material
from ...scene.shader_tree import Tree
from ...scene.visible import rendered_objects
from .bare import color_bare, means_of
from .group import depth_in, new_group, picture_in
from .materials import paint_objects, refusal, restore_objects, restore_strays, shows_others
from .paint import fit_paint, mix_projections, paint_of
from .sky import fit_sky, lay_sky

MOST = 10
"""Projections in a scene: two cameras', with all that is hidden from each filled."""
MOST_IMAGES = 30
"""That EEVEE reads in one material; beyond, it draws it magenta and says nothing."""
_A_PROJECTION = 2
_TABLE = 1  # of the view's colours
# Where several meet, those that fall in flatly count less by the cosine to the power of this.
_POWER = 3.0
_NAMED = 4  # how many of the things that cannot be painted are named


def project(
    scene: bpy.types.Scene,
    picture: bpy.types.Image,
    camera: bpy.types.Object,
    projector: Projector,
    depth: bpy.types.Image,
    hidden: int = 0,
) -> None:
    """Lay a picture on the scene's blocks; one of the same camera makes room, with what was hidden in it.

    depth: how far the projector saw (see `depth_image`). hidden: how many of the nearer bands were hidden for it.
    Raises BadOptionError as `refuse_too_many` does.
    """
    refuse_too_many(scene, camera, hidden)
    entries = settings(scene).projections
    gone = [index for index, each in enumerate(entries) if _makes_room(each, camera, hidden)]
    place = gone[0] if gone else len(entries)
    power = 0.0 if place == 0 else _POWER
    group = new_group(f"Spade Projection {camera.name}", projector, picture, depth, power, both=bool(hidden))
    _drop(scene, gone)
    entry = entries.add()
    entry.group, entry.camera, entry.hidden = group, camera, hidden
    entries.move(len(entries) - 1, place)
    mix_projections(scene)
    with blocks_in_sight(scene):  # of hidden instancers it is not known what they show
        blocks, shown = blocks_of(scene), set(rendered_objects(scene))
    paint_objects(blocks, paint_of(scene))
    if place == 0:
        color_bare(scene, blocks, means_of(picture))
    lay_sky(scene)
    settings(scene).unpainted = _what_is_not([thing for thing in blocks if thing in shown])


def _makes_room(entry: Any, camera: bpy.types.Object, hidden: int) -> bool:
    """Whether a projection goes when one of this camera comes: a whole view also takes what was painted behind it."""
    return entry.camera == camera and (not hidden or entry.hidden == hidden)


def refuse_too_many(scene: bpy.types.Scene, camera: bpy.types.Object | None, hidden: int = 0) -> None:
    """Raises BadOptionError where one more projection is more than can be drawn.

    camera: whose it would be; None for one that has none yet. hidden: as of `project`.
    """
    entries = settings(scene).projections
    count = 1 + len([each for each in entries if camera is None or not _makes_room(each, camera, hidden)])
    if count > MOST:
        raise BadOptionError(
            f"The scene has {MOST} projections already.", "Remove Projections, or replace one of them."
        )
    for material in {material for thing in blocks_of(scene) for material in _users_materials(thing)}:
        own = len(_images(material.node_tree))
        if own + _A_PROJECTION * count + _TABLE > MOST_IMAGES:
            raise BadOptionError(
                f"The material '{material.name}' has {own} images: EEVEE draws at most {MOST_IMAGES} in one "
                f"material, and {count} projections take {_A_PROJECTION * count + _TABLE}.",
                "Use fewer projections, or fewer images in the material.",
            )


def projection_of(scene: bpy.types.Scene, camera: bpy.types.Object) -> Any:
    """The projection of a camera, as it saw everything; None where it has none."""
    entries = settings(scene).projections
    return next((each for each in entries if each.camera == camera and not each.hidden), None)


def picture_of_projection(entry: Any) -> bpy.types.Image | None:
    """The picture that a projection of the list shows."""
    return picture_in(entry.group) if entry.group is not None else None


def remove_projections(scene: bpy.types.Scene, camera: bpy.types.Object | None = None) -> None:
    """Take the projections of a camera away, all if none is given; with the last one the user's materials are back."""
    entries = settings(scene).projections
    if camera is None:
        restore_strays()
    gone = [index for index, each in enumerate(entries) if camera is None or each.camera == camera]
    if not gone and (len(entries) or settings(scene).paint is None):
        return
    _drop(scene, gone)
    lay_sky(scene)
    if len(entries):
        mix_projections(scene)
        return
    paint = settings(scene).paint
    if paint is not None:
        restore_objects(paint)
        bpy.data.node_groups.remove(paint)


def fit_projections(scene: bpy.types.Scene) -> None:
    """Bring them in line with view, exposure, and what is shown."""
    fit_paint(scene)
    fit_sky(scene)


def _drop(scene: bpy.types.Scene, indices: list[int]) -> None:
    """Take entries out of the list, and what only they use out of the file; pictures stay."""
    entries = settings(scene).projections
    groups = [entries[index].group for index in indices]
    for index in reversed(indices):
        entries.remove(index)
    for group in filter(None, groups):
        depth = depth_in(group)
        for node in [each for each in paint_of(scene).nodes if getattr(each, "node_tree", None) == group]:
            node.node_tree = None
        bpy.data.node_groups.remove(group)
        if depth is not None and not depth.users:
            bpy.data.images.remove(depth)


def _what_is_not(blocks: list[bpy.types.Object]) -> str:
    """A sentence on the labelled things that keep their own materials, or nothing."""
    refused = {
        thing.name: why for thing in blocks if hasattr(thing.data, "materials") and (why := refusal(thing))
    }
    nodes = [thing.name for thing in blocks if thing.name not in refused and shows_others(thing)]
    parts = []
    if refused:
        why = next(iter(refused.values()))
        parts.append(f"The projection cannot be laid on {_names(list(refused))}: {why}.")
    if nodes:
        parts.append(f"Materials that geometry nodes set stay as they are: {_names(nodes)}.")
    return " ".join(parts)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:_NAMED]) + more


def _users_materials(thing: bpy.types.Object) -> set[bpy.types.Material]:
    return {users_material(slot.material) for slot in thing.material_slots} - {None}


def _images(tree: Tree) -> set[bpy.types.Image]:
    """The images that a material's nodes read, in groups, too."""
    found: set[bpy.types.Image] = set()
    pending, seen = [tree], set()
    while pending:
        tree = pending.pop()
        if tree is None or tree in seen:
            continue
        seen.add(tree)
        for node in tree.nodes:
            if node.type in ("TEX_IMAGE", "TEX_ENVIRONMENT") and node.image is not None:
                found.add(node.image)
            elif node.type == "GROUP":
                pending.append(node.node_tree)
    return found
