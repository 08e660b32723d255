# SPDX-License-Identifier: GPL-3.0-or-later
"""Cards: planes that stand where a picture's bands of depth are, each as large as the frame there and a margin.

Through the camera as it stood they lie on each other and show the picture, to the pixel. They stay where they are when
it moves, so that near ones pass before far ones; only through it do they show, and only while its picture is the one
that they are of. Blocks are where they are: both at once would stand in each other, so *Both* shows the backdrop.
"""

from __future__ import annotations

from typing import Any

import bpy
from mathutils import Matrix, Vector

from ...bridge.sight import Projector
from ...properties import settings
from ...scene.view import FLAT, camera_data, camera_frame
from ...scene.visible import is_backdrop
from ..backdrop import new_plane, picture_of, remove_backdrop
from ..material import match_colors, show_image
from .kept import cards_in, numbers_in

# Custom properties of a card: its camera, and the picture that it is of.
_CAMERA, _PICTURE = "spade_layer_camera", "spade_layer_picture"
_PICTURE_NODE, _LIGHT, _HOLES = "Spade Picture", "Spade Light", "Spade Holes"


def place_layers(scene: bpy.types.Scene, picture: bpy.types.Image, camera: bpy.types.Object) -> None:
    """Show a picture's cards, if it has any, in the place of those that its camera had."""
    remove_layers(scene, camera)
    projector, distances = numbers_in(picture) if cards_in(picture) else (None, ())
    for number, (image, distance) in enumerate(zip(cards_in(picture), distances, strict=True), start=1):
        assert projector is not None
        card = new_plane(scene, f"Layer {number} {camera.name}")
        card[_CAMERA], card[_PICTURE] = camera, picture
        size: Any = image.size
        shape: Any = picture.size
        card.matrix_world = _matrix(projector, distance, (size[0] / shape[0], size[1] / shape[1]))
        show_image(card, image, scene)
        _cut_out(card)
    fit_layers(scene)


def fit_layers(scene: bpy.types.Scene, camera: bpy.types.Object | None = None) -> None:
    """Show the cards of `camera`, by default the scene's, in the colours of now, and hide all others."""
    camera = camera or scene.camera
    for card in layer_cards(scene):
        own, picture = card[_CAMERA], card[_PICTURE]
        shown = None not in (own, picture) and own == camera and settings(scene).show == "PICTURE"
        shown = shown and picture_of(scene, own) == picture
        match_colors(card, scene)
        for flag in ("hide_render", "hide_viewport"):
            if getattr(card, flag) == shown:
                setattr(card, flag, not shown)


def layer_cards(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The cards in a scene, of all cameras."""
    return [thing for thing in scene.objects if is_backdrop(thing) and _PICTURE in thing]


def layers_of(scene: bpy.types.Scene, camera: bpy.types.Object) -> bpy.types.Image | None:
    """The picture that the cards of a camera are of."""
    return next((card[_PICTURE] for card in layer_cards(scene) if card[_CAMERA] == camera), None)


def remove_layers(scene: bpy.types.Scene, camera: bpy.types.Object) -> None:
    """Take a camera's cards away, and those whose camera is gone; the picture and its layers stay in the file."""
    for card in layer_cards(scene):
        if card[_CAMERA] in (camera, None) or card[_CAMERA].name not in scene.objects:
            remove_backdrop(card)


def sees_past_layers(scene: bpy.types.Scene, camera: bpy.types.Object) -> bool:
    """Whether the camera sees beyond the border of the farthest card: it has moved or turned too far."""
    cards = [card for card in layer_cards(scene) if card[_CAMERA] == camera]
    if not cards or camera_data(camera).type not in FLAT:
        return False
    to_card = cards[-1].matrix_world.inverted_safe()
    place = camera.matrix_world
    eye = Matrix.LocRotScale(place.to_translation()[:], place.to_quaternion(), None)
    frame = camera_frame(scene, 1.0, camera)
    for x in (frame.left, frame.right):
        for y in (frame.bottom, frame.top):
            flat = camera_data(camera).type == "ORTHO"
            begin = to_card @ (eye @ Vector((x, y, 0.0) if flat else (0.0, 0.0, 0.0)))
            way = to_card @ (eye @ Vector((x, y, -1.0))) - begin
            if way.z >= 0.0 or begin.z <= 0.0:
                return True
            hit = begin - way * (begin.z / way.z)
            if max(abs(hit.x), abs(hit.y)) > 0.5:
                return True
    return False


def _matrix(projector: Projector, distance: float, widen: tuple[float, float]) -> Matrix:
    """Where a square of side 1 fills a projector's frame, `widen` times as wide and high, so far ahead."""
    to_camera = Matrix((*projector.rows, (0.0, 0.0, 0.0, 1.0)))
    by = 1.0 if projector.is_flat else distance
    size = [by * wide / scale for wide, scale in zip(widen, projector.scale, strict=True)]
    middle = [
        by * (0.5 - center) / scale for center, scale in zip(projector.center, projector.scale, strict=True)
    ]
    inside = Matrix.LocRotScale((*middle, -distance), None, (*size, 1.0))
    return to_camera.inverted() @ inside


def _cut_out(card: bpy.types.Object) -> None:
    """Let a card be seen through where its image is."""
    material = card.active_material
    assert material is not None
    # Blended, EEVEE would sort cards by their middles, which lie in one line of sight.
    material.surface_render_method = "DITHERED"
    tree: Any = material.node_tree
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    holes, hole = tree.nodes.new("ShaderNodeMixShader"), tree.nodes.new("ShaderNodeBsdfTransparent")
    holes.name = _HOLES
    tree.links.new(tree.nodes[_PICTURE_NODE].outputs["Alpha"], holes.inputs[0])
    tree.links.new(hole.outputs[0], holes.inputs[1])
    tree.links.new(tree.nodes[_LIGHT].outputs[0], holes.inputs[2])
    tree.links.new(holes.outputs[0], output.inputs["Surface"])
