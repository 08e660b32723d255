# SPDX-License-Identifier: Apache-2.0
"""`spade dataset render`: photographs of a Blender scene with their exact label maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import tyro


@dataclass(frozen=True)
class Render:
    """Render training pairs from a labelled Blender scene; the same command goes on where it was stopped."""

    FIRST: ClassVar = (
        "output",
        "count",
        "size",
        "samples",
        "seed",
        "cameras",
        "lights",
        "instances",
        "val_every",
        "label_by_name",
    )

    scene: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SCENE.blend")]
    """the scene, labelled with the add-on; it is not changed"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """the data set: images/, labels/, label_set.toml, index.csv"""
    count: int = 100
    """pictures there shall be in the end"""
    size: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="WIDTH HEIGHT")] = None
    """in pixels; else about the number of pixels that the scene generates, in the camera's shape"""
    samples: int = 64
    """Cycles samples a pixel; the result is denoised"""
    seed: int = 0
    """another seed, other cameras and lights"""
    cameras: Literal["random", "keyed", "placed"] = "random"
    """random: around the scene's camera, above the ground and outside of things; keyed: the scene's camera over its
    frame range; placed: each camera of the scene in turn"""
    lights: Literal["random", "kept"] = "random"
    """random: another time of day in each picture; kept: as they are in the scene"""
    spread: float = 0.0
    """how far a random camera may go, in metres; 0 fits it to the view"""
    instances: bool = False
    """write instance maps too"""
    val_every: int = 10
    """every Nth picture is set aside for validation; 0 for none"""
    label_by_name: bool = False
    """first label what has no label by its name, for these pictures only"""
    blender: Annotated[str | None, tyro.conf.arg(metavar="PROGRAM")] = None
    """the Blender to use; else $SPADE_BLENDER, `blender`, or Blender as a module of this Python"""

    def run(self) -> int:
        from ..blender import render_pairs
        from ..contract.errors import BadImageError
        from ..progress import progress_bar

        if not self.scene.is_file():
            raise BadImageError(f"There is no file {self.scene}.", "Name a saved .blend file.")
        width, height = self.size or (0, 0)
        options: dict[str, object] = {
            "directory": str(self.output.resolve()),
            "width": width,
            "height": height,
            **{name: getattr(self, name) for name in _SAME},
        }
        with progress_bar() as progress:
            rendered = render_pairs(
                self.scene, options, lambda done, of: progress("rendering", done, of), self.blender
            )
        print(f"{self.output}: {rendered} rendered, {self.count} pairs in all")
        return 0


_SAME = (
    *("count", "samples", "seed", "cameras", "lights"),
    *("spread", "instances", "val_every", "label_by_name"),
)
