# SPDX-License-Identifier: Apache-2.0
"""Many pictures in a window: an animation that Esc stops and the same press goes on with, and a batch over cameras."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.window.blender_window import (
    HEIGHT,
    LOOKS,
    PICTURES,
    SESSION,
    SHADING,
    SPADE,
    BlenderWindow,
    module,
)
from tests.window.conftest import painting_held

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ANIMATION = f"{module('animation.running')}.running_animation()"
DONE = f"{module('animation.running')}.last_animation()"
BATCH = f"{module('batch.running')}.running_batch()"
STATES = f"[row.state.value for row in {module('batch.running')}.last_rows().values()]"
SEQUENCES = "[image for image in bpy.data.images if image.source == 'SEQUENCE']"
FRAMES, SECONDS = 6, 240
WALK = f"""
scene = bpy.context.scene
scene.frame_end = {FRAMES}
scene.spade.width, scene.spade.height, scene.spade.seed = 256, 144, 7
scene.spade.key_every = 1  # so that each frame waits for the server
for frame, x in ((1, 0.0), ({FRAMES}, 1.5)):
    scene.camera.location.x += x
    scene.camera.keyframe_insert("location", frame=frame)
scene.frame_set(1)
{SHADING} = "SOLID"
"""
SHOTS = """
scene = bpy.context.scene
for number, x in enumerate((-3.0, 3.0), start=1):
    camera = scene.camera.copy()
    camera.animation_data_clear()
    camera.name, camera.location.x = f"Shot {number}", scene.camera.location.x + x
    scene.collection.objects.link(camera)
bpy.data.objects["Camera"].hide_render = True
"""


def test_frames_come_stop_by_esc_and_go_on_as_an_image_sequence(window: BlenderWindow, tmp_path):
    window.open_valley()
    window.tell(WALK)
    window.toggle_panel("Animation")
    button = window.find("spade.animate", below=HEIGHT // 2)
    is_offered_to_save(window, button)
    window.tell(f"bpy.ops.wm.save_as_mainfile(filepath={str(tmp_path / 'walk.blend')!r})")
    window.click(*button)
    window.until(f"{ANIMATION} is not None and {ANIMATION}.done >= 2", SECONDS)
    with painting_held():
        window.keep_picture("animation_painting", at_once=True)
        window.key("Escape")  # the mouse is still where the button was
        window.until(f"{ANIMATION} is None", 20)
    window.keep_picture("animation_stopped")
    stopped = frames_in(tmp_path)
    assert 2 <= len(stopped) < FRAMES, "what was there stays, the rest is not painted"
    assert window.ask(f"{SEQUENCES} == [] and {SHADING} == 'SOLID'")
    window.click(*button)
    window.until(f"{ANIMATION} is None and {DONE}.done == {FRAMES}", SECONDS)
    assert window.ask(f"{DONE}.error is None and {DONE}.painted_count") <= FRAMES - len(stopped)
    frames = frames_in(tmp_path)
    assert len(frames) == FRAMES and all(frames[name] == made for name, made in stopped.items())
    assert window.ask(f"[image.frame_duration >= 1 for image in {SEQUENCES}]") == [True]
    assert window.ask(f"{SHADING} == 'MATERIAL' and {LOOKS} == 'CAMERA'"), "the view shows what has come"
    seconds = window.ask(f"{DONE}.seconds")
    plays(window)
    assert window.ask(f"{DONE}.seconds") == seconds, "the time that it took does not go on"
    window.toggle_panel("Animation")


def is_offered_to_save(window: BlenderWindow, button: tuple[int, int]) -> None:
    """A file that was never saved: the panel says so, and its button opens the file browser."""
    window.click(*button)
    window.until(f"{SESSION}.error is not None and {SESSION}.error.code == 'NOT_SAVED'", 20)
    window.keep_picture("animation_not_saved")
    window.click(*window.find("wm.save_as_mainfile", below=HEIGHT - 200))
    window.until("len(bpy.context.window_manager.windows) == 2", 30)
    window.pause(1.0)
    window.key("Escape")
    window.until("len(bpy.context.window_manager.windows) == 1", 30)
    assert window.is_under("spade.animate", button)


def frames_in(folder: Path) -> dict[str, int]:
    """The frames that lie there, and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("frames/*/frame_*.png")}


def plays(window: BlenderWindow) -> None:
    """Each frame shows its own picture through the camera, to the eye."""
    if not PICTURES:
        return
    for frame in (1, FRAMES):
        window.tell(f"bpy.context.scene.frame_set({frame})")
        window.keep_picture(f"animation_frame_{frame}")


def test_frames_play_on_where_projection_is_pressed_and_the_panel_says_why(window: BlenderWindow):
    window.tell(f"{SHADING} = 'SOLID'")
    window.toggle_panel("Place As")
    projection = window.find("spade.place_as", "'PROJECTION'")
    window.click(*projection)
    window.until(f"{SESSION}.error is not None and 'cannot be projected' in str({SESSION}.error)", 30)
    window.keep_picture("animation_not_projected")
    assert window.ask(f"{SPADE}.placement == 'BACKDROP' and len({SEQUENCES}) == 1")
    window.click(*window.find("spade.take_away"))
    window.click(*projection)
    window.until(f"{SPADE}.placement == 'PROJECTION' and {SESSION}.error is None", 30)
    window.keep_picture("animation_taken_away")
    window.click(*window.find("spade.place_as", "'BACKDROP'"))
    window.until(f"{SPADE}.placement == 'BACKDROP'", 30)
    window.toggle_panel("Place As")


def test_a_batch_says_where_each_picture_is_and_leaves_the_view_alone(window: BlenderWindow, tmp_path):
    window.tell(SHOTS)
    window.tell(f"{SHADING} = 'SOLID'\n{LOOKS} = 'PERSP'")
    window.tell(f"bpy.ops.wm.save_as_mainfile(filepath={str(tmp_path / 'shots.blend')!r})")
    window.toggle_panel("Batch")
    window.keep_picture("batch")
    button = window.find("spade.batch", below=HEIGHT // 2)
    window.click(*button)
    window.until(f"{BATCH} is not None and {STATES}[0] == 'Done'", SECONDS)
    with painting_held():
        window.tell(f"{SHADING} = 'SOLID'")
        window.keep_picture("batch_painting", at_once=True)
        window.until(f"'Painting' in {STATES} and 'Waiting' in {STATES}", 20)
        assert window.ask(LOOKS) == "PERSP", "nobody is moved while he works"
        window.key("Escape")
        window.until(f"{BATCH} is None", 20)
        states = window.ask(STATES)
        assert states[0] == "Done" and "Waiting" in states and set(states) <= {"Done", "Waiting"}
    window.keep_picture("batch_stopped")
    window.tell(f"{SPADE}.batch_cameras = 'ALL'")
    window.click(*button)
    window.until(f"{BATCH} is None", SECONDS)
    done = states.count("Done")
    after = window.ask(STATES)
    assert after[:done] == ["As it was"] * done and after[-1] == "Done"
    assert set(after) == {"As it was", "Done"}, "what was painted when Esc came may be a file already"
    assert window.ask(f"{LOOKS} == 'PERSP' and {SHADING} == 'MATERIAL'")
    assert len([*tmp_path.glob("frames/batch/*.png")]) == 4
    window.keep_picture("batch_done")
