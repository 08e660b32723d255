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
    """a picture whose colours and light to follow"""
    label_set: Annotated[str | None, tyro.conf.arg(metavar="NAME_OR_FILE")] = None
    """the label set the map was made with, if it may not be the model's own: then a mismatch is refused"""
    server: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """a running spade-server (tcp://host:port, or its connection file) instead of this process"""

    def run(self) -> int:
        from ..image_files import open_picture, picture_to_write, read_rgb

        with picture_to_write(self.output, source=self.labels) as result:
            labels = open_picture(self.labels)  # what is wrong with the input is said before torch is loaded
            stated = self._stated_label_set()
            style = None if self.style is None else read_rgb(self.style)
            paint = self._by_server if self.server else self._in_process
            with _progress() as report:
                rgb, notes = paint(labels, stated, style, report)
            result.save(rgb, {"Software": "Spade Backdrops", "spade:seed": str(self.seed), **notes})
        height, width = rgb.shape[:2]
        print(f"{self.output}: {width} x {height}, model {notes['spade:model']}, seed {self.seed}")
        return 0

    def _in_process(
        self, labels: Image, stated: LabelSet | None, style: np.ndarray | None, report: Report
    ) -> tuple[np.ndarray, dict[str, str]]:
        report("loading the model", 0.0)
        from ..image_files import ids_in
        from ..synthesis.synthesizer import Synthesizer

        synthesizer = Synthesizer.load(self.model)
        label_map = ids_in(labels, agreed(stated, synthesizer.label_set, self.model))
        code = None if style is None else synthesizer.encode_style(style)
        rgb = synthesizer.render(label_map, style=code, seed=self.seed, progress=report)
        return rgb, {"spade:model": synthesizer.name, "spade:model-digest": synthesizer.digest}

    def _by_server(
        self, labels: Image, stated: LabelSet | None, style: np.ndarray | None, report: Report
    ) -> tuple[np.ndarray, dict[str, str]]:
        from ..contract.messages import Progress
        from ..image_files import ids_in
        from .remote import connect, served_model

        def tell(event: object) -> None:
            if isinstance(event, Progress):
                report(event.stage, event.fraction)

        address = str(self.server)
        report("connecting", 0.0)
        with connect(address) as client:
            model = served_model(client, self.model, address)
            label_set = agreed(stated, client.label_set(model.label_set_digest), self.model)
            rgb = client.generate(
                ids_in(labels, label_set),
                label_set,
                model=model.name,
                seed=self.seed,
                style_image=style,
                on_event=tell,
            )
        return rgb, {"spade:model": model.name, "spade:model-digest": model.digest}

    def _stated_label_set(self) -> LabelSet | None:
        from ..contract.labels import load_label_set

        return None if self.label_set is None else load_label_set(self.label_set)


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
