# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated pictures inside the .blend."""

import json

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from spade_backdrops.contract.errors import BadImageError  # noqa: E402
from spade_backdrops.place.image import PROVENANCE, store_image  # noqa: E402

MADE = {"model": "landscape", "seed": 7, "strength": 0.5, "label_set": "Wälder"}


def bytes_of(image):
    flat = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(flat)
    return np.rint(flat.reshape(image.size[1], image.size[0], 4)[::-1, :, :3] * 255).astype(np.uint8)


@pytest.mark.parametrize("view", ["Standard", "AgX", "Filmic", "Raw", "False Color"])
def test_a_picture_survives_saving_byte_for_byte(scene, tmp_path, view):
    scene.view_settings.view_transform = view
    rgb = np.random.default_rng(0).integers(0, 256, (40, 70, 3), np.uint8)
    image = store_image(rgb, "Frühling 谷", scene, MADE)
    assert image.packed_file is not None and image.users == 1 and not image.is_dirty
    path = str(tmp_path / "fichier é.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    image = bpy.data.images["Frühling 谷"]
    np.testing.assert_array_equal(bytes_of(image), rgb)
    assert json.loads(image[PROVENANCE]) == MADE and tuple(image.size) == (70, 40)


@pytest.mark.parametrize(
    "shape, dtype",
    [((4, 4), np.uint8), ((4, 4, 4), np.uint8), ((4, 4, 3), np.float32), ((0, 4, 3), np.uint8)],
)
def test_what_is_no_picture_is_refused(scene, shape, dtype):
    with pytest.raises(BadImageError):
        store_image(np.zeros(shape, dtype), "Nothing", scene, {})
    assert not bpy.data.images
