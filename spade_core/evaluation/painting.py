# SPDX-License-Identifier: Apache-2.0
"""How an evaluation's pictures are painted, as users get them, and brought to the size at which they are judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..contract.errors import BadOptionError
from ..contract.request import CodeStyle, PictureRequest
from ..synthesis.paint import paint
from ..synthesis.synthesizer import Synthesizer
from ..upscaling.upscaler import Upscaler
from .scenes import Scene
from .styles import Styles

STYLED_MAPS, STYLES = 24, 4

DIVERSITY = (
    f"mean perceptual distance of pictures of one label map in {STYLES} styles, the noise held fixed; "
    f"up to {STYLED_MAPS} label maps"
)
AUTOMATIC = "embedded"
"""The upscaler that users get who name none."""


@dataclass(frozen=True)
class Painting:
    """The way from a scene to a picture: the same one for the same model, scene and index."""

    size: tuple[int, int]
    """(height, width) of the pictures, at least that of the scenes."""
    seed: int
    """Picture i has the seed `seed` + i."""
    styles: Styles
    upscaler: Upscaler | None = None
    """Enlarges what is painted at the size that the model knows; None: painted at `size`."""

    def paint(self, model: Synthesizer, index: int, scene: Scene) -> np.ndarray:
        """The picture of the scene of this index: (*size, 3) uint8."""
        number = self.seed + index
        style = self.styles.code(model, number, scene.label_map)
        objects = None
        if scene.instance_map is not None and model.looks_at_instances:
            objects = enlarged(scene.instance_map, self.size)
        request = PictureRequest(
            enlarged(scene.label_map, self.size),
            model.label_set,
            model.name,
            number,
            None if style is None else CodeStyle(style),
            instance_map=objects,
            upscale="off" if self.upscaler is None else "auto",
        )
        return paint(model, request, upscaler=self.upscaler).rgb

    def painted_size(self, model: Synthesizer) -> tuple[int, int]:
        """(height, width) of what the model itself paints."""
        return self.size if self.upscaler is None else model.painting_size(self.size)

    def styled(self, model: Synthesizer, place: int, scene: Scene) -> list[np.ndarray]:
        """Pictures of a scene in STYLES styles, painted at the scene's own size: what differs is the style alone."""
        first = self.seed + STYLES * place
        codes = [self.styles.code(model, number, scene.label_map) for number in range(first, first + STYLES)]
        return [
            model.render(scene.label_map, code, self.seed, instance_map=scene.instance_map) for code in codes
        ]


def chosen_upscaler(wanted: str, larger: bool, device: str) -> Upscaler | None:
    """wanted: "auto", "off", or an upscaler's name or file; larger: whether pictures are larger than they are judged.

    Raises BadOptionError where an upscaler is named for pictures that are not, UnknownModelError, BadCheckpointError,
    UnavailableError.
    """
    if wanted == "off" or (wanted == "auto" and not larger):
        return None
    if not larger:
        raise BadOptionError(
            "Pictures of the size that the model was trained at are not upscaled.",
            "Choose a larger --size, or leave --upscale out.",
        )
    return Upscaler.load(AUTOMATIC if wanted == "auto" else wanted, device)


def upscaler_title(upscaler: Upscaler) -> str:
    """What tells one upscaler's pictures from another's."""
    return f"{upscaler.name} (sha256 {upscaler.digest[:12]}, {upscaler.precision}, {upscaler.put_back:g} put back)"


def enlarged(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A label map or instance map (H, W) brought to (height, width); one of that size is returned as it is.

    Each id's pixels are enlarged bicubically and the strongest wins: borders come out smooth, where nearest samples
    would give them steps that no user's map has.
    """
    if ids.shape == size:
        return ids
    strongest = np.full(size, -np.inf, np.float32)
    found = np.empty(size, ids.dtype)
    for each in np.unique(ids):
        plane = Image.fromarray((ids == each).astype(np.float32))
        strength = np.asarray(plane.resize((size[1], size[0]), Image.Resampling.BICUBIC))
        wins = strength > strongest
        found[wins], strongest[wins] = each, strength[wins]
    return found


def brought_to(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture (H, W, 3) uint8 at (height, width), by Lanczos; one of that size is returned as it is."""
    if rgb.shape[:2] == size:
        return rgb
    return np.asarray(Image.fromarray(rgb).resize((size[1], size[0]), Image.Resampling.LANCZOS))
