# SPDX-License-Identifier: Apache-2.0
"""`spade labels`: look at label sets, and check and colour label maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

SetName = Annotated[str, tyro.conf.arg(metavar="NAME_OR_FILE")]
MapFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="LABELS.png")]


@dataclass(frozen=True)
class List:
    """Name the label sets that come with the program."""

    def run(self) -> int:
        from ..contract.labels import load_label_set, shipped_label_sets

        for name in shipped_label_sets():
            found = load_label_set(name)
            print(f"{name:<12}{len(found.classes):>4} classes   digest {found.digest[:12]}")
        return 0


@dataclass(frozen=True)
class Show:
    """Print the classes of a label set: ids, names, colours, and the words that name them."""

    label_set: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME_OR_FILE")] = "landscape"
    """a shipped label set, or a .toml file"""

    def run(self) -> int:
        from rich.table import Table
        from rich.text import Text

        from ..contract.labels import load_label_set
        from ..terminal import Terminal

        found = load_label_set(self.label_set)
        table = Table(box=None, pad_edge=False)
        for heading in ("id", "", "name", "colour", "also called"):
            justify = "right" if heading == "id" else "left"
            table.add_column(heading, justify=justify, no_wrap=heading == "name")
        for entry in found.classes:
            swatch = Text("  ", style=f"on {entry.color}")
            table.add_row(str(entry.id), swatch, entry.name, entry.color, Text(", ".join(entry.aliases)))
        console = Terminal()
        console.print(table)
        console.print(
            f"{found.name}, version {found.version}: {len(found.classes)} classes, "
            f"{found.ignore_id} means 'any'\ndigest {found.digest}",
            soft_wrap=True,
        )
        return 0


@dataclass(frozen=True)
class Check:
    """Say what a label map holds, or why it is none."""

    labels: MapFile
    """the label map"""
    label_set: SetName = "landscape"
    """the label set it should be made with"""

    def run(self) -> int:
        import numpy as np

        from ..contract.labels import load_label_set
        from ..image_files import read_label_map

        label_set = load_label_set(self.label_set)
        label_map = read_label_map(self.labels, label_set)
        height, width = label_map.shape
        print(f"{self.labels}: {width} x {height}, {label_map.dtype}, a label map of '{label_set.name}'")
        names = {label_set.ignore_id: "(any)"} | {entry.id: entry.name for entry in label_set.classes}
        ids, counts = np.unique(label_map, return_counts=True)
        for index in np.argsort(-counts):
            share = 100 * counts[index] / label_map.size
            print(f"{ids[index]:>6}  {names[int(ids[index])]:<20}{share:>6.1f} %")
        return 0


@dataclass(frozen=True)
class Colorize:
    """Paint a label map in the colours of its label set, for people."""

    labels: MapFile
    """the label map"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT.png")]
    """where the coloured picture goes"""
    label_set: SetName = "landscape"
    """the label set it was made with"""

    def run(self) -> int:
        from ..contract.labels import load_label_set
        from ..image_files import picture_to_write, read_label_map

        label_set = load_label_set(self.label_set)
        with picture_to_write(self.output, source=self.labels) as picture:
            picture.save(label_set.colorize(read_label_map(self.labels, label_set)))
        print(self.output)
        return 0


@dataclass(frozen=True)
class Labels:
    """Look at label sets, and check and colour label maps."""

    action: (
        Annotated[List, tyro.conf.subcommand("list")]
        | Annotated[Show, tyro.conf.subcommand("show")]
        | Annotated[Check, tyro.conf.subcommand("check")]
        | Annotated[Colorize, tyro.conf.subcommand("colorize")]
    )

    def run(self) -> int:
        return self.action.run()
