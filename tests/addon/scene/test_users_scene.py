# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the user's scene does with animation, indices and names, labels come out right and nothing moves."""

import pytest

bpy = pytest.importorskip("bpy")

from mathutils import Matrix  # noqa: E402
from spade_backdrops.scene.label_rules import assign, unlabelled  # noqa: E402

MEADOW, PINE = (0, 24, 64, 48), (10, 10, 20, 40)


@pytest.fixture
def pine(scene, view, pixels):
    assign(scene, pixels.box("Meadow", MEADOW, 12), "grass")
    made = pixels.box("Pine", PINE, 8, (pixels.material("Bark"),))
    assign(scene, made, "tree")
    return made


@pytest.fixture
def right(picture):
    return lambda: picture.shows((MEADOW, "grass"), (PINE, "tree"))


def drive(owner, path, value):
    owner.driver_add(path).driver.expression = str(value)
    bpy.context.view_layer.update()


def key(scene, owner, path):
    owner.keyframe_insert(path, frame=1)
    scene.frame_set(1)


@pytest.mark.parametrize("what", ["object", "material"])
@pytest.mark.parametrize("how", ["keyed", "driven"])
def test_pass_indices_may_be_keyed_or_driven(scene, pine, right, what, how):
    thing = pine if what == "object" else pine.active_material
    thing.pass_index = 3
    key(scene, thing, "pass_index") if how == "keyed" else drive(thing, "pass_index", 3)
    right()
    assert thing.pass_index == 3


@pytest.mark.parametrize("how", ["keyed", "driven"])
def test_depth_of_field_may_be_keyed_or_driven(scene, view, pine, right, how):
    focus = view.data.dof
    focus.use_dof, focus.aperture_fstop, focus.focus_distance = True, 0.01, 3.0
    key(scene, view.data, "dof.use_dof") if how == "keyed" else drive(view.data, "dof.use_dof", 1)
    right()
    assert focus.use_dof


@pytest.mark.parametrize("output, index", [("Object Index", 7), ("Material Index", 9)])
def test_materials_that_read_a_pass_index_read_the_users(scene, pine, pixels, right, output, index):
    material = pine.active_material
    material.use_nodes = True
    tree = material.node_tree
    info, test = tree.nodes.new("ShaderNodeObjectInfo"), tree.nodes.new("ShaderNodeMath")
    test.operation, test.inputs[1].default_value = "COMPARE", index
    tree.links.new(info.outputs[output], test.inputs[0])
    tree.links.new(test.outputs[0], tree.nodes["Principled BSDF"].inputs["Alpha"])
    gone = pixels.box("Gone", (30, 0, 60, 20), 6, (material,))
    pine.pass_index, gone.pass_index, material.pass_index = 7, 2, 9
    if output == "Material Index":
        gone.hide_render = True
    right()
    assert (pine.pass_index, material.pass_index) == (7, 9) and "spade_pass_index" not in pine


def test_labels_are_what_the_active_camera_sees_whatever_the_markers_say(scene, view, pine, pixels, right):
    other = pixels.camera()
    other.location.z = 12
    scene.timeline_markers.new("other", frame=1).camera = other
    scene.camera, scene.frame_current = view, 1
    right()
    assert scene.camera == view and scene.timeline_markers[0].camera == other


def test_what_was_moved_and_not_keyed_is_seen_where_it_is_and_stays(scene, pine, picture):
    key(scene, pine, "location")
    pine["height"] = 4.0
    key(scene, pine, '["height"]')
    pine.location.x, pine["height"] = 25, 5.5
    moved = (PINE[0] + 25, PINE[1], PINE[2] + 25, PINE[3])
    picture.shows((MEADOW, "grass"), (moved, "tree"))
    assert pine.location.x == 25 and pine["height"] == 5.5
    bpy.context.view_layer.update()
    assert pine.location.x == 25 and pine.matrix_world.translation.x == 25
    scene.frame_set(1)
    assert pine.location.x == 0, "its curve still counts"


def test_so_are_bones_and_what_hangs_on_them(scene, pine, picture):
    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    rig.data.edit_bones.new("Arm.001").tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    pine.parent, pine.parent_type, pine.parent_bone = rig, "BONE", "Arm.001"
    bpy.context.view_layer.update()
    pine.matrix_world = Matrix()
    bone = rig.pose.bones["Arm.001"]
    key(scene, rig, 'pose.bones["Arm.001"].location')
    bone.location.x = 20
    bpy.context.view_layer.update()
    before = pine.matrix_world.copy()
    taken = picture.taken()
    assert bone.location.x == 20 and pine.matrix_world == before
    assert taken.label_map[12, 35] == picture.ids["tree"]


def test_no_handler_of_others_sees_the_frame_change(scene, pine, right):
    called = []
    watch = lambda shown, *_: called.append(shown.name)  # noqa: E731
    for name in ("frame_change_pre", "frame_change_post"):
        getattr(bpy.app.handlers, name).append(watch)
    try:
        right()
        assert called == [] and watch in bpy.app.handlers.frame_change_post
    finally:
        for name in ("frame_change_pre", "frame_change_post"):
            getattr(bpy.app.handlers, name).remove(watch)


def test_simplify_is_respected(scene, pine, picture, right):
    pine.modifiers.new("Round", "SUBSURF").render_levels = 4
    smooth = picture.taken()
    assert smooth.label_map[10, 10] != picture.ids["tree"], "its corners are round"
    scene.render.use_simplify, scene.render.simplify_subdivision_render = True, 0
    right()


def test_view_layers_may_have_long_names(scene, pine, right):
    scene.view_layers[0].name = "A view layer whose name is longer than that of a pass may be, by far"[:63]
    right()


def test_grease_pencil_is_looked_through(scene, pine, right):
    kinds = bpy.data.grease_pencils_v3 if hasattr(bpy.data, "grease_pencils_v3") else bpy.data.grease_pencils
    drawing = kinds.new("Drawing")
    frame = drawing.layers.new("Lines").frames.new(1)
    frame.drawing.add_strokes([2])
    for point, x in zip(frame.drawing.strokes[0].points, (-30, 30), strict=True):
        point.position, point.radius = (x, -5, 10), 4.0
    scene.collection.objects.link(bpy.data.objects.new("Drawing", drawing))
    right()
    assert unlabelled(scene) == []
