# SPDX-License-Identifier: Apache-2.0
"""`spade generate`: a label map in, a picture out; in this process, or by a running server."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import tyro

LARGEST_CODE = 1000.0
"""Beyond what any style code holds: those of photos stay within tens."""

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from ..contract.labels import LabelSet
    from ..contract.placed_styles import PlacedStyle
    from ..contract.progress import ProgressCallback
    from ..contract.request import Picture, PictureRequest, PlainStyle, Style


@dataclass(frozen=True)
class Generate:
    """Paint a picture from a label map."""

    FIRST: ClassVar = (
        "output", "model", "seed", "style", "mix", "strength", "upscale", "detail", "natural_edges",
        "server",
    )  # fmt: skip

    labels: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="LABELS.png")]
    """the label map: a one-channel or palette PNG of class ids, or one in exactly the label set's colours"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT.png")]
    """where the picture goes (.png, .jpg, .webp or .tif)"""
    model: Annotated[str, tyro.conf.arg(metavar="NAME_OR_FILE")] = "landscape"
    """an embedded model by name, a checkpoint file, a training's folder, or ORG/NAME in the Hugging Face cache"""
    seed: int = 0
    """another seed, another picture"""
    style: Annotated[str | None, tyro.conf.arg(metavar="NAME_OR_IMAGE")] = None
    """one of the model's styles by name, a picture whose colours and light to follow, or a style code saved as .npy"""
    style_mix: Annotated[str | None, tyro.conf.arg(metavar="NAME_OR_IMAGE")] = None
    """a second one, to mix with it"""
    mix: Annotated[float | None, tyro.conf.arg(metavar="0..1")] = None
    """from the first style (0) to the second (1), 0.5 if not given; with one, from the seed's own to it"""
    strength: Annotated[float, tyro.conf.arg(metavar="0..2")] = 1.0
    """0 for the average look, 1 for the style as it is, above 1 for more of it"""
    style_for: Annotated[tuple[str, ...], tyro.conf.arg(metavar="CLASS=NAME_OR_IMAGE")] = ()
    """one class or several in a style of their own, as sky=sunset grass=noon.jpg; the rest is in that of --style"""
    style_right: Annotated[str | None, tyro.conf.arg(metavar="NAME_OR_IMAGE")] = None
    """the style that the picture goes over into from left to right, and in a panorama in its middle"""
    style_regions: Annotated[Path | None, tyro.conf.arg(metavar="IMAGE")] = None
    """a one-channel image with a number for each region, for --style-for 1=sunset 2=mist"""
    softness: Annotated[float, tyro.conf.arg(metavar="0..0.5")] = 0.02
    """over how much of the picture's height one style goes over into another"""
    instances: Annotated[Path | None, tyro.conf.arg(metavar="IMAGE")] = None
    """which pixels belong to one object, for models that look at it; otherwise the labels' borders count"""
    label_set: Annotated[str | None, tyro.conf.arg(metavar="NAME_OR_FILE")] = None
    """the label set the map was made with, if it may not be the model's own: then a mismatch is refused"""
    upscale: Annotated[str, tyro.conf.arg(metavar="auto|off|NAME")] = "auto"
    """auto paints larger pictures at the size that the model knows and enlarges them; off paints them at full size"""
    detail: Annotated[float, tyro.conf.arg(metavar="1..4")] = 1.0
    """how many times as wide and high as the model was trained at it is painted before it is enlarged: more has finer
    things, and large shapes that hold together less"""
    natural_edges: Annotated[float, tyro.conf.arg(metavar="0..1")] = 0.0
    """moves the straight borders of grey boxes as nature would draw them; water and buildings stay exact"""
    wrap: Literal["off", "horizontal", "both"] = "off"
    """horizontal joins the left edge to the right one, for panoramas; both also top to bottom, for seamless tiles"""
    preview: bool = False
    """sooner and less exact, where the device has faster numbers (bfloat16); elsewhere the same picture"""
    server: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """a running spade-server (tcp://host:port, or its connection file) instead of this process"""

    def run(self) -> int:
        from ..contract.limits import LARGEST_SIDE
        from ..image_files import open_picture, picture_to_write, read_instances

        self._check_options()
        with picture_to_write(self.output, source=self.labels) as result:
            # What is wrong with the input is said before torch is loaded.
            labels = open_picture(self.labels, LARGEST_SIDE)
            stated = self._stated_label_set()
            instances = None if self.instances is None else read_instances(self.instances)
            styles = [read_style(style) for style in (self.style, self.style_mix) if style is not None]
            regions = None if self.style_regions is None else read_instances(self.style_regions)
            inputs = Inputs(labels, stated, instances, styles, regions, self._styles_for())
            with _progress() as progress:
                paint = self._in_process if self.server is None else self._by_server
                picture = paint(inputs, progress)
            result.save(picture.rgb, self._facts(picture))
        height, width = picture.rgb.shape[:2]
        print(f"{self.output}: {width} x {height}, model {picture.model}, seed {self.seed}")
        return 0

    def _check_options(self) -> None:
        from ..contract.errors import BadOptionError
        from ..contract.request import MAX_SEED, MOST_DETAIL

        if self.style is None and (self.style_mix is not None or self.mix is not None):
            raise BadOptionError("There is no style to mix with.", "Name the first picture with --style.")
        if self.mix is not None and not 0 <= self.mix <= 1:
            raise BadOptionError(f"--mix is {self.mix:g}.", "Give a number from 0 to 1.")
        if not 0 <= self.strength <= 2:
            raise BadOptionError(f"--strength is {self.strength:g}.", "Give a number from 0 to 2.")
        if not 0 <= self.seed < MAX_SEED:  # beyond, torch repeats seeds and a server takes none
            raise BadOptionError(f"--seed is {self.seed}.", f"Give a whole number from 0 to {MAX_SEED - 1}.")
        if not 0 <= self.softness <= 0.5:
            raise BadOptionError(f"--softness is {self.softness:g}.", "Give a number from 0 to 0.5.")
        if not 1 <= self.detail <= MOST_DETAIL:
            raise BadOptionError(f"--detail is {self.detail:g}.", f"Give a number from 1 to {MOST_DETAIL}.")
        if not 0 <= self.natural_edges <= 1:
            raise BadOptionError(f"--natural-edges is {self.natural_edges:g}.", "Give a number from 0 to 1.")

    def _in_process(self, inputs: Inputs, progress: ProgressCallback) -> Picture:
        progress("loading the model", 0.0)
        from ..contract.errors import OutOfMemoryError
        from ..runtime import is_out_of_memory
        from ..synthesis.paint import paint
        from ..synthesis.synthesizer import Synthesizer

        synthesizer = Synthesizer.load(self.model)
        try:
            return paint(synthesizer, self._request(inputs, synthesizer.label_set, self.model), progress)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            less = "Leave --upscale at auto" if self.upscale == "off" else "Use a smaller label map"
            raise OutOfMemoryError(
                "There is too little memory to paint a picture of this size.",
                f"{less}, or close other programs.",
            ) from None

    def _by_server(self, inputs: Inputs, progress: ProgressCallback) -> Picture:
        from ..contract.client import Client
        from .remote import served_model

        progress("connecting", 0.0)
        with Client.at(str(self.server), software="spade command") as client:
            model = served_model(client, self.model)
            label_set = client.fetch_label_set(model.label_set_digest)
            return client.generate(self._request(inputs, label_set, model.name), progress=progress)

    def _request(self, inputs: Inputs, label_set: LabelSet, model: str) -> PictureRequest:
        """Raises LabelSetMismatchError, and what is wrong with the label map."""
        from ..contract.request import PictureRequest
        from ..image_files import ids_in, is_grey_as_rgb

        if is_grey_as_rgb(inputs.labels, label_set):
            print("The label map is grey in three equal channels: taken as ids.", file=sys.stderr)
        return PictureRequest(
            ids_in(inputs.labels, agreed(inputs.stated, label_set, self.model)),
            label_set,
            model,
            self.seed,
            self._style(inputs.styles),
            self.strength,
            instance_map=inputs.instances,
            upscale=self.upscale,
            natural_edges=self.natural_edges,
            wrap=(self.wrap == "both", self.wrap != "off"),
            precision="preview" if self.preview else "exact",
            placed_styles=self._placed(inputs, label_set),
            region_map=inputs.regions,
            softness=self.softness,
            detail=self.detail,
        )

    def _styles_for(self) -> list[tuple[list[str], PlainStyle]]:
        """Each style, read once, with what it is for. Raises BadOptionError."""
        from ..contract.errors import BadOptionError

        places: dict[str, list[str]] = {}
        for word in self.style_for:
            place, _, style = word.partition("=")
            if not place or not style:
                raise BadOptionError(
                    f"--style-for {word} names no class and style.", "Write it as --style-for sky=sunset."
                )
            places.setdefault(style, []).append(place)
        return [(each, read_style(style)) for style, each in places.items()]

    def _placed(self, inputs: Inputs, label_set: LabelSet) -> tuple[PlacedStyle, ...]:
        """Raises BadOptionError for what is no class, or a region without an image of them."""
        from ..contract.errors import BadOptionError
        from ..contract.placed_styles import PlacedStyle

        placed = []
        for places, style in inputs.styles_for:
            regions = [int(place) for place in places if place.isdecimal()]
            if regions and inputs.regions is None:
                raise BadOptionError(
                    f"--style-for {regions[0]} is for a region, and there is no image of regions.",
                    "Name it with --style-regions, or write a class.",
                )
            classes = [_class_id(place, label_set) for place in places if not place.isdecimal()]
            if classes:
                placed.append(PlacedStyle(style, tuple(classes)))
            placed += [PlacedStyle(style, region=region) for region in regions]
        if self.style_right is not None:
            placed.append(PlacedStyle(read_style(self.style_right), peak=0.5 if self.wrap != "off" else 1.0))
        return tuple(placed)

    def _facts(self, picture: Picture) -> dict[str, str]:
        """What the file says of itself; what is not known is left out."""
        facts = {
            "Software": "Spade Backdrops",
            "spade:seed": str(self.seed),
            "spade:model": picture.model,
            "spade:model-digest": picture.model_digest,
            "spade:model-terms": picture.terms,
            "spade:upscaler": picture.upscaler,
            "spade:upscaler-terms": picture.upscaler_terms,
        }
        return {name: fact for name, fact in facts.items() if fact}

    def _style(self, styles: list[PlainStyle]) -> Style | None:
        """Two are mixed with each other; one, where a mix is asked for, with the seed's own."""
        from ..contract.request import MixedStyle, SeedStyle

        if len(styles) == 2:
            return MixedStyle(styles[0], styles[1], 0.5 if self.mix is None else self.mix)
        if styles and self.mix is not None:
            return MixedStyle(SeedStyle(self.seed), styles[0], self.mix)
        return styles[0] if styles else None

    def _stated_label_set(self) -> LabelSet | None:
        from ..contract.labels import load_label_set

        return None if self.label_set is None else load_label_set(self.label_set)


@dataclass(frozen=True)
class Inputs:
    """What was read from the files."""

    labels: Image
    stated: LabelSet | None
    """The label set that the user says the map was made with."""
    instances: np.ndarray | None
    styles: list[PlainStyle]
    regions: np.ndarray | None
    styles_for: list[tuple[list[str], PlainStyle]]


def read_style(style: str) -> PlainStyle:
    """A name, a picture, or a style code in a .npy file. Raises BadImageError and TooLargeError."""
    import numpy as np

    from ..contract.errors import BadImageError
    from ..contract.request import CodeStyle, ImageStyle, NamedStyle
    from ..image_files import read_photo

    path = Path(style)
    if not path.suffix and len(path.parts) == 1 and not path.exists():
        return NamedStyle(style)
    if path.suffix.lower() != ".npy":
        return ImageStyle(read_photo(path))
    try:
        code = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        raise BadImageError(f"{path} is no array of numbers.", "Save a style code with numpy.save.") from None
    if code.ndim != 1 or code.dtype.kind != "f":
        raise BadImageError(
            f"{path} holds {code.dtype} of the shape {code.shape}.", "A style code is one row of floats."
        )
    if not np.isfinite(code).all() or np.abs(code).max(initial=0) > LARGEST_CODE:
        raise BadImageError(
            f"{path} holds numbers that no style has.",
            "Save a style code that a model has read from a photo.",
        )
    return CodeStyle(code.astype(np.float32))


def _class_id(name: str, label_set: LabelSet) -> int:
    """Raises BadOptionError."""
    from ..contract.errors import BadOptionError

    found = label_set.match(name)
    if found is None:
        raise BadOptionError(
            f"The label set '{label_set.name}' has no class '{name}'.",
            f"Use one of: {', '.join(entry.name for entry in label_set.classes)}.",
        )
    return found.id


def agreed(stated: LabelSet | None, models_own: LabelSet, model: str) -> LabelSet:
    """The model's label set. Raises LabelSetMismatchError where the user says the map was made with another."""
    from ..contract.errors import LabelSetMismatchError

    if stated is not None and stated.digest != models_own.digest:
        raise LabelSetMismatchError(
            f"The model '{model}' was trained on the label set '{models_own.name}' "
            f"({len(models_own.classes)} classes), not on '{stated.name}' ({len(stated.classes)}).",
            f"Make the label map with '{models_own.name}', or name a model trained on '{stated.name}'.",
        )
    return models_own


@contextlib.contextmanager
def _progress() -> Iterator[ProgressCallback]:
    """A progress bar on the terminal, and silence where there is none."""
    if not sys.stderr.isatty():
        yield lambda stage, done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda stage, done: bar.update(task, description=stage, completed=done)
