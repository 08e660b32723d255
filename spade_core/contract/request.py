# SPDX-License-Identifier: Apache-2.0
"""What to paint, in one value, whoever paints it: a server (client.Client) or this process (synthesis.paint)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .errors import (
    BadHeaderError,
    BadImageError,
    BadOptionError,
    BadShapeError,
    TooLargeError,
    UnknownStyleError,
)
from .labels import LabelSet
from .limits import Limits, refuse_size
from .messages import EXACT, NOWHERE, PICTURE_ENCODINGS, PRECISIONS, PRIORITIES, PRIORITY_NORMAL, Wrap
from .placed_styles import PlacedStyle, check_placed, travelling_regions

MAX_SEED = 2**63
UPSCALER_NAME = re.compile(r"[\w.-]{1,64}")
MAX_CODE_SIZE = 4096
MOST_DETAIL = 4
MAX_STYLE_NAME = 64
MAX_INSTANCES = 65535
"""The largest number that an object has in an instance map which travels."""


@dataclass(frozen=True)
class SeedStyle:
    """The look that a seed draws."""

    seed: int


@dataclass(frozen=True, eq=False)
class ImageStyle:
    """The look of a picture: rgb (h, w, 3) uint8, of any size that the limits allow."""

    rgb: np.ndarray


@dataclass(frozen=True, eq=False)
class CodeStyle:
    """A look as the numbers that a model's style encoder gives: (style_size,) float32."""

    code: np.ndarray


@dataclass(frozen=True, eq=False)
class MixedStyle:
    """A look between two: `share` is that of the second, 0 to 1."""

    first: PlainStyle
    second: PlainStyle
    share: float = 0.5


@dataclass(frozen=True)
class NamedStyle:
    """A look by the name that the model has for it, whatever its case."""

    name: str


PlainStyle = SeedStyle | ImageStyle | CodeStyle | NamedStyle
Style = PlainStyle | MixedStyle


@dataclass(frozen=True, eq=False)
class PictureRequest:
    """One picture to paint.

    label_map: (H, W) ids of `label_set`, row 0 at the top. model: its name, for a server that has several.
    seed: 0 to 2^63 - 1; it draws the noise, and the style too where `style` is None. strength: 0 is the average
    look, 1 the style as it is, at most 2. size: (height, width) of the picture; None means the label map's own.
    instance_map: (H, W) whole numbers, one an object, for a model that looks at the borders between objects; without
    one, such a model sees the borders between labels.
    upscale: "auto" paints at about the size that the model was trained at and enlarges that, where the picture is
    larger; "off" paints at the picture's size; or the name of the upscaler to take.
    detail: 1 to 4: how many times as long as what the model was trained at the sides are of what is painted and then
    enlarged. More has finer things, and large shapes that hold together less.
    natural_edges: 0 to 1: how far the borders of grey boxes are moved as nature would draw them, by about a hundredth
    of the picture's height at 1; drawn by the seed.
    wrap: whether rows go on from the bottom to the top, and columns from right to left: (False, True) is a panorama,
    (True, True) a seamless tile. The label map is taken to go on so, too.
    precision: "exact" computes in float32; "preview" in bfloat16, where the device does so faster: the same picture but
    for rounding that shows where one looks for it.
    placed_styles: further styles, each for a part of the picture. region_map: (H, W) numbers of such parts, 0 for none.
    softness: over how much of the picture's height one style goes over into another at a border, 0 to 0.5.
    """

    label_map: np.ndarray
    label_set: LabelSet
    model: str = "landscape"
    seed: int = 0
    style: Style | None = None
    strength: float = 1.0
    size: tuple[int, int] | None = None
    instance_map: np.ndarray | None = None
    upscale: str = "auto"
    natural_edges: float = 0.0
    wrap: Wrap = NOWHERE
    precision: str = EXACT
    placed_styles: tuple[PlacedStyle, ...] = ()
    region_map: np.ndarray | None = None
    softness: float = 0.0
    detail: float = 1.0

    def check(self, limits: Limits) -> PictureRequest:
        """This request with its maps as they travel: C-contiguous, the label map of the label set's dtype, the instance
        map of uint8 or uint16, its objects numbered anew where their numbers are larger, the region map of uint8.

        Raises BadLabelError, BadShapeError, BadImageError, TooLargeError, and BadHeaderError where a number is out of
        range.
        """
        label_map = self.label_set.check(self.label_map)
        refuse_size((label_map.shape[0], label_map.shape[1]), "label map", limits)
        if self.size is not None:
            refuse_size(self.size, "picture", limits)
        require(0 <= self.seed < MAX_SEED, "The seed", "0 to 2^63 - 1")
        require(0 <= self.strength <= 2, "The style's strength", "0 to 2")
        require(0 <= self.natural_edges <= 1, "The amount of natural edges", "0 to 1")
        require(1 <= self.detail <= MOST_DETAIL, "The detail", f"1 to {MOST_DETAIL}")
        require(
            len(self.wrap) == 2 and all(isinstance(axis, bool) for axis in self.wrap),
            "The axes that wrap",
            "(rows, columns), each True or False",
        )
        require(self.precision in PRECISIONS, "The precision", "'exact' or 'preview'")
        require(bool(UPSCALER_NAME.fullmatch(self.upscale)), "The upscaler", "'auto', 'off' or a name")
        for style in (*self.plain_styles, *(each.style for each in self.placed_styles)):
            _check_style(style, limits)
        check_placed(self.placed_styles, self.softness, self.label_set)
        if isinstance(self.style, MixedStyle):
            require(0 <= self.style.share <= 1, "The share of a mixed style", "0 to 1")
        instance_map = self.instance_map
        if instance_map is not None:
            instance_map = _travelling(instance_map, label_map)
        regions = self.region_map
        if regions is not None:
            regions = travelling_regions(regions, label_map)
        return replace(self, label_map=label_map, instance_map=instance_map, region_map=regions)

    @property
    def plain_styles(self) -> tuple[PlainStyle, ...]:
        """The styles that the picture's is made of: none, one, or two to mix."""
        if self.style is None:
            return ()
        if isinstance(self.style, MixedStyle):
            return self.style.first, self.style.second
        return (self.style,)


@dataclass(frozen=True)
class Delivery:
    """How a server should treat a request, and send the picture; the picture itself does not depend on it.

    encoding: "raw", or "png" | "jpeg" | "webp" for a slow net. compress: deflate the label map on its way.
    deadline_s: when the job fails if it is not finished. priority: PRIORITY_BACKGROUND, _NORMAL or _INTERACTIVE,
    which go first. replaces: id of a job that this one makes stale. no_cache: paint although the same was painted
    before. patience_s: how long a busy or warming server is asked again. painting: send the small painting as soon as
    it is there, before an upscaler enlarges it.
    """

    encoding: str = "raw"
    compress: bool = False
    deadline_s: float | None = None
    priority: int = PRIORITY_NORMAL
    replaces: str | None = None
    no_cache: bool = False
    patience_s: float = 120.0
    painting: bool = False

    def check(self) -> None:
        """Raises BadHeaderError where a value is out of range."""
        require(self.encoding in PICTURE_ENCODINGS, "The picture's encoding", ", ".join(PICTURE_ENCODINGS))
        require(self.priority in PRIORITIES, "The priority", "0, 1 or 2")
        require(self.deadline_s is None or self.deadline_s > 0, "The deadline", "more than 0")


@dataclass(frozen=True, eq=False)
class Picture:
    """A painted picture, and what has to be known to paint it again beside the request.

    rgb: (H, W, 3) uint8. file: where a client asked a server for an encoded file, that file, of which rgb is read.
    upscaler: what enlarged it, its digest, precision and share put back; empty where nothing did.
    terms, upscaler_terms: whose weights painted and enlarged it, and on what terms, in words; empty where a server did
    not say.
    """

    rgb: np.ndarray
    model: str
    model_digest: str
    seed: int
    file: bytes = b""
    upscaler: str = ""
    terms: str = ""
    upscaler_terms: str = ""


def require(holds: bool, what: str, allowed: str) -> None:
    """Raises BadHeaderError where a value that travels in the header is out of its range."""
    if not holds:
        raise BadHeaderError(f"{what} is not allowed here.", f"Use {allowed}.")


def unknown_style(name: str, model: str, known: Sequence[str]) -> UnknownStyleError:
    """What to say where a model has no style of that name."""
    if not known:
        return UnknownStyleError(f"The model '{model}' has no named styles.", "Give a picture or a seed.")
    return UnknownStyleError(
        f"The model '{model}' has no style '{name}'.", f"Use one of: {', '.join(known)}."
    )


def not_looked_at(model: str) -> BadOptionError:
    """What to say where a model is given an instance map and has no use for it."""
    return BadOptionError(f"The model '{model}' does not look at instances.", "Leave the instance map out.")


def _check_style(style: PlainStyle, limits: Limits) -> None:
    if isinstance(style, SeedStyle):
        require(0 <= style.seed < MAX_SEED, "The seed of a style", "0 to 2^63 - 1")
    elif isinstance(style, NamedStyle):
        require(
            0 < len(style.name) <= MAX_STYLE_NAME, "The name of a style", f"1 to {MAX_STYLE_NAME} letters"
        )
    elif isinstance(style, ImageStyle):
        rgb = style.rgb
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise BadImageError(
                f"A style image is (height, width, 3) uint8, this is {rgb.shape} {rgb.dtype}.",
                "Convert the picture to 8-bit RGB.",
            )
        refuse_size((rgb.shape[0], rgb.shape[1]), "style image", limits)
        if rgb.nbytes > limits.max_bytes:
            raise TooLargeError(
                f"The style image has {rgb.nbytes} bytes, the server takes {limits.max_bytes}.",
                "Choose a smaller one.",
            )
    else:
        code = style.code
        if code.ndim != 1 or code.dtype.kind != "f" or not 1 <= code.size <= MAX_CODE_SIZE:
            raise BadShapeError(
                f"A style code is one row of numbers, this is {code.shape} {code.dtype}.",
                "Use what encode_style of the model gives.",
            )
        if not np.isfinite(code).all():
            raise BadShapeError(
                "A style code holds numbers that are not finite.", "Read it from a picture again."
            )


def _travelling(instance_map: np.ndarray, label_map: np.ndarray) -> np.ndarray:
    """An instance map as uint8 or uint16. Raises BadShapeError, and TooLargeError for too many objects."""
    if instance_map.shape != label_map.shape or instance_map.dtype.kind not in "ui":
        raise BadShapeError(
            f"The instance map is {instance_map.dtype} of the shape {instance_map.shape}, "
            f"the label map's is {label_map.shape}.",
            "Give one whole number for each pixel of the label map.",
        )
    if instance_map.size and not 0 <= instance_map.min() <= instance_map.max() <= MAX_INSTANCES:
        objects, numbers = np.unique(instance_map, return_inverse=True)
        if len(objects) > MAX_INSTANCES + 1:
            raise TooLargeError(
                f"The instance map has {len(objects)} objects, {MAX_INSTANCES + 1} can be told apart.",
                "Give small things of one kind one number together.",
            )
        instance_map = numbers.reshape(instance_map.shape)
    kind = np.uint8 if instance_map.max(initial=0) < 256 else np.uint16
    return np.ascontiguousarray(instance_map, kind)
