# SPDX-License-Identifier: Apache-2.0
"""The one function through which pictures are made, whoever asks: worker, command line, evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checkpoint.file import Checkpoint, file_digest, load_checkpoint
from ..checkpoint.sources import model_file, model_name
from ..checkpoint.terms import terms_of
from ..contract.errors import BadCheckpointError, BadShapeError, TooLargeError
from ..contract.labels import LabelSet
from ..contract.limits import LARGEST_SIDE, MIN_SIDE
from ..contract.messages import EXACT, NOWHERE, PREVIEW, Wrap
from ..contract.placed_styles import one_style_only
from ..contract.progress import ProgressCallback
from ..model.config import ImageGeneratorConfig
from ..model.convolution.row_bands import RowBands
from ..model.spade import GeneratorConfig
from ..model.style_map import Style
from ..pixels import as_array, to_rgb
from ..runtime import chosen_device
from .batches import Canvas
from .compiled.generator import CompiledGenerator
from .compiled.keys import KeyMap
from .framing import Framing
from .graphs import Graphs, moved
from .painting_size import painting_size
from .places import PlacedCodes
from .precision import computed_in, preview_on
from .semantic_inputs import SemanticInputs, all_labels, together
from .style_maps import style_map
from .styled_model import StyledModel
from .tiles.pictures import PartedPictures
from .tiles.plan import Part
from .tiles.sheet import Sheet

MARGIN = 16
"""Pixels painted beyond every side and cut away: a network that sees zeros past its border paints a frame."""


LIGHTNESS = 3.0
"""How many times as much memory a plain block takes as a compiled one: of the embedded model, a picture's pixel takes
2250 bytes and 560 (a worker measures them when it loads a model)."""


class Synthesizer(StyledModel):
    """A loaded model."""

    def __init__(self, checkpoint: Checkpoint, name: str, digest: str, device: torch.device) -> None:
        """Raises BadCheckpointError where weights, networks and label set do not belong together."""
        config = checkpoint.generator
        channels = checkpoint.label_channels
        if channels.count != config.label_channels or not channels.serve(checkpoint.label_set):
            raise BadCheckpointError(
                f"The model '{name}' has {config.label_channels} label channels, "
                f"its label set asks for {channels.count}.",
                "Train or import it again with its own label set.",
            )
        super().__init__(checkpoint, name, device)
        self.digest = digest
        self.label_set: LabelSet = checkpoint.label_set
        self.native_size = checkpoint.native_size
        self.trained_size = checkpoint.trained_size
        self.looks_at_instances = config.instance_edges
        self.terms = terms_of(checkpoint.provenance).text
        """Whose weights these are, on what they were trained, and on what terms, in words."""
        self._generator = checkpoint.build_generator().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._bands = RowBands(self._generator) if device.type == "cpu" else None
        self._compiled = CompiledGenerator.inside(self._generator, device)
        self._network = Graphs(self._generator) if device.type == "cuda" else self._generator
        self._semantic = SemanticInputs(self._channels, config, device, self._compiled)
        self.one_style = self._generator.one_style
        """Why it paints all of a picture in one style, as the end of a sentence; "" where it can in several."""
        self.parted = PartedPictures(self._generator, device)
        """What paints large pictures, and those whose ends meet."""
        if self._compiled is not None:
            self.parted.run_block, self.parted.lightness = self._compiled.run_block, LIGHTNESS
        self.between_parts: Callable[[], None] | None = None
        """Called after each part of a large picture: it may paint others meanwhile, with this synthesizer."""
        self.preview = preview_on(device)
        """The numbers that previews are computed in; empty where they are the exact pictures."""
        self._margin = MARGIN if _paints_a_frame(config) else 0

    @classmethod
    def load(cls, model: str | Path = "landscape", device: str = "auto") -> Synthesizer:
        """An embedded model by name, a checkpoint file, a training's folder, or org/name in the Hugging Face cache.

        Raises UnknownModelError, BadCheckpointError, UnavailableError.
        """
        path = model_file(model)
        checkpoint = load_checkpoint(path)
        made = cls(checkpoint, model_name(path), file_digest(path), chosen_device(device))
        made.terms = terms_of(checkpoint.provenance, path).text
        return made

    def render(
        self,
        label_map: np.ndarray,
        style: np.ndarray | PlacedCodes | None = None,
        seed: int = 0,
        progress: ProgressCallback | None = None,
        instance_map: np.ndarray | None = None,
        size: tuple[int, int] | None = None,
        wrap: Wrap = NOWHERE,
        precision: str = EXACT,
    ) -> np.ndarray:
        """Paint a picture.

        label_map: (H, W) ids of label_set, sides of 32 to 8192 pixels. style: (style_size,) float32, or None to draw
        it from the seed; or several of them, each with its places. The seed also draws the noise. progress is told the
        stage and a fraction of 0 to 1, and may raise to stop. instance_map: (H, W) whole numbers, one an object, for a
        model that looks at the borders between objects; where None is given, the borders between labels stand in for
        them. size: (height, width) to paint at in place of the label map's: smaller, for an upscaler, with labels
        sampled as the model sees them. wrap: whether rows go on from the bottom to the top, and columns from right to
        left, as those of seamless tiles and panoramas. precision: "exact", or "preview" for `preview`'s numbers in
        place of float32.
        Returns (H, W, 3) uint8, or of that size. Raises BadLabelError, BadShapeError, TooLargeError, and
        BadOptionError where the model cannot wrap, or paints all of a picture in one style.
        """
        canvas = Canvas(label_map, style, seed, instance_map, wrap, precision)
        return self._alone(canvas, progress, size, as_bytes=True)

    def render_batch(
        self,
        canvases: Sequence[Canvas],
        progress: ProgressCallback | None = None,
        size: tuple[int, int] | None = None,
    ) -> list[np.ndarray]:
        """As render, several at once, all of one size and precision; the bytes may differ a little from those of each
        alone."""
        if any(canvas.is_alone or self._planned(canvas, size)[1] for canvas in canvases):
            return [self._alone(canvas, progress, size, as_bytes=True) for canvas in canvases]
        return self._bytes(self._painted(canvases, progress, size))

    def render_float(
        self,
        label_map: np.ndarray,
        style: np.ndarray | PlacedCodes | None = None,
        seed: int = 0,
        instance_map: np.ndarray | None = None,
        wrap: Wrap = NOWHERE,
    ) -> np.ndarray:
        """As render, but what the network gives before it is cut to bytes: (H, W, 3) float32 in [-1, 1]."""
        return self._alone(Canvas(label_map, style, seed, instance_map, wrap), None, None, as_bytes=False)

    def _alone(
        self,
        canvas: Canvas,
        progress: ProgressCallback | None,
        size: tuple[int, int] | None,
        as_bytes: bool,
    ) -> np.ndarray:
        """(H, W, 3) uint8, or float32 in [-1, 1]."""
        frame, plan = self._planned(canvas, size)
        if plan is not None:
            sheet = Sheet(frame, size or canvas.label_map.shape, as_bytes)  # type: ignore[arg-type]
            self._paint_in_parts(canvas, frame, plan, sheet, progress or _say_nothing)
            return sheet.picture()
        image = self._painted([canvas], progress, size)
        if as_bytes:
            return self._bytes(image)[0]
        self._refuse_no_picture(torch.isfinite(image).all())
        return as_array(image[0])

    def _bytes(self, images: Tensor) -> list[np.ndarray]:
        """Each (H, W, 3) uint8. A graphics card is waited for only here."""
        finite = torch.isfinite(images).all()
        found = [to_rgb(image) for image in images]
        self._refuse_no_picture(finite)
        return found

    def _planned(self, canvas: Canvas, size: tuple[int, int] | None) -> tuple[Framing, Part | None]:
        """The plan is None where the generator paints it as it is."""
        height, width = size or self._checked(canvas.label_map).shape
        frame = Framing.of(self._generator, height, width, self._margin, canvas.wrap)
        return frame, self.parted.plan(frame, canvas.wrap, not isinstance(canvas.style, PlacedCodes))

    def _paint_in_parts(
        self, canvas: Canvas, frame: Framing, plan: Part, sheet: Sheet, progress: ProgressCallback
    ) -> None:
        ids = self._checked(canvas.label_map)
        objects = self._semantic.checked_objects(ids, canvas.instance_map)
        style = self._style(canvas, ids, frame)
        random = torch.Generator().manual_seed(canvas.seed % 2**63)
        noise = self._generator.draw_noise(1, *frame.framed_size, random)
        done = 0.0

        def report(share: float = 0.0) -> None:
            nonlocal done
            done = min(done + share, 1.0)
            progress("painting", done)

        self._ask_between_bands(report)
        with torch.inference_mode(), self._computed_as(canvas.precision):
            labels = self._semantic.in_parts(ids, objects, frame, report)
            for region, image in self.parted.paint(plan, labels, style, noise, canvas.wrap, report):
                self._refuse_no_picture(torch.isfinite(image).all())
                sheet.put(region, image.float())
                if self.between_parts is not None:
                    self.between_parts()
                    self._ask_between_bands(report)  # which another picture has had in between
        progress("painting", 1.0)

    def _painted(
        self, canvases: Sequence[Canvas], progress: ProgressCallback | None, size: tuple[int, int] | None
    ) -> Tensor:
        """(B, 3, H, W) float32 in [-1, 1], on the device."""
        checked = [self._checked(canvas.label_map) for canvas in canvases]
        height, width = size or checked[0].shape
        frame = Framing.of(self._generator, height, width, self._margin)
        blocks, done = self._generator.block_count, 0

        def report() -> None:
            if progress is not None:
                progress("painting", done / (blocks + 1))

        def after_block(index: int) -> None:
            nonlocal done
            done = index + 1
            report()

        self._ask_between_bands(report)
        with torch.inference_mode(), self._computed_as(canvases[0].precision):
            inputs = [self._inputs(canvas, ids, frame) for canvas, ids in zip(canvases, checked, strict=True)]
            style = _one_style([style for _, style, _ in inputs if style is not None])
            noise = [together(planes) for planes in zip(*(each[2] for each in inputs), strict=True)]
            labels: Any = all_labels([each[0] for each in inputs])
            image = frame.unframed(self._network(labels, style, noise, after_block).float())
        if progress is not None:
            progress("painting", 1.0)
        return image

    def _computed_as(self, precision: str) -> AbstractContextManager[None]:
        numbers = self.preview if precision == PREVIEW else ""
        if self._compiled is not None:
            return self._compiled.multiplying(numbers)
        return computed_in(self.device, numbers)

    def _ask_between_bands(self, report: Callable[[], None]) -> None:
        """Whether anybody still waits."""
        for each in (self._bands, self._compiled):
            if each is not None:
                each.after_band = report

    def _refuse_no_picture(self, finite: Tensor) -> None:
        if not finite:
            raise BadCheckpointError(
                f"The model '{self.name}' gives no picture: its weights, or the style, lead beyond all numbers.",
                "Copy or train the model again, or choose another style.",
            )

    def _inputs(
        self, canvas: Canvas, ids: np.ndarray, frame: Framing
    ) -> tuple[Tensor | KeyMap, Style | None, list[Tensor]]:
        """Labels, style and noise planes of one picture."""
        objects = self._semantic.checked_objects(ids, canvas.instance_map)
        labels = self._semantic.seen(self._channels.indices(ids), objects, frame)
        random = torch.Generator().manual_seed(canvas.seed % 2**63)
        noise = self._generator.draw_noise(1, *labels.shape[2:], random)
        placed = [moved(plane, self.device) for plane in noise]
        return labels, self._style(canvas, ids, frame), placed

    def painting_size(self, wanted: tuple[int, int], detail: float = 1.0) -> tuple[int, int]:
        """(height, width) to paint at, for an upscaler that brings it to the size wanted; small ones stay. detail: as
        in PictureRequest."""
        if self._generator.fixed_size is not None:
            small = self._generator.fixed_size
            return small if wanted[0] * wanted[1] > small[0] * small[1] else wanted
        if self.trained_size is None:
            return wanted
        return painting_size(wanted, self.trained_size, detail)

    def _checked(self, label_map: np.ndarray) -> np.ndarray:
        ids = self.label_set.check(label_map)
        if min(ids.shape) < MIN_SIDE:
            raise BadShapeError(
                f"The label map is {ids.shape[1]} x {ids.shape[0]} pixels, the smallest side is {MIN_SIDE}.",
                "Make it larger.",
            )
        if max(ids.shape) > LARGEST_SIDE:
            raise TooLargeError(
                f"The label map is {ids.shape[1]} x {ids.shape[0]} pixels, the largest side is {LARGEST_SIDE}.",
                "Make it smaller and scale the picture up.",
            )
        return ids

    def _style(self, canvas: Canvas, ids: np.ndarray, frame: Framing) -> Style | None:
        """What the network is given: a code, (1, style_size), or a map of several; None for one without styles."""
        style = canvas.style
        if isinstance(style, PlacedCodes):
            if self.one_style:
                raise one_style_only(self.name, self.one_style)
            for code in style.codes:
                self._check_code(code)
            if style.numbers.shape != ids.shape or style.numbers.max(initial=0) >= len(style.codes):
                raise BadShapeError("The places of the styles do not belong to this label map.")
            return style_map(style, frame, self.device)
        if self.style_size == 0:
            return None
        code = self.style_from_seed(canvas.seed, ids) if style is None else np.asarray(style, np.float32)
        self._check_code(code)
        return self._semantic.placed(code)


def _one_style(parts: Sequence[Style]) -> Style | None:
    """Of a batch; a map is of a single picture."""
    if len(parts) == 1:
        return parts[0]
    codes = [each for each in parts if isinstance(each, Tensor)]
    return together(codes) if codes else None


def _say_nothing(stage: str, done: float) -> None:
    """To nobody."""


def _paints_a_frame(config: ImageGeneratorConfig) -> bool:
    """Whether the border of a picture differs from the rest. (The published networks stay as published.)"""
    if not isinstance(config, GeneratorConfig) or config.start != "labels+style":
        return False
    return not config.replicate_padding
