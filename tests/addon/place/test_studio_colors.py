# SPDX-License-Identifier: GPL-3.0-or-later
"""A studio's OpenColorIO configuration, in which nothing is called as Blender calls it.

In a Blender of its own, which reads its configuration when it starts.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.addon.serving import ROOT

CONFIG = """ocio_profile_version: 2
search_path: ""
roles:
  default: studio_data
  reference: studio_linear
  scene_linear: studio_linear
  default_byte: studio_video
  default_float: studio_linear
  default_sequencer: studio_video
  color_picking: studio_video
  data: studio_data
displays:
  Monitor:
    - !<View> {name: Studio Look, colorspace: studio_video}
active_displays: [Monitor]
active_views: [Studio Look]
colorspaces:
  - !<ColorSpace>
    name: studio_linear
    family: linear
    bitdepth: 32f
    isdata: false
  - !<ColorSpace>
    name: studio_data
    bitdepth: 32f
    isdata: true
  - !<ColorSpace>
    name: studio_video
    family: display
    bitdepth: 32f
    isdata: false
    from_scene_reference: !<GroupTransform>
      children:
        - !<MatrixTransform> {matrix: [0.9, 0.06, 0.04, 0, 0.03, 0.9, 0.07, 0, 0.05, 0.05, 0.9, 0, 0, 0, 0, 1]}
        - !<ExponentTransform> {value: [2.1, 2.1, 2.1, 1], direction: inverse}
"""

PLACING = """
import sys
import bpy
import numpy as np
import spade_backdrops
from spade_backdrops.place.backdrop import place_backdrop
from spade_backdrops.place.image import store_image

spade_backdrops.register()
scene = bpy.context.scene
camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
scene.collection.objects.link(camera)
scene.camera = camera
assert scene.view_settings.view_transform == "Studio Look", scene.view_settings.view_transform
for thing in list(scene.objects):
    if thing.type == "MESH":
        bpy.data.objects.remove(thing)
y, x = np.mgrid[0:48, 0:64] / 64
photo = np.rint(np.stack((0.35 + 0.3 * x, 0.3 + 0.35 * y, 0.6 - 0.3 * y), -1) * 255).astype(np.uint8)
place_backdrop(scene, store_image(photo, "Backdrop", scene, {}))
render = scene.render
render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
render.resolution_x, render.resolution_y, render.resolution_percentage, render.dither_intensity = 64, 48, 100, 0.0
render.image_settings.file_format, render.image_settings.color_mode, render.filepath = "PNG", "RGB", sys.argv[1]
bpy.ops.render.render(write_still=True)
image = bpy.data.images.load(sys.argv[1])
image.colorspace_settings.is_data = True
flat = np.empty(64 * 48 * 4, np.float32)
image.pixels.foreach_get(flat)
seen = np.rint(flat.reshape(48, 64, 4)[::-1, :, :3] * 255)
print("furthest:", int(np.abs(seen - photo).max()), flush=True)
spade_backdrops.unregister()
"""


def test_a_configuration_without_srgb_shows_the_picture_as_it_was_painted(tmp_path):
    (tmp_path / "config.ocio").write_text(CONFIG, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-c", PLACING, str(tmp_path / "view.png")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "build" / "stage"), "OCIO": str(tmp_path / "config.ocio")},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr
    furthest = next(line for line in run.stdout.splitlines() if line.startswith("furthest: "))
    assert int(furthest.removeprefix("furthest: ")) <= 4
