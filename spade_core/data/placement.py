# SPDX-License-Identifier: Apache-2.0
"""Where a training picture is cut from its pair: the reference's ways, and ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from PIL import Image

from ..contract.errors import BadShapeError

Size = tuple[int, int]
"""(width, height) in pixels."""
Mode = Literal[
    "resize_and_crop",
    "crop",
    "scale_width",
    "scale_width_and_crop",
    "scale_shortside",
    "scale_shortside_and_crop",
    "fixed",
    "none",
]
MULTIPLE = 32
"""What both sides are rounded to where nothing is cut: generators halve them that often."""


@dataclass(frozen=True)
class Placement:
    """A pair is scaled to `scaled`, the rectangle of `size` at (left, top) is cut out of that, and perhaps flipped."""

    scaled: Size
    left: int
    top: int
    size: Size
    flip: bool = False

    def photo(self, photo: Image.Image) -> np.ndarray:
        """rgb (height, width, 3) uint8, bicubic."""
        return self._flipped(self._cut(photo, Image.Resampling.BICUBIC))

    def labels(self, labels: Image.Image) -> np.ndarray:
        """ids (height, width), of labels' own integers: one sample a pixel, as averaging would invent classes."""
        return self._flipped(self._cut(labels, Image.Resampling.NEAREST))

    def _cut(self, image: Image.Image, resampling: Image.Resampling) -> Image.Image:
        # Resize only the window: box is in source pixels, and what lies around it still counts at its edges.
        across, down = image.width / self.scaled[0], image.height / self.scaled[1]
        left, top = self.left * across, self.top * down
        box = (left, top, left + self.size[0] * across, top + self.size[1] * down)
        return image.resize(self.size, resampling, box=box)

    def _flipped(self, image: Image.Image) -> np.ndarray:
        pixels = np.asarray(image)
        return np.ascontiguousarray(pixels[:, ::-1] if self.flip else pixels)


class PlacementRule(Protocol):
    """A frozen rule that says where the next training picture is cut."""

    def place(self, photo: Size, random: np.random.Generator) -> Placement:
        """For a photo of this size; every draw depends on `random` and the size alone."""
        ...

    @property
    def short_side(self) -> int:
        """The largest short side a photo is ever scaled to; 0 where that depends on the photo."""
        ...


@dataclass(frozen=True)
class CropRule:
    """How a pair becomes a training square.

    The pair is resized so that its short side lies between size and max_scale * size (uniformly), then cropped to
    size at random and flipped half of the time: texture is learned at its true scale, not only as a thumbnail.
    """

    size: int
    max_scale: float = 2.0

    @property
    def short_side(self) -> int:
        return round(self.size * self.max_scale)

    def place(self, photo: Size, random: np.random.Generator) -> Placement:
        short = int(round(self.size * random.uniform(1.0, self.max_scale)))
        scale = short / min(photo)
        width, height = (max(self.size, round(side * scale)) for side in photo)
        left = int(random.integers(0, width - self.size + 1))
        top = int(random.integers(0, height - self.size + 1))
        flip = bool(random.random() < 0.5)
        return Placement((width, height), left, top, (self.size, self.size), flip)


@dataclass(frozen=True)
class Preprocess:
    """The preprocessing modes of the reference.

    resize_and_crop: to load_size squared; scale_width: to that width; scale_shortside: to that short side; crop and
    none: as it is; fixed: to crop_size wide and round(crop_size / aspect) high. Where something is cut, crop_size
    squared is, at random; where nothing is, except in fixed, both sides are rounded to multiples of 32.
    Unlike the reference, the window is drawn inside the scaled picture, in every mode; a picture smaller than the
    window is enlarged until it covers it. Pictures are flipped half of the time.
    """

    mode: Mode = "resize_and_crop"
    load_size: int = 286
    crop_size: int = 256
    aspect: float = 1.0
    flip: bool = True

    @property
    def short_side(self) -> int:
        if self.mode in ("crop", "none"):
            return 0
        return max(self.load_size, self.crop_size)

    @property
    def size(self) -> Size | None:
        """(width, height) of every picture; None where each keeps the shape of its photo."""
        if self.mode == "fixed":
            return self.crop_size, max(1, round(self.crop_size / self.aspect))
        return (self.crop_size, self.crop_size) if self.mode.endswith("crop") else None

    def place(self, photo: Size, random: np.random.Generator) -> Placement:
        scaled = self._scaled(photo)
        size = self.size or scaled
        left, top = (int(random.integers(0, a - b + 1)) for a, b in zip(scaled, size, strict=True))
        return Placement(scaled, left, top, size, self.flip and bool(random.random() < 0.5))

    def centred(self, photo: Size) -> Placement:
        """For validation: the middle, never flipped."""
        scaled = self._scaled(photo)
        size = self.size or scaled
        left, top = ((a - b) // 2 for a, b in zip(scaled, size, strict=True))
        return Placement(scaled, left, top, size)

    def _scaled(self, photo: Size) -> Size:
        width, height = photo
        if self.mode == "fixed":
            assert self.size is not None
            return self.size
        if self.mode == "resize_and_crop":
            width = height = self.load_size
        elif self.mode.startswith("scale_width"):
            width, height = self.load_size, self.load_size * height / width
        elif self.mode.startswith("scale_shortside"):
            width, height = (self.load_size * side / min(photo) for side in photo)
        if self.size is None:
            return _rounded(width), _rounded(height)
        enlarge = max(1.0, self.crop_size / min(width, height))
        return round(width * enlarge), round(height * enlarge)


def _rounded(side: float) -> int:
    return max(MULTIPLE, round(side / MULTIPLE) * MULTIPLE)


def stacked(pictures: list[np.ndarray]) -> np.ndarray:
    """One batch, (B, ...). Raises BadShapeError where they differ in size."""
    shapes = {picture.shape[:2] for picture in pictures}
    if len(shapes) > 1:
        listed = ", ".join(f"{width} x {height}" for height, width in sorted(shapes)[:4])
        raise BadShapeError(
            f"The pictures of a batch differ in size: {listed}.",
            "Choose a way of cutting that gives every picture one size (resize_and_crop, or fixed), or a batch of 1.",
        )
    return np.stack(pictures)
