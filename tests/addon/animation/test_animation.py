# SPDX-License-Identifier: GPL-3.0-or-later
"""An animation from the press to its frames: nothing of the user's changes, what is there stays, and it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import bpy
import numpy as np
import pytest
from spade_backdrops import timer
from spade_backdrops.animation import running
from spade_backdrops.animation.animator import name_of
from spade_backdrops.animation.plan import Step, plan_animation
from spade_backdrops.animation.sequence import SEQUENCE
from spade_backdrops.place.backdrop import backdrop_of, picture_of
from spade_backdrops.place.camera_background import background_of
from spade_backdrops.place.material import picture_node
from spade_backdrops.place.placement import shows_or_has_pictures
from spade_backdrops.properties import settings
from spade_backdrops.scene.png import rgb_in
from spade_backdrops.session import current_session

from tests.addon.drawing import drawn
from tests.addon.serving import ROOT, until

LONGEST_STEP_S = 0.1
"""Of Blender's main thread, in processor time."""


def begin(scene):
    return running.start_animation(scene, plan_animation(bpy.context))


def to_the_end(animator, seconds: float = 100.0) -> None:
    until(lambda: running.running_animation() is not animator, timer.step, seconds)


def frames_of(animator) -> dict[int, np.ndarray]:
    folder = animator.frames
    return {frame: rgb_in(folder.path(name_of(frame)).read_bytes()) for frame in animator.plan.frames}


def stamps(animator) -> dict[int, int]:
    folder = animator.frames
    return {frame: folder.path(name_of(frame)).stat().st_mtime_ns for frame in animator.plan.frames}


def there(animator) -> dict[int, int]:
    """The same of those that are there already."""
    paths = {frame: animator.frames.path(name_of(frame)) for frame in animator.plan.frames}
    return {frame: path.stat().st_mtime_ns for frame, path in paths.items() if path.exists()}


def test_each_frame_is_a_file_and_the_backdrop_plays_them(animated, monkeypatch):
    longest = []
    monkeypatch.setattr(running.Animator, "step", timed(running.Animator.step, longest))
    assert bpy.ops.spade.animate(wait=True) == {"FINISHED"}
    animator = running.last_animation()
    frames = frames_of(animator)
    assert list(frames) == [1, 2, 3, 4, 5] and {rgb.shape for rgb in frames.values()} == {(96, 160, 3)}
    assert animator.painted_count <= 5 and max(longest) < LONGEST_STEP_S
    image = picture_of(animated, animated.camera)
    assert (
        image.source == "SEQUENCE"
        and Path(image[SEQUENCE]).parent == Path(bpy.data.filepath).parent / "frames"
    )
    assert image.filepath.startswith("//")
    shown = rendered(animated, 4)
    assert np.abs(shown.astype(int) - frames[4]).mean() < 1.0
    assert np.abs(shown.astype(int) - frames[1]).mean() > 2.0


def timed(step, longest: list[float]):
    def measured(self) -> None:
        before = time.thread_time()
        step(self)
        longest.append(time.thread_time() - before)

    return measured


def rendered(scene, frame: int) -> np.ndarray:
    """What the camera's render shows at a frame, blocks hidden."""
    path = Path(bpy.data.filepath).with_name(f"render {frame}.png")
    scene.frame_set(frame)
    scene.render.engine, scene.cycles.samples, scene.cycles.pixel_filter_type = "CYCLES", 1, "BOX"
    scene.render.resolution_x, scene.render.resolution_y = 160, 96
    scene.view_settings.view_transform = "Standard"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    pixels = np.array(image.pixels[:]).reshape(96, 160, 4)[::-1, :, :3]
    return np.rint(pixels * 255).astype(np.uint8)


def test_nothing_of_the_users_moves_meanwhile(animated):
    animated.frame_set(3)
    animated.camera.location.x += 0.7  # and no key
    rock = bpy.data.objects["Rock"]
    rock.location.z += 0.5
    bpy.context.view_layer.update()
    before = animated.frame_current, tuple(animated.camera.location), tuple(rock.location)
    animator = begin(animated)
    seen = set()

    def step() -> None:
        timer.step()
        seen.add((animated.frame_current, tuple(animated.camera.location), tuple(rock.location)))

    until(lambda: running.running_animation() is not animator, step, 100)
    assert animator.error is None and seen == {before}


def test_a_stop_keeps_the_frames_and_the_same_press_gives_what_would_have_come(animated):
    bpy.ops.spade.animate()
    whole = frames_of(running.last_animation())
    settings(animated).frames_folder = "//another/"
    animator = begin(animated)
    until(lambda: animator.done == 2, timer.step, 60)
    bpy.ops.spade.stop_animation()
    assert "Stopped: 2 of 5 are there" in drawn("SPADE_PT_animation")
    assert not bpy.ops.spade.stop_animation.poll(), "Esc is free again"
    assert running.running_animation() is None and picture_of(animated, animated.camera) is not None
    kept = there(animator)
    bpy.ops.spade.animate()
    again = running.last_animation()
    assert list(kept) == [1, 5] and {frame: stamps(again)[frame] for frame in kept} == kept
    for frame, rgb in frames_of(again).items():
        assert np.array_equal(rgb, whole[frame]), frame
    before = stamps(again)
    bpy.ops.spade.animate()
    assert stamps(running.last_animation()) == before and running.last_animation().painted_count == 0


def test_frames_are_painted_again_from_where_something_has_moved(animated):
    animated.frame_end = 12
    bpy.ops.spade.animate()
    first = running.last_animation()
    before = stamps(first)
    rock = bpy.data.objects["Rock"]
    rock.keyframe_insert("location", frame=9)
    rock.location.x -= 2
    rock.keyframe_insert("location", frame=10)
    bpy.ops.spade.animate()
    second = running.last_animation()
    assert second.frames.folder == first.frames.folder
    assert [frame for frame, stamp in stamps(second).items() if stamp != before[frame]] == [10, 11, 12]
    settings(animated).seed += 1
    bpy.ops.spade.animate()
    assert running.last_animation().frames.folder != first.frames.folder
    assert stamps(second) == stamps(second), "those of the other seed stay"


@pytest.mark.skipif(os.name == "nt", reason="kills by signals")
def test_a_server_that_is_killed_is_started_again_and_frames_stay(animated):
    animated.camera.animation_data_clear()
    animated.camera.keyframe_insert("location", frame=1)
    animated.camera.location.x += 30
    animated.camera.keyframe_insert("location", frame=5)
    animator = begin(animated)
    until(lambda: animator.done == 2, timer.step, 60)
    kept = there(animator)
    os.kill(current_session().connection.server.pid, signal.SIGKILL)
    to_the_end(animator)
    assert animator.error is None and animator.painted_count == 5
    assert len(kept) == 2 and {frame: stamps(animator)[frame] for frame in kept} == kept


BLENDER = """
import sys; sys.path[:0] = sys.argv[1:3]
import bpy, spade_backdrops
spade_backdrops.register()
entry = bpy.context.preferences.addons.new()
entry.module = "spade_backdrops"
from spade_backdrops.preferences import preferences
preferences().server, preferences().server_command = "LOCAL", sys.argv[4]
bpy.ops.wm.open_mainfile(filepath=sys.argv[3])
from spade_backdrops.animation import running
from spade_backdrops.animation.animator import Animator
step = Animator.step
def told(self):
    step(self)
    if self.done >= 2:
        print("two are there", flush=True)
Animator.step = told
bpy.ops.spade.animate()
"""


@pytest.mark.skipif(os.name == "nt", reason="kills by signals")
def test_a_blender_that_is_killed_leaves_its_frames_and_the_same_press_goes_on(animated):
    import spade_backdrops

    from tests.addon.serving import command

    bpy.ops.wm.save_mainfile()
    words = [str(Path(spade_backdrops.__file__).parents[1]), str(ROOT), bpy.data.filepath, command()]
    with subprocess.Popen(
        [sys.executable, "-c", BLENDER, *words], stdout=subprocess.PIPE, text=True
    ) as blender:
        assert any("two are there" in line for line in blender.stdout)
        blender.kill()
    (folder,) = (Path(bpy.data.filepath).parent / "frames").iterdir()
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("frame_*.png")}
    assert len(kept) >= 2
    bpy.ops.spade.animate()
    animator = running.last_animation()
    assert animator.frames.folder == folder and animator.error is None
    after = {animator.frames.path(name_of(frame)).name: stamp for frame, stamp in stamps(animator).items()}
    listed = [name for name in ("frame_0001.png", "frame_0005.png") if after[name] == kept[name]]
    assert len(after) == 5 and len(listed) == 2, "the one that was being written may be written again"


def test_cameras_that_markers_bind_show_the_frames_each_on_its_own_backdrop(animated):
    other = animated.camera.copy()
    other.animation_data_clear()
    other.name, other.location.y = "Other", -14
    animated.collection.objects.link(other)
    for frame, camera in ((1, animated.camera), (4, other)):
        animated.timeline_markers.new(camera.name, frame=frame).camera = camera
    bpy.ops.spade.animate()
    frames = running.last_animation().frames
    assert [frames.entry(name_of(frame)).facts["camera"] for frame in (3, 4)] == ["Eye", "Other"]
    for camera in (bpy.data.objects["Eye"], other):
        user = picture_node(backdrop_of(animated, camera)).image_user
        assert (user.frame_start, user.frame_duration, user.frame_offset) == (1, 5, 0)
        assert user.use_auto_refresh


def test_frames_go_on_playing_where_place_as_shows_them_otherwise(animated):
    bpy.ops.spade.animate()
    bpy.ops.spade.place_as(placement="BACKGROUND_IMAGE")
    user = background_of(animated.camera).image_user
    assert (user.frame_start, user.frame_duration, user.frame_offset) == (1, 5, 0) and user.use_auto_refresh
    bpy.ops.spade.place_as(placement="BACKDROP")
    user = picture_node(backdrop_of(animated, animated.camera)).image_user
    assert (user.frame_start, user.frame_duration, user.frame_offset) == (1, 5, 0) and user.use_auto_refresh


def test_frames_are_not_laid_on_blocks_and_it_is_said_what_to_do_instead(animated):
    bpy.ops.spade.animate()
    frames = picture_of(animated, animated.camera)
    with pytest.raises(RuntimeError, match="Frames cannot be projected. Take Away"):
        bpy.ops.spade.place_as(placement="PROJECTION")
    assert settings(animated).placement == "BACKDROP" and picture_of(animated, animated.camera) == frames
    assert len(settings(animated).projections) == 0
    bpy.ops.spade.take_away()
    assert current_session().error is not None
    bpy.ops.spade.place_as(placement="PROJECTION")
    assert current_session().error is None, "what did not work then works now"
    bpy.ops.spade.generate()
    assert len(settings(animated).projections) == 1 and not bpy.data.objects["Rock"].hide_render


def test_as_an_image_only_nothing_is_placed(animated):
    settings(animated).frames_as = "IMAGE"
    bpy.ops.spade.animate()
    assert picture_of(animated, animated.camera) is None
    (image,) = [image for image in bpy.data.images if SEQUENCE in image]
    assert image.source == "SEQUENCE" and image.use_fake_user


def test_a_picture_takes_the_place_of_the_frames_and_stands_still(animated):
    bpy.ops.spade.animate()
    bpy.ops.spade.generate()
    image = picture_of(animated, animated.camera)
    assert image.source != "SEQUENCE" and SEQUENCE not in image


def test_what_comes_into_sight_is_painted_a_few_frames_ahead_and_little_more(animated):
    animated.frame_end = 12
    assert [step.frame for step in plan_animation(bpy.context).steps] == [1, 9, *range(2, 9), 12, 10, 11]
    bpy.ops.spade.animate()
    animator = running.last_animation()
    new = [animator.frames.entry(name_of(frame)).facts["new"] for frame in animator.plan.frames]
    assert new[0] == 1.0 and new[8] > 0.05 and animator.painted_count < 10
    assert max(new[1:8]) < 0.02


def test_keys_come_before_the_frames_that_go_over_into_them(animated):
    animated.frame_end, settings(animated).key_every = 6, 3
    steps = plan_animation(bpy.context).steps
    assert [step.frame for step in steps] == [1, 4, 3, 2, 6, 5]
    assert steps[3] == Step(2, towards=4, share=pytest.approx(1 / 3)) and steps[5] == Step(5)
    bpy.ops.spade.animate()
    animator = running.last_animation()
    assert animator.frames.entry(name_of(4)).facts["new"] == 1.0
    assert animator.frames.entry(name_of(3)).facts["new"] < 0.2


def unsaved(scene) -> str:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    return "the frames go beside it"


def projected(scene) -> str:
    settings(scene).placement = "PROJECTION"
    return "not on them"


def all_around(scene) -> str:
    settings(scene).placement = "PANORAMA"
    return "panorama or a tile"


def driven(scene) -> str:
    driver = bpy.data.objects["Rock"].driver_add("location", 0).driver
    driver.type, driver.expression = "SCRIPTED", "__import__('math').sin(frame)"
    return "asks Python"


@pytest.mark.parametrize("how", [unsaved, projected, all_around, driven])
def test_what_cannot_be_animated_is_refused_before_anything_is_done(animated, how):
    reason = how(animated)
    with pytest.raises(RuntimeError, match=reason):
        bpy.ops.spade.animate()
    assert running.running_animation() is None


def test_the_panel_says_how_far_it_is_and_another_file_ends_it(animated):
    assert "Paint 5 Frames" in drawn("SPADE_PT_animation")
    animator = begin(animated)
    with pytest.raises(RuntimeError, match="already"):
        bpy.ops.spade.animate()
    until(lambda: animator.done == 1, timer.step, 60)
    assert any(text.startswith("1 of 5") for text in drawn("SPADE_PT_animation"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert running.running_animation() is None and animator.has_ended
    assert animator.frames.path(name_of(1)).exists()


def test_the_time_that_it_took_does_not_go_on(animated):
    bpy.ops.spade.animate()
    seconds = running.last_animation().seconds
    time.sleep(0.05)
    assert running.last_animation().seconds == seconds
    assert f"Done in {seconds:.0f} s" in drawn("SPADE_PT_animation")


def test_frames_alone_are_something_to_show_beside_the_blocks(animated):
    assert not shows_or_has_pictures(animated)
    bpy.ops.spade.animate()
    assert shows_or_has_pictures(animated) and bpy.data.objects["Rock"].hide_render
    bpy.ops.spade.show(what="BLOCKS")
    assert not bpy.data.objects["Rock"].hide_render


@pytest.mark.parametrize("looks", ["CAMERA", "PERSP"])
def test_the_view_that_was_pressed_in_shows_the_frames_from_where_it_looks(animated, looks):
    view = the_view()
    view.shading.type, view.region_3d.view_perspective = "SOLID", looks
    animator = begin(animated)
    animator.pressed_in = view.as_pointer()
    to_the_end(animator)
    assert (view.shading.type, view.region_3d.view_perspective) == ("MATERIAL", looks)
    assert view.overlay.show_floor is (looks == "PERSP"), "the grid is not drawn over the picture"


def the_view() -> bpy.types.SpaceView3D:
    window = bpy.context.window_manager.windows[0]
    return next(area.spaces.active for area in window.screen.areas if area.type == "VIEW_3D")
