# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be exported, and whereto: checked in words before anything is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..contract.errors import BadOptionError, CannotWriteError, NotSavedError
from ..place.panorama_world import panorama_of
from ..place.projection.materials import is_baked
from ..place.tile_material import tile_of
from .model import FORMATS as MODEL_FORMATS

_ENDINGS = (".hdr", ".exr", ".png", *MODEL_FORMATS.values())


@dataclass(frozen=True)
class ExportPlan:
    """function: of the add-on, that writes the files, and words that it gets. name: what the files' begin with."""

    function: str
    folder: Path
    name: str
    words: dict[str, Any] = field(default_factory=dict)


def plan_panorama(scene: bpy.types.Scene, filepath: str, file_format: str, cubemap: bool) -> ExportPlan:
    """For the panorama that is the scene's world. Raises BadOptionError."""
    if panorama_of(scene) is None:
        raise BadOptionError("The scene has no panorama.", "Place As Panorama, and generate.")
    words = {"file_format": file_format, "cubemap": cubemap}
    return ExportPlan("engine.panorama.write_panorama", *_place(filepath), words)


def plan_tile(scene: bpy.types.Scene, filepath: str, y_down: bool) -> ExportPlan:
    """For the scene's tile. Raises BadOptionError."""
    if tile_of(scene) is None:
        raise BadOptionError("There is no tile yet.", "Place As Tile, and generate.")
    return ExportPlan("engine.tile.write_tile", *_place(filepath), {"y_down": y_down})


def plan_model(context: bpy.types.Context, filepath: str, file_format: str) -> ExportPlan:
    """For the selected things that show baked textures. Raises BadOptionError, also where a texture is missing."""
    things = [thing for thing in context.selected_objects if is_baked(thing)]
    if not things:
        raise BadOptionError(
            "Nothing is selected that shows baked textures.", "Select the things, and Bake to Textures first."
        )
    for image in {image for thing in things for image in _textures(thing)}:
        if not Path(bpy.path.abspath(image.filepath)).is_file():
            raise BadOptionError(
                f"The texture '{image.name}' is no longer where it was baked to.",
                "Bake again, or bring its file back.",
            )
    assert file_format in MODEL_FORMATS
    words = {"file_format": file_format, "things": [thing.name_full for thing in things]}
    return ExportPlan("engine.model.write_model", *_place(filepath), words)


def _textures(thing: bpy.types.Object) -> list[bpy.types.Image]:
    trees: Any = [slot.material.node_tree for slot in thing.material_slots if slot.material is not None]
    nodes = [node for tree in trees for node in tree.nodes if node.type == "TEX_IMAGE"]
    return [node.image for node in nodes if node.image is not None]


def _place(filepath: str) -> tuple[Path, str]:
    """The folder and the name that are meant. Raises CannotWriteError where there are none."""
    path = Path(bpy.path.abspath(filepath))
    if not filepath or not path.name:
        raise CannotWriteError("No file is named to export to.", "Choose a folder and a name.")
    if filepath.startswith("//") and not bpy.data.filepath:
        raise NotSavedError("This file is not saved.", "Save it first, or choose a folder.")
    return path.parent, path.stem if path.suffix.lower() in _ENDINGS else path.name
