# SPDX-License-Identifier: GPL-3.0-or-later
"""What a newcomer does, in a Blender of its own: install the zip, label, generate, render, save, load, undo,
quit.

    BLENDER_USER_RESOURCES=fresh python newcomer.py ZIP SERVER_COMMAND FOLDER

Nothing of the project is imported but what the zip installs. What was seen goes to FOLDER/report.json for
the tests.
"""

from __future__ import annotations

import importlib.machinery
import json
import os
import sys
import time
from pathlib import Path

import bpy  # before Blender's other modules: it puts them on the path
import numpy as np
from bpy_extras.object_utils import world_to_camera_view

import addon_utils  # isort: skip

MODULE = "bl_ext.user_default.spade_backdrops"
SIZE = (256, 160)  # whole steps of 32, so that the picture has exactly the camera's aspect


def part(name: str):
    """A module of the installed extension."""
    return importlib.import_module(f"{MODULE}.{name}")


class OnlyFromExtensions:
    """Lets ZeroMQ come from the installed wheel alone: the environment that has bpy may have one, too."""

    def find_spec(self, name, path=None, target=None):
        if name != "zmq":
            return None
        places = [place for place in sys.path if "extensions" in Path(place).parts]
        spec = importlib.machinery.PathFinder.find_spec(name, places)
        if spec is None:
            raise ModuleNotFoundError("the extension brought no zmq", name=name)
        return spec


def install(file: str) -> None:
    addon_utils.enable("bl_pkg")
    bpy.ops.extensions.package_install_files(filepath=file, repo="user_default", enable_on_install=True)


def build_scene() -> None:
    """A valley with nothing in ASCII but the words that say what things are."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    addon_utils.enable(MODULE)
    scene = bpy.context.scene
    scene.name = "Täl 谷"
    bpy.ops.spade.add_example()
    scene.camera.name = "Kamera 相机"
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.spade.width, scene.spade.height, scene.spade.seed = *SIZE, 7


def backdrops() -> list[bpy.types.Object]:
    visible = part("scene.visible")
    return [thing for thing in bpy.context.scene.objects if visible.is_backdrop(thing)]


def frame_corners() -> list[list[float]]:
    """Where the picture's corners lie in the camera's frame, which is 0 to 1 in both directions."""
    backdrop = backdrops()[0]
    bpy.context.view_layer.update()
    places = backdrop.data.uv_layers[0].uv
    corners = []
    for wanted in ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)):
        # the plane goes on a little beyond the picture: walk from its corners to the texture's
        low, high = places[0].vector, places[2].vector
        first, last = backdrop.data.vertices[0].co, backdrop.data.vertices[2].co
        at = first.copy()
        for axis in (0, 1):
            along = (wanted[axis] - low[axis]) / (high[axis] - low[axis])
            at[axis] = first[axis] + along * (last[axis] - first[axis])
        seen = world_to_camera_view(bpy.context.scene, bpy.context.scene.camera, backdrop.matrix_world @ at)
        corners.append([seen.x, seen.y])
    return corners


def rendered(transform: str, folder: Path) -> np.ndarray:
    """The final render of the backdrop alone, (H, W, 3) uint8, as a PNG would have it."""
    scene = bpy.context.scene
    for thing in scene.objects:
        if thing.type in {"MESH", "EMPTY"} and thing not in backdrops():
            thing.hide_render = True
    scene.view_settings.view_transform = transform
    scene.render.engine = "CYCLES"
    # one ray through each pixel's middle: what is compared is the picture, not the renderer's filter
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.cycles.pixel_filter_type, scene.render.filter_size = "BOX", 0.01
    scene.render.resolution_percentage = 100
    scene.render.filepath = str(folder / f"{transform}.png")
    scene.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    image.colorspace_settings.name = "Non-Color"
    flat = np.empty(SIZE[0] * SIZE[1] * 4, np.float32)
    image.pixels.foreach_get(flat)
    bpy.data.images.remove(image)
    pixels = flat.reshape(SIZE[1], SIZE[0], 4)[::-1, :, :3]
    return np.rint(pixels * 255).astype(np.uint8)


def difference(transform: str, rgb: np.ndarray, folder: Path) -> dict[str, float]:
    """Of 255: the largest one of all pixels and of the best nine in ten, and the mean."""
    apart = np.abs(rendered(transform, folder).astype(int) - rgb.astype(int))
    pixels = apart.max(axis=2)
    nine_in_ten = np.quantile(pixels, 0.9)
    return {"largest": int(pixels.max()), "nine in ten": float(nine_in_ten), "mean": float(apart.mean())}


def tell(file: str, server: str, folder: Path) -> dict:
    """Do it all; returns what was seen."""
    seen: dict = {"blender": bpy.app.version_string}
    sys.meta_path.insert(0, OnlyFromExtensions())
    install(file)
    seen["enabled"] = MODULE in bpy.context.preferences.addons
    build_scene()
    bpy.context.preferences.addons[MODULE].preferences.server_command = server
    seen["zmq"] = importlib.import_module("zmq").__file__
    bpy.ops.ed.undo_push(message="before")
    for name in ("cold_s", "warm_s"):
        began = time.monotonic()
        seen[name] = (bpy.ops.spade.generate() == {"FINISHED"}) and time.monotonic() - began
        bpy.context.scene.spade.seed += 1  # what is asked for again unchanged is no step
    session = part("session").current_session()
    board = session.board
    rgb = board.last_placed.rgb
    seen["server_pid"] = session.connection.server.pid
    seen["shape"], seen["colours"] = rgb.shape, len(np.unique(rgb.reshape(-1, 3), axis=0))
    seen["corners"], seen["backdrops"] = frame_corners(), len(backdrops())

    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    seen["after_undo"] = len(backdrops())
    bpy.ops.ed.redo()
    bpy.ops.ed.redo()
    seen["after_redo"] = len(backdrops())

    saved = folder / "Größe 谷.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(saved))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    seen["after_load"] = len(backdrops())
    seen["labels_after_load"] = sum(
        "spade_label" in thing for thing in (*bpy.data.objects, *bpy.data.collections)
    )
    mark = part("place.image").PROVENANCE
    seen["packed"] = [image.packed_file is not None for image in bpy.data.images if mark in image]
    seen["AgX"] = difference("AgX", rgb, folder)
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    bpy.context.scene.view_settings.view_transform = "Standard"
    bpy.ops.spade.generate()
    seen["Standard"] = difference("Standard", board.last_placed.rgb, folder)

    addon_utils.disable(MODULE)
    addon_utils.enable(MODULE)
    addon_utils.disable(MODULE)
    seen["left_types"] = [name for name in dir(bpy.types) if name.startswith("SPADE_")]
    seen["left_settings"] = hasattr(bpy.types.Scene, "spade")
    # and once more, so that quitting has to clean up after a working add-on
    addon_utils.enable(MODULE)
    bpy.ops.spade.start_server()
    timer, connection = part("timer"), part("session").current_session().connection
    while connection.is_starting:
        timer.step()
        time.sleep(0.02)
    seen["last_server_pid"] = connection.server.pid
    return seen


if __name__ == "__main__":
    zip_file, command, place = sys.argv[1:]
    report = tell(zip_file, command, Path(place))
    (Path(place) / "report.json").write_text(json.dumps(report), encoding="utf-8")
    sys.stdout.flush()
    assert os.environ["BLENDER_USER_RESOURCES"]
