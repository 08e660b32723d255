# SPDX-License-Identifier: GPL-3.0-or-later
"""The placed backdrop, rendered: what the camera sees of it is the picture, pixel for pixel."""

import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from spade_backdrops.contract.errors import NoCameraError  # noqa: E402
from spade_backdrops.place.backdrop import backdrop_of, place_backdrop  # noqa: E402
from spade_backdrops.place.image import store_image  # noqa: E402
from spade_backdrops.scene.label_pass import render_label_map  # noqa: E402
from spade_backdrops.scene.label_rules import assign  # noqa: E402

SIZE = (96, 64)
RING = (250, 30, 220)
ONE_STEP = 1.01 / 255


@pytest.fixture
def camera(scene, pixels):
    camera = pixels.camera()
    camera.data.type, camera.data.lens, camera.data.clip_end = "PERSP", 35.0, 250.0
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.engine = "CYCLES"
    scene.view_settings.view_transform = "Standard"
    return camera


@pytest.fixture
def photo():
    """Photo-like colours, smooth and muted, with an outermost ring of one colour."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]] / max(SIZE)
    rgb = np.stack((0.35 + 0.3 * x, 0.3 + 0.35 * y + 0.1 * np.sin(20 * x), 0.6 - 0.4 * y), -1)
    rgb = (rgb * 255).astype(np.uint8)
    rgb[[0, -1]], rgb[:, [0, -1]] = RING, RING
    return rgb


def furthest(scene, tmp_path, wanted, inner=False):
    """The largest difference, 0..1, between the rendered view and a picture."""
    seen = rendered(scene, tmp_path).astype(float)
    difference = np.abs(seen - wanted) / 255
    return difference[1:-1, 1:-1].max() if inner else difference.max()


def rendered(scene, tmp_path, samples=1):
    """The final render as anyone would look at it: through the view transform, 8 bit, row 0 at the top."""
    render = scene.render
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", samples, False
    render.resolution_percentage, render.dither_intensity = 100, 0.0
    render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGB"
    render.filepath = str(tmp_path / "view.png")
    bpy.ops.render.render(write_still=True)
    return pixels_of(tmp_path / "view.png")


def pixels_of(file):
    """A PNG's pixels, (H, W, 3) uint8, row 0 at the top."""
    image = bpy.data.images.load(str(file))
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    flat = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(flat)
    bpy.data.images.remove(image)
    return np.rint(flat.reshape(height, width, 4)[::-1, :, :3] * 255).astype(np.uint8)


def place(scene, rgb, name="Backdrop"):
    return place_backdrop(scene, store_image(rgb, name, scene, {}))


def tilt(scene, camera):
    camera.location, camera.rotation_euler = (30, -20, 10), (1.2, 0.3, 2.0)


def shift(scene, camera):
    camera.data.shift_x, camera.data.shift_y = 0.3, -0.2


def tall_sensor(scene, camera):
    camera.data.sensor_fit, camera.data.sensor_width, camera.data.sensor_height = "VERTICAL", 20, 31


def wide_sensor(scene, camera):
    camera.data.sensor_fit, camera.data.sensor_width = "HORIZONTAL", 50
    scene.render.resolution_x, scene.render.resolution_y = SIZE[1], SIZE[0]


def long_pixels(scene, camera):
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = 1.0, 2.5


def orthographic(scene, camera):
    camera.data.type, camera.data.ortho_scale = "ORTHO", 17.0
    shift(scene, camera)


def far_away(scene, camera):
    camera.data.clip_start, camera.data.clip_end, camera.data.lens = 0.001, 1e6, 300.0


def scaled_and_parented(scene, camera):
    rig = bpy.data.objects.new("Rig", None)
    scene.collection.objects.link(rig)
    rig.scale, rig.rotation_euler, rig.location = (3, 3, 3), (0.1, 0.4, 0.2), (5, 6, 7)
    camera.parent, camera.scale = rig, (0.5, 2.0, 4.0)
    bpy.context.view_layer.update()


@pytest.mark.parametrize(
    "arrange",
    [tilt, shift, tall_sensor, wide_sensor, long_pixels, orthographic, far_away, scaled_and_parented],
    ids=lambda arrange: arrange.__name__,
)
def test_the_picture_fills_the_frame_of_any_flat_camera(scene, camera, photo, tmp_path, arrange):
    arrange(scene, camera)
    if scene.render.resolution_x != SIZE[0]:
        photo = np.ascontiguousarray(photo.transpose(1, 0, 2))
    place(scene, photo)
    assert furthest(scene, tmp_path, photo) <= ONE_STEP


VIEWS = {
    "Standard": {},
    "AgX": {},
    "Filmic": {},
    "Khronos PBR Neutral": {},
    "Raw": {},
    "ACES 2.0": {},
    "gamma": {"gamma": 1.5},
    "white balance": {"use_white_balance": True, "white_balance_temperature": 4500.0},
}


@pytest.mark.parametrize("view", VIEWS)
def test_colours_come_out_as_they_were_generated(scene, camera, photo, tmp_path, view):
    try:
        scene.view_settings.view_transform = view if not VIEWS[view] else "Standard"
    except TypeError:
        pytest.skip("this Blender has no such view")
    for name, value in VIEWS[view].items():
        setattr(scene.view_settings, name, value)
    scene.view_settings.exposure, scene.cycles.film_exposure = -0.7, 1.4
    place(scene, photo)
    # The ring's pure pink lies outside what some views can show; photo-like colours are what is promised.
    assert furthest(scene, tmp_path, photo, inner=True) <= 4 * ONE_STEP


def test_colours_follow_a_change_of_view_before_a_render(scene, camera, photo, tmp_path):
    place(scene, photo)
    for view in ("AgX", "Khronos PBR Neutral", "Standard"):
        scene.view_settings.view_transform = view
        assert furthest(scene, tmp_path, photo, inner=True) <= 4 * ONE_STEP
    scene.view_settings.gamma = 1.3
    assert furthest(scene, tmp_path, photo, inner=True) <= 4 * ONE_STEP


def test_no_border_shows_even_where_pixels_are_filtered(scene, camera, photo, tmp_path):
    scene.world = bpy.data.worlds.new("Black")
    scene.world.color = (0, 0, 0)
    photo[:] = RING
    place(scene, photo)
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 4.0
    seen = rendered(scene, tmp_path, samples=16)
    assert (np.abs(seen.astype(int) - RING) <= 1).all()


def test_hardly_more_of_it_than_the_frame_is_seen_in_a_view(scene, camera, photo):
    backdrop = place(scene, photo)
    scene.render.resolution_x, scene.render.resolution_y = 1920, 1080
    bpy.context.view_layer.update()
    assert max(backdrop.dimensions[:2]) / max(backdrop.scale[:2]) < 1.012
    scene.render.resolution_percentage = 10
    bpy.context.view_layer.update()
    assert min(backdrop.dimensions[:2]) / min(backdrop.scale[:2]) > 1.09, (
        "a small render's filter reaches further"
    )


def test_everything_in_the_scene_stays_before_it(scene, camera, photo, tmp_path, pixels):
    place(scene, photo)
    far = pixels.box(
        "Far", (-2000, -2000, 32, 2000), distance=240, materials=(pixels.shader("ShaderNodeEmission"),)
    )
    far.data.materials[0].node_tree.nodes["Emission"].inputs["Color"].default_value = (0, 0, 0, 1)
    seen = rendered(scene, tmp_path)
    assert (seen[:, : SIZE[0] // 2] == 0).all()
    assert (np.abs(seen[:, SIZE[0] // 2 :].astype(int) - photo[:, SIZE[0] // 2 :]) <= 1).all()


def test_it_gives_no_light_no_shadow_and_no_reflection(scene, camera, photo, tmp_path, pixels):
    camera.data.clip_end = 30
    floor = pixels.box(
        "Floor", (0, 14, 64, 40), 10, (pixels.material("Grey"), pixels.shader("ShaderNodeBsdfGlossy"))
    )
    floor.rotation_euler, floor.location = (math.radians(90), 0, 0), (0, 0, -1.5)
    scene.world = bpy.data.worlds.new("Dim")
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.rotation_euler = (math.radians(-60), 0, 0)  # shines from behind the backdrop
    scene.collection.objects.link(sun)
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BLACKMAN_HARRIS", 0.01
    before = rendered(scene, tmp_path, samples=8).astype(int)
    place(scene, photo)
    after = rendered(scene, tmp_path, samples=8).astype(int)
    assert (np.abs(after[:30] - photo[:30]) <= 2).all(), "above the floor is the picture"
    assert before[40:].min() > 0 and np.abs(after[40:] - before[40:]).max() <= 1


def test_it_goes_with_the_camera(scene, camera, photo, tmp_path):
    place(scene, photo)
    tilt(scene, camera)
    assert furthest(scene, tmp_path, photo) <= ONE_STEP


def wide_angle(scene, camera):
    camera.data.lens, camera.data.clip_end = 20, 900


def short_sight(scene, camera):
    camera.data.clip_end = 30


@pytest.mark.parametrize(
    "change",
    [wide_angle, short_sight, shift, tall_sensor, long_pixels, orthographic, far_away, scaled_and_parented],
    ids=lambda change: change.__name__,
)
def test_it_follows_what_is_changed_after_it_was_placed(scene, camera, photo, tmp_path, change):
    place(scene, photo)
    change(scene, camera)
    assert furthest(scene, tmp_path, photo) <= ONE_STEP


def test_it_follows_another_resolution(scene, camera, photo, tmp_path):
    photo[:] = RING
    backdrop = place(scene, photo)
    scene.render.resolution_x, scene.render.resolution_y = 64, 96
    bpy.context.view_layer.update()
    assert backdrop.scale.y / backdrop.scale.x == pytest.approx(1.5)
    assert (np.abs(rendered(scene, tmp_path).astype(int) - RING) <= 1).all()


def test_it_follows_a_keyed_lens_from_frame_to_frame(scene, camera, photo, tmp_path):
    place(scene, photo)
    for frame, lens in ((1, 35.0), (10, 80.0)):
        camera.data.lens = lens
        camera.data.keyframe_insert("lens", frame=frame)
    for frame in (10, 4):
        scene.frame_set(frame)
        assert furthest(scene, tmp_path, photo) <= ONE_STEP


def test_an_animation_shows_the_backdrop_of_each_camera_that_its_markers_bind(scene, camera, photo, tmp_path):
    place(scene, photo)
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    place_backdrop(scene, store_image(photo[::-1].copy(), "Other", scene, {}), other)
    scene.timeline_markers.new("first", frame=1).camera = camera
    scene.timeline_markers.new("second", frame=3).camera = other
    scene.cycles.samples, scene.cycles.use_denoising, scene.render.dither_intensity = 1, False, 0.0
    scene.render.resolution_percentage, scene.render.image_settings.color_mode = 100, "RGB"
    scene.frame_start, scene.frame_end, scene.render.filepath = 2, 3, str(tmp_path / "frame_")
    bpy.ops.render.render(animation=True)
    for frame, wanted in ((2, photo), (3, photo[::-1])):
        seen = pixels_of(tmp_path / f"frame_{frame:04}.png")
        assert np.abs(seen.astype(int) - wanted).max() <= 1


def test_another_camera_made_active_does_not_see_it(scene, camera, photo):
    backdrop = place(scene, photo)
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    scene.camera = other
    bpy.context.view_layer.update()
    assert backdrop.hide_render and backdrop.hide_viewport
    scene.camera = camera
    bpy.context.view_layer.update()
    assert not backdrop.hide_render and not backdrop.hide_viewport


def test_fog_in_the_world_does_not_blacken_it(scene, camera, photo, tmp_path):
    camera.data.clip_end = 1000
    scene.world = bpy.data.worlds.new("Fog")
    scene.world.use_nodes = True
    nodes, links = scene.world.node_tree.nodes, scene.world.node_tree.links
    nodes["Background"].inputs["Strength"].default_value = 0
    fog = nodes.new("ShaderNodeVolumeScatter")
    fog.inputs["Density"].default_value = 0.01
    links.new(fog.outputs["Volume"], nodes["World Output"].inputs["Volume"])
    photo[:] = (90, 120, 150)
    place(scene, photo)
    assert np.abs(rendered(scene, tmp_path, samples=16).astype(int) - photo).mean() <= 4
    bpy.ops.mesh.primitive_cube_add(location=(0, 20, 0))
    bpy.context.view_layer.update()
    distance = -backdrop_of(scene, camera).location.z
    assert 30 < distance < 40, "right behind the furthest thing, which is 31 m away"


def test_a_new_picture_takes_the_place_and_the_old_one_stays_in_the_file(scene, camera, photo, tmp_path):
    first = place(scene, photo, "Föhn")
    again = place(scene, photo[::-1].copy(), "Föhn")
    assert again == first and len([each for each in scene.objects if each.type == "MESH"]) == 1
    assert furthest(scene, tmp_path, photo[::-1]) <= ONE_STEP
    path = str(tmp_path / "Täler 谷.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    scene = bpy.context.scene
    assert {"Föhn", "Föhn.001"} <= set(bpy.data.images.keys())
    assert furthest(scene, tmp_path, photo[::-1]) <= ONE_STEP
    place_backdrop(scene, bpy.data.images["Föhn"])
    assert len([each for each in scene.objects if each.type == "MESH"]) == 1
    assert furthest(scene, tmp_path, photo) <= ONE_STEP


def test_it_comes_back_after_undo_and_redo(scene, camera, photo, tmp_path):
    bpy.ops.ed.undo_push(message="Before")
    place(scene, photo)
    bpy.ops.ed.undo_push(message="Place Backdrop")
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    assert backdrop_of(scene, scene.camera) is None
    bpy.ops.ed.redo()
    scene = bpy.context.scene
    assert backdrop_of(scene, scene.camera) is not None
    assert furthest(scene, tmp_path, photo) <= ONE_STEP


def test_each_camera_has_its_own_and_only_the_active_ones_shows(scene, camera, photo, tmp_path):
    first = place(scene, photo)
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    scene.camera = other
    second = place(scene, photo[::-1].copy())
    assert first != second and first.hide_render and not second.hide_render
    assert furthest(scene, tmp_path, photo[::-1]) <= ONE_STEP
    scene.camera = camera
    assert place(scene, photo) == first and not first.hide_render and second.hide_render


def test_what_the_user_made_is_not_touched(scene, camera, photo, pixels):
    thing = pixels.box("Thing", (10, 10, 20, 20), materials=(pixels.material("M"),))
    thing.select_set(True)
    bpy.context.view_layer.objects.active = thing
    state = [(each.name, each.matrix_world.copy(), each.parent, each.hide_render) for each in scene.objects]
    backdrop = place(scene, photo)
    assert [
        (e.name, e.matrix_world, e.parent, e.hide_render) for e in scene.objects if e != backdrop
    ] == state
    assert bpy.context.view_layer.objects.active == thing and thing.select_get() and not backdrop.select_get()
    assert [each.name for each in backdrop.users_collection] == ["Spade Backdrops"]


def test_the_label_pass_does_not_see_it_wherever_it_was_put(scene, camera, photo, pixels):
    assign(scene, pixels.box("Thing", (10, 10, 40, 40)), "rock")
    before = render_label_map(scene, SIZE[::-1]).label_map
    backdrop = place(scene, photo)
    assign(scene, backdrop.users_collection[0], "grass")
    np.testing.assert_array_equal(render_label_map(scene, SIZE[::-1]).label_map, before)
    scene.collection.objects.link(backdrop)
    np.testing.assert_array_equal(render_label_map(scene, SIZE[::-1]).label_map, before)
    assert not backdrop.hide_render


def test_a_scene_without_a_flat_camera_says_so(scene, photo, pixels):
    with pytest.raises(NoCameraError):
        place(scene, photo)
    pixels.panorama()
    with pytest.raises(NoCameraError, match="panoramic"):
        place(scene, photo)
    assert len(bpy.data.images) == 2, "the pictures are kept"


def test_after_a_change_of_view_transform_and_exposures_its_colours_are_true_again(
    scene, camera, photo, tmp_path
):
    scene.view_settings.view_transform = "AgX"
    place(scene, photo)
    scene.view_settings.view_transform, scene.view_settings.exposure = "Standard", 1.0
    scene.cycles.film_exposure = 1.7
    assert furthest(scene, tmp_path, photo) <= ONE_STEP
