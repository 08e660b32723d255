# SPDX-License-Identifier: Apache-2.0
"""The one place where a request becomes a picture: by the server's worker, the command line, and whoever is next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..contract.errors import BadShapeError
from ..contract.labels import LabelSet
from ..contract.placed_styles import one_style_only
from ..contract.progress import ProgressCallback
from ..contract.request import (
    ImageStyle,
    MixedStyle,
    NamedStyle,
    Picture,
    PictureRequest,
    PlainStyle,
    SeedStyle,
    Style,
    not_looked_at,
)
from ..upscaling.choice import loaded
from ..upscaling.outlines import outlined
from ..upscaling.terms import upscaler_terms
from .batches import Canvas
from .places import PlacedCodes, numbers_of
from .style import at_strength, between

if TYPE_CHECKING:
    from ..upscaling.upscaler import Upscaler
    from .synthesizer import Synthesizer  # imports torch, which some synthesizers do without

SCALES = 320
"""Of the embedded model's widest block at full size: those of two norms and the shortcut's."""


def paint(
    synthesizer: Synthesizer,
    request: PictureRequest,
    progress: ProgressCallback | None = None,
    on_painting: Callable[[np.ndarray], None] | None = None,
    upscaler: Upscaler | None = None,
) -> Picture:
    """The picture, named after the synthesizer: it is of its model whatever `request.model` says.

    on_painting: given what an upscaler is going to enlarge, (h, w, 3) uint8, as soon as it is there. upscaler: taken in
    place of the one that the request names, where it wants one.

    Raises what Synthesizer.render and encode_style raise, BadShapeError for a style code of another model, and
    BadOptionError for an instance map that the model does not look at, or for several styles where it has one for all
    of a picture.
    """
    if progress is not None:
        progress("painting", 0.0)
    plan = plan_of(synthesizer, request, upscaler)
    canvas = plan.canvas
    first, _ = _shares(progress, plan.upscaling)
    [painting] = synthesizer.render_batch(
        [canvas], first, plan.painted if plan.upscaler is not None else None
    )
    return finished(synthesizer, plan, painting, progress, on_painting)


@dataclass(frozen=True, eq=False)
class Plan:
    """How a request becomes a picture: `canvas` is painted at the size `painted`, `upscaler` enlarges that, if any."""

    request: PictureRequest
    canvas: Canvas
    painted: tuple[int, int]
    size: tuple[int, int]
    upscaler: Upscaler | None

    @property
    def upscaling(self) -> float:
        """Its share of the work."""
        return 0.0 if self.upscaler is None else self.upscaler.share_of_work

    @property
    def style_bytes(self) -> int:
        """Memory for several styles, beside what a painting takes: shares of each at every pixel, and its own scales
        and shifts, of which `SCALES` numbers are there at once."""
        style = self.canvas.style
        if not isinstance(style, PlacedCodes):
            return 0
        return 4 * self.painted[0] * self.painted[1] * (2 * len(style.codes) + SCALES)


def plan_of(synthesizer: Synthesizer, request: PictureRequest, upscaler: Upscaler | None = None) -> Plan:
    """All that comes before the painting. upscaler: as in paint; raises what paint does."""
    if request.instance_map is not None and not synthesizer.looks_at_instances:
        raise not_looked_at(synthesizer.name)
    if request.placed_styles and synthesizer.one_style:
        raise one_style_only(synthesizer.name, synthesizer.one_style)
    code = _style_code(synthesizer, request)
    placed = [_at_its_strength(synthesizer, request, each.style) for each in request.placed_styles]
    request = _with_natural_edges(request, synthesizer.label_set)
    size = request.size or (request.label_map.shape[0], request.label_map.shape[1])
    small = size if request.upscale == "off" else synthesizer.painting_size(size, request.detail)
    if small == size:
        sized, chosen = _at_size(request), None
    else:  # Before the painting: an upscaler that is missing must not cost it.
        sized, chosen = request, upscaler or loaded(request.upscale, str(synthesizer.device))
    style = _placed_codes(synthesizer, sized, code, placed) if placed else code
    canvas = Canvas(sized.label_map, style, request.seed, sized.instance_map, request.wrap, request.precision)
    return Plan(request, canvas, small, size, chosen)


def finished(
    synthesizer: Synthesizer,
    plan: Plan,
    painting: np.ndarray,
    progress: ProgressCallback | None = None,
    on_painting: Callable[[np.ndarray], None] | None = None,
) -> Picture:
    """What comes after the painting, (h, w, 3) uint8; progress and on_painting as in paint."""
    seed = plan.request.seed
    if plan.upscaler is None:
        return Picture(painting, synthesizer.name, synthesizer.digest, seed, terms=synthesizer.terms)
    _, rest = _shares(progress, plan.upscaling)
    if on_painting is not None:
        on_painting(painting)
    outlines = _outlines(plan.request, plan.size, synthesizer.label_set)
    rgb = plan.upscaler.upscale(painting, plan.size, rest, plan.request.wrap, outlines)
    return Picture(
        *(rgb, synthesizer.name, synthesizer.digest, seed),
        upscaler=plan.upscaler.description,
        terms=synthesizer.terms,
        upscaler_terms=upscaler_terms(plan.upscaler.description),
    )


def _shares(
    progress: ProgressCallback | None, rest: float
) -> tuple[ProgressCallback | None, ProgressCallback | None]:
    """Two callbacks for two stages of which the second is `rest` of the work: together they go from 0 to 1 once."""
    if progress is None:
        return None, None
    return (
        lambda stage, done: progress(stage, done * (1 - rest)),
        lambda stage, done: progress(stage, 1 - rest + done * rest),
    )


def _style_code(synthesizer: Synthesizer, request: PictureRequest) -> np.ndarray | None:
    """The (style_size,) float32 code of a request's style at its strength; None leaves it to the seed."""
    if request.style is None and request.strength == 1:
        return None
    return _at_its_strength(synthesizer, request, request.style or SeedStyle(request.seed))


def _placed_codes(
    synthesizer: Synthesizer, request: PictureRequest, own: np.ndarray | None, placed: list[np.ndarray]
) -> np.ndarray | PlacedCodes:
    """request: at the size of its canvas. own: as of _style_code; placed: a code each of the placed styles."""
    if own is None:
        own = synthesizer.style_from_seed(request.seed, request.label_map)
    numbers = numbers_of(request.label_map, request.placed_styles, request.region_map)
    over = [(number, each.peak) for number, each in enumerate(request.placed_styles, 1)]
    goes_over = next(((number, peak) for number, peak in over if peak is not None), None)
    return PlacedCodes(np.stack([own, *placed]), numbers, request.softness, goes_over).simplified()


def _at_its_strength(synthesizer: Synthesizer, request: PictureRequest, style: Style) -> np.ndarray:
    if isinstance(style, MixedStyle):
        first, second = (
            _plain_code(synthesizer, part, request.label_map) for part in (style.first, style.second)
        )
        code = between(first, second, style.share)
    else:
        code = _plain_code(synthesizer, style, request.label_map)
    return at_strength(code, request.strength, synthesizer.average_style)


def _plain_code(synthesizer: Synthesizer, style: PlainStyle, label_map: np.ndarray) -> np.ndarray:
    if isinstance(style, SeedStyle):
        return synthesizer.style_from_seed(style.seed, label_map)
    if isinstance(style, NamedStyle):
        return synthesizer.style_by_name(style.name)
    if isinstance(style, ImageStyle):
        return synthesizer.encode_style(style.rgb)
    if style.code.shape != (synthesizer.style_size,):
        raise BadShapeError(
            f"A style code of the model '{synthesizer.name}' has {synthesizer.style_size} numbers, "
            f"this one has the shape {style.code.shape}.",
            "Use a code that was read by this model.",
        )
    if not np.isfinite(style.code).all():
        raise BadShapeError(
            "The style code holds what is no number.", "Use a code that was read by this model."
        )
    return style.code


def _with_natural_edges(request: PictureRequest, label_set: LabelSet) -> PictureRequest:
    if not request.natural_edges:
        return request
    from .natural_edges import natural_places

    places = natural_places(request.label_map, label_set, request.natural_edges, request.seed, request.wrap)
    objects, regions = request.instance_map, request.region_map
    return replace(
        request,
        label_map=request.label_map[places],
        instance_map=None if objects is None else objects[places],
        region_map=None if regions is None else regions[places],
    )


def _outlines(request: PictureRequest, size: tuple[int, int], label_set: LabelSet) -> np.ndarray | None:
    """Where the picture's borders belong; None where the label map, smaller than the picture, knows no better."""
    if request.label_map.shape[0] < size[0] or request.label_map.shape[1] < size[1]:
        return None
    return outlined(_at_size(request).label_map, label_set)


def _at_size(request: PictureRequest) -> PictureRequest:
    """The request with its maps at the picture's size, by nearest neighbour: averaging ids would invent classes."""
    size, map_size = request.size, request.label_map.shape
    if size is None or size == map_size:
        return request
    rows = (np.arange(size[0]) * map_size[0] // size[0])[:, None]
    columns = np.arange(size[1]) * map_size[1] // size[1]
    instances = None if request.instance_map is None else request.instance_map[rows, columns]
    regions = None if request.region_map is None else request.region_map[rows, columns]
    return replace(
        request,
        label_map=request.label_map[rows, columns],
        instance_map=instances,
        region_map=regions,
    )
