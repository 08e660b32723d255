# SPDX-License-Identifier: GPL-3.0-or-later
"""The small painting, shown in place while the server enlarges it.

- The finished picture takes its place in every user of it; the small one leaves the file.
- Where its job is cancelled, also by a newer press, the scene is as it was before: the former picture, or none.
- Where its job fails, it stays: it is a picture, and the press paid for it.

It makes no undo step of its own: a press is one step, made when its picture lands.
"""

from __future__ import annotations

import bpy

from ..bridge.jobs import Job
from .image import JOB, store_image
from .placement import fit, place, placed_cameras, placed_picture, remove_placement
from .show import show_landed, show_nothing_placed

_FORMER = "spade_former"
"""Custom property of a painting: the picture it stands in for."""


def place_painting(
    job: Job, scene: bpy.types.Scene, camera: bpy.types.Object, provenance: dict[str, str | int | float]
) -> None:
    """Show a job's painting where the finished picture will be."""
    assert job.painting is not None
    former = placed_picture(scene, camera)
    image = store_image(job.painting, f"Backdrop {scene.name}", scene, provenance)
    image[JOB] = job.id
    if former is not None:
        image[_FORMER] = former
    place(scene, image, camera)
    show_landed(scene)


def painting_of(job: Job) -> bpy.types.Image | None:
    """The painting of a job, where it is in the file: undo may have taken it away."""
    return next((image for image in bpy.data.images if image.get(JOB) == job.id), None) if job.id else None


def swap_painting(painting: bpy.types.Image, finished: bpy.types.Image, keep_name: bool) -> None:
    """Let a finished picture take its painting's place, for all who use it; with `keep_name` it gets its name, too."""
    name = painting.name
    painting.user_remap(finished)
    bpy.data.images.remove(painting)
    if keep_name:
        finished.name = name


def keep_painting(painting: bpy.types.Image) -> None:
    """Make a painting whose job failed a picture like others."""
    for mark in (JOB, _FORMER):
        if mark in painting:
            del painting[mark]


def take_back(painting: bpy.types.Image) -> None:
    """Bring back what a painting stood in for."""
    former = painting.get(_FORMER)
    if former is not None:
        painting.user_remap(former)
        for scene in bpy.data.scenes:
            fit(scene)
    else:
        for scene in bpy.data.scenes:
            showing = [each for each in placed_cameras(scene) if placed_picture(scene, each) == painting]
            for camera in showing:
                remove_placement(scene, camera)
            if showing and not placed_cameras(scene):
                show_nothing_placed(scene)
    bpy.data.images.remove(painting)
