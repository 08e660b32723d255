# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene at one moment, as a file that another Blender renders the same labels from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from ..contract.errors import InternalError
from .animated import animated
from .borrow import borrowed
from .evaluated import quiet_handlers
from .unkeyed import unkeyed_edits_kept, unkeyed_edits_restored

_OF_SAVES = ("save_pre", "save_post", "save_post_fail")


def write_scene_file(scene: bpy.types.Scene, path: Path, keep_unkeyed: bool = True) -> None:
    """Write the open file as it is now, unsaved edits included, without that the user could tell. Raises InternalError.

    keep_unkeyed: let what was moved and not keyed stay so in the file; else its keys move it there, as in a rendered
    animation.
    The whole file, uncompressed: a few milliseconds for a small one, 0.1 s for 20,000 objects or 2,000,000 polygons. To
    write the scene alone takes Blender a time that grows with the square of its objects.
    """
    preferences = bpy.context.preferences
    were_changed = preferences.is_dirty
    try:
        with (
            quiet_handlers(_OF_SAVES),
            # Opening the file would put them back.
            unkeyed_edits_kept(scene) if keep_unkeyed else unkeyed_edits_restored(scene),
            borrowed(preferences.filepaths, file_preview_type="NONE"),  # it would be rendered
            borrowed(bpy.data, use_autopack=False),
        ):
            bpy.ops.wm.save_as_mainfile(
                filepath=str(path), copy=True, compress=False, relative_remap=True, check_existing=False
            )
    except RuntimeError as problem:
        raise InternalError(
            f"The scene cannot be written for its label pass: {problem}".strip(),
            "Check that the folder for temporary files has room.",
        ) from None
    finally:
        preferences.is_dirty = were_changed


def only_here(scene: bpy.types.Scene) -> str | None:
    """Why a file would not carry all that the labels come from, or None: what lies in this Blender's memory alone."""
    if not scene.users:
        return "Blender saves no scene without users"
    if _has_code():
        return "a driver or a node asks Python"
    if any(_simulates(group) for group in bpy.data.node_groups):
        return "geometry nodes simulate"
    if bpy.data.filepath and (Path(bpy.data.filepath).parent / f"blendcache_{_stem()}").exists():
        return "a simulation is kept beside the file"
    if _has_unsaved_pixels():
        return "a painted texture is not saved"
    return None


def _stem() -> str:
    return Path(bpy.data.filepath).stem


def _has_code() -> bool:
    """Python that only runs here: expressions, the properties and the nodes of other add-ons."""
    for owner in animated():
        for curve in owner.animation_data.drivers:
            driver = curve.driver
            if driver.type == "SCRIPTED" and not driver.is_simple_expression:
                return True
            if any(_is_of_add_on(target) for variable in driver.variables for target in variable.targets):
                return True
    made = {
        kind.__name__
        for base in ("ShaderNodeCustomGroup", "GeometryNodeCustomGroup", "NodeCustomGroup")
        for kind in getattr(bpy.types, base).__subclasses__()
    }
    return bool(made) and any(node.bl_idname in made for tree in _trees() for node in tree.nodes)


def _is_of_add_on(target: bpy.types.DriverTarget) -> bool:
    """Whether a driver reads a property that an add-on has defined."""
    if target.id is None or not target.data_path:
        return False
    name = target.data_path.split(".")[0].split("[")[0]
    known: Any = target.id.bl_rna.properties.get(name) if name else None
    return known is not None and known.is_runtime


def _trees() -> Iterator[Any]:
    yield from bpy.data.node_groups
    yield from (each.node_tree for each in bpy.data.materials if each.node_tree is not None)


def _simulates(group: Any) -> bool:
    return group.type == "GEOMETRY" and any(
        node.bl_idname == "GeometryNodeSimulationInput" for node in group.nodes
    )


def _has_unsaved_pixels() -> bool:
    """Whether a texture has pixels that neither its file nor a packed copy has."""
    unsaved = [image for image in bpy.data.images if image.is_dirty and image.type != "RENDER_RESULT"]
    if not unsaved:
        return False
    users = bpy.data.user_map(subset=unsaved)
    shown = (bpy.types.Material, bpy.types.NodeTree, bpy.types.Texture, bpy.types.Object, bpy.types.Mesh)
    return any(isinstance(user, shown) for found in users.values() for user in found)
