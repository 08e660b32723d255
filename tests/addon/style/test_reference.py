# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of every kind that Blender has, read as the picture of a style."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from spade_backdrops.contract.errors import BadImageError
from spade_backdrops.place.image import store_image
from spade_backdrops.scene.png import png
from spade_backdrops.style.reference import rgb_of

RGB = np.random.default_rng(5).integers(0, 256, (33, 47, 3), np.uint8)


@pytest.fixture
def file(scene, tmp_path):
    path = tmp_path / "Abend 夜.png"
    path.write_bytes(png(RGB))
    return str(path)


def test_a_file_is_read_byte_for_byte(file):
    assert (rgb_of(bpy.data.images.load(file)) == RGB).all()


def test_a_packed_image_outlives_its_file(file, tmp_path):
    image = bpy.data.images.load(file)
    image.pack()
    image.use_fake_user = True
    (tmp_path / "Abend 夜.png").unlink()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "packed.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "packed.blend"))
    assert (rgb_of(next(iter(bpy.data.images))) == RGB).all()


def test_a_generated_picture_is_read_as_it_was_painted(scene):
    assert (rgb_of(store_image(RGB, "Backdrop", scene, {})) == RGB).all()


def test_a_float_image_is_encoded_as_a_screen_shows_it(scene):
    image = bpy.data.images.new("light", 2, 1, float_buffer=True)
    image.pixels[:] = [((128 / 255 + 0.055) / 1.055) ** 2.4, 0.0, 1.0, 1.0, 7.5, -1.0, float("nan"), 1.0]
    assert rgb_of(image).tolist() == [[[128, 0, 255], [255, 0, 0]]]


def test_a_float_file_shows_what_the_byte_file_shows(scene, tmp_path):
    light = np.where(RGB / 255 <= 0.04045, RGB / 255 / 12.92, ((RGB / 255 + 0.055) / 1.055) ** 2.4)
    image = bpy.data.images.new("light", 47, 33, float_buffer=True)
    # The format brings sRGB along, and another space empties the image: pixels come last.
    image.file_format, image.filepath_raw = "OPEN_EXR", str(tmp_path / "light.exr")
    image.colorspace_settings.name = "Linear Rec.709"
    image.pixels.foreach_set(np.dstack([light, np.ones((33, 47))])[::-1].astype(np.float32).ravel())
    image.save()
    assert np.abs(rgb_of(bpy.data.images.load(image.filepath_raw)).astype(int) - RGB).max() <= 1


def test_sixteen_bits_show_what_eight_show(scene, tmp_path):
    path = tmp_path / "deep.png"
    path.write_bytes(png(RGB[..., 0].astype(np.uint16) * 257))
    assert (rgb_of(bpy.data.images.load(str(path))) == RGB[..., :1]).all()


def test_an_untouched_generated_image_is_its_colour(scene):
    image = bpy.data.images.new("plain", 40, 40)
    image.generated_color = (1, 0, 0, 1)
    assert (rgb_of(image) == (255, 0, 0)).all()


def test_an_image_without_its_file_is_told(file, tmp_path):
    image = bpy.data.images.load(file)
    (tmp_path / "Abend 夜.png").unlink()
    image.reload()
    with pytest.raises(BadImageError, match="Abend") as refused:
        rgb_of(image)
    assert refused.value.fix


def test_a_render_result_is_told(scene):
    scene.render.resolution_x = scene.render.resolution_y = 16
    scene.render.engine = "CYCLES"
    scene.collection.objects.link(camera := bpy.data.objects.new("c", bpy.data.cameras.new("c")))
    scene.camera = camera
    bpy.ops.render.render()
    with pytest.raises(BadImageError, match="Render Result"):
        rgb_of(bpy.data.images["Render Result"])
