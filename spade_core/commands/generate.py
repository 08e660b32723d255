# SPDX-License-Identifier: Apache-2.0
"""`spade generate`: a label map in, a picture out; in this process, or by a running server."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from ..contract.labels import LabelSet
    from ..synthesis.synthesizer import Synthesizer

Report = Callable[[str, float], None]  # (stage, fraction 0..1)


@dataclass(frozen=True)
class Generate:
    """Paint a picture from a label map."""

    labels: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="LABELS.png")]
    """the label map: a one-channel or palette PNG of class ids, or one in exactly the label set's colours"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT.png")]
    """where the picture goes (.png, .jpg, .webp or .tif)"""
    model: Annotated[str, tyro.conf.arg(metavar="NAME_OR_FILE")] = "landscape"
    """an embedded model by name, or a checkpoint file"""
    seed: int = 0
    """another seed, another picture"""
    style: Annotated[Path | None, tyro.conf.arg(metavar="IMAGE")] = None
    """a picture whose colours and light to follow, or a style code saved as .npy"""
    style_mix: Annotated[Path | None, tyro.conf.arg(metavar="IMAGE")] = None
    """a second one, to mix with it"""
    mix: Annotated[float | None, tyro.conf.arg(metavar="0..1")] = None
    """from the first style (0) to the second (1), 0.5 if not given; with one, from the seed's own to it"""
    strength: Annotated[float, tyro.conf.arg(metavar="0..2")] = 1.0
    """0 for the average look, 1 for the style as it is, above 1 for more of it"""
    instances: Annotated[Path | None, tyro.conf.arg(metavar="IMAGE")] = None
    """which pixels belong to one object, for models that look at it; otherwise the labels' borders count"""
    label_set: Annotated[str | None, tyro.conf.arg(metavar="NAME_OR_FILE")] = None
    """the label set the map was made with, if it may not be the model's own: then a mismatch is refused"""
    server: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """a running spade-server (tcp://host:port, or its connection file) instead of this process"""

    def run(self) -> int:
        from ..image_files import open_picture, picture_to_write, read_instances

        self._check_options()
        with picture_to_write(self.output, source=self.labels) as result:
            labels = open_picture(self.labels)  # what is wrong with the input is said before torch is loaded
            stated = self._stated_label_set()
            instances = None if self.instances is None else read_instances(self.instances)
            inputs = Inputs(labels, stated, instances, [read_style(path) for path in self._style_files()])
            paint = self._by_server if self.server else self._in_process
            with _progress() as report:
                rgb, notes = paint(inputs, report)
            result.save(rgb, {"Software": "Spade Backdrops", "spade:seed": str(self.seed), **notes})
        height, width = rgb.shape[:2]
        print(f"{self.output}: {width} x {height}, model {notes['spade:model']}, seed {self.seed}")
        return 0

    def _check_options(self) -> None:
        from ..contract.errors import BadOption

        if self.style is None and (self.style_mix is not None or self.mix is not None):
            raise BadOption("There is no style to mix with.", "Name the first picture with --style.")
        if self.mix is not None and not 0 <= self.mix <= 1:
            raise BadOption(f"--mix is {self.mix:g}.", "Give a number from 0 to 1.")
        if not 0 <= self.strength <= 2:
            raise BadOption(f"--strength is {self.strength:g}.", "Give a number from 0 to 2.")
        if self.server and (self.style_mix is not None or self.instances is not None):
            raise BadOption(
                "A server takes one style picture, and no instance map.",
                "Leave --server out, or --style-mix and --instances.",
            )

    def _style_files(self) -> list[Path]:
        return [path for path in (self.style, self.style_mix) if path is not None]

    def _in_process(self, inputs: Inputs, report: Report) -> tuple[np.ndarray, dict[str, str]]:
        report("loading the model", 0.0)
        from ..contract.errors import BadOption
        from ..image_files import ids_in
        from ..synthesis.synthesizer import Synthesizer

        synthesizer = Synthesizer.load(self.model)
        if inputs.instances is not None and not synthesizer.looks_at_instances:
            raise BadOption(f"The model '{self.model}' does not look at instances.", "Leave --instances out.")
        rgb = synthesizer.render(
            ids_in(inputs.labels, agreed(inputs.stated, synthesizer.label_set, self.model)),
            style=self._style_code(synthesizer, inputs.styles),
            seed=self.seed,
            progress=report,
            instance_map=inputs.instances,
        )
        return rgb, {"spade:model": synthesizer.name, "spade:model-digest": synthesizer.digest}

    def _style_code(self, synthesizer: Synthesizer, styles: list[np.ndarray]) -> np.ndarray:
        from ..synthesis.style import at_strength, between

        codes = [style if style.ndim == 1 else synthesizer.encode_style(style) for style in styles]
        code = synthesizer.style_from_seed(self.seed)
        if len(codes) == 1:
            code = between(code, codes[0], 1.0 if self.mix is None else self.mix)
        elif len(codes) == 2:
            code = between(codes[0], codes[1], 0.5 if self.mix is None else self.mix)
        return at_strength(code, self.strength)

    def _by_server(self, inputs: Inputs, report: Report) -> tuple[np.ndarray, dict[str, str]]:
        from ..contract.errors import BadOption
        from ..contract.messages import Progress, Style
        from ..image_files import ids_in
        from .remote import connect, served_model

        def tell(event: object) -> None:
            if isinstance(event, Progress):
                report(event.stage, event.fraction)

        if any(style.ndim == 1 for style in inputs.styles):
            raise BadOption("A server takes no style code.", "Give it a picture, or leave --server out.")
        address = str(self.server)
        report("connecting", 0.0)
        with connect(address) as client:
            model = served_model(client, self.model, address)
            label_set = agreed(inputs.stated, client.label_set(model.label_set_digest), self.model)
            rgb = client.generate(
                ids_in(inputs.labels, label_set),
                label_set,
                model=model.name,
                seed=self.seed,
                style=Style(strength=self.strength, mix=1.0 if self.mix is None else self.mix),
                style_image=inputs.styles[0] if inputs.styles else None,
                on_event=tell,
            )
        return rgb, {"spade:model": model.name, "spade:model-digest": model.digest}

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
    styles: list[np.ndarray]
    """Pictures, (h, w, 3) uint8, and style codes, (Z,) float32."""


def read_style(path: Path) -> np.ndarray:
    """A picture, (h, w, 3) uint8, or a style code, (Z,) float32. Raises BadImage and TooLarge."""
    import numpy as np

    from ..contract.errors import BadImage
    from ..image_files import read_rgb

    if path.suffix.lower() != ".npy":
        return read_rgb(path)
    try:
        code = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        raise BadImage(f"{path} is no array of numbers.", "Save a style code with numpy.save.") from None
    if code.ndim != 1 or code.dtype.kind != "f":
        raise BadImage(
            f"{path} holds {code.dtype} of the shape {code.shape}.", "A style code is one row of floats."
        )
    return code.astype(np.float32)


def agreed(stated: LabelSet | None, models_own: LabelSet, model: str) -> LabelSet:
    """The model's label set. Raises LabelSetMismatch where the user says the map was made with another."""
    from ..contract.errors import LabelSetMismatch

    if stated is not None and stated.digest != models_own.digest:
        raise LabelSetMismatch(
            f"The model '{model}' was trained on the label set '{models_own.name}' "
            f"({len(models_own.classes)} classes), not on '{stated.name}' ({len(stated.classes)}).",
            f"Make the label map with '{models_own.name}', or name a model trained on '{stated.name}'.",
        )
    return models_own


@contextlib.contextmanager
def _progress() -> Iterator[Report]:
    """A progress bar on the terminal, and silence where there is none."""
    if not sys.stderr.isatty():
        yield lambda stage, fraction: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda stage, fraction: bar.update(task, description=stage, completed=fraction)
