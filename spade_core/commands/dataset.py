# SPDX-License-Identifier: Apache-2.0
"""`spade dataset`: look at training data before training, convert other programs' data, render pairs in Blender."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from .dataset_convert import Convert
from .dataset_instances import Instances
from .dataset_label import Label
from .dataset_render import Render

if TYPE_CHECKING:
    from ..contract.labels import LabelSet
    from ..data.checks.checks import DatasetReport

# The names of data.layouts, which a test compares: importing it here would make every command wait for it.
LayoutName = Literal[
    "auto",
    "folder",
    "split-folders",
    "flickr",
    "coco_stuff",
    "ade20k",
    "ade20k-outdoor",
    "ade20k-outdoor-scenes",
    "cityscapes",
]
SetName = Annotated[str | None, tyro.conf.arg(metavar="NAME_OR_FILE")]
Folder = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]


@dataclass(frozen=True)
class Check:
    """Read every pair and say what would go wrong in training; leaves with 1 where something would."""

    data: Folder
    """the data set"""
    layout: LayoutName = "auto"
    """how it lies on disk; ade20k-outdoor keeps images with sky, mountain or earth and without ceiling, bed or sink,
    ade20k-outdoor-scenes those whose scene category says outdoor"""
    label_set: SetName = None
    """what its ids mean; the data's own where it has one, else 'landscape'"""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="SHEET.jpg")] = None
    """a picture of pairs, the worst findings first"""
    batch: int = 8
    """pictures in a training step"""
    size: int = 256
    """side of the training pictures, in pixels"""
    strict: bool = False
    """leave with 1 for warnings too"""
    json: bool = False
    """print the findings as JSON"""

    def run(self) -> int:
        import numpy as np

        from ..data.checks.checks import check
        from ..data.checks.contact_sheet import sheet
        from ..data.layouts.layouts import indoors, label_set_of
        from ..image_files import picture_to_write
        from ..progress import progress_bar

        label_set = label_set_of(self.data, self.layout, self.label_set)
        claim = picture_to_write(self.output) if self.output else contextlib.nullcontext()
        with claim as picture:  # before the long work
            with progress_bar() as progress:
                report = check(self.data, self.layout, label_set, self.batch, self.size, progress)
            if self.json:
                print(json.dumps({"label_set": label_set.name, **report.to_json()}, indent=2))
            else:
                _show_report(report, label_set)
                if self.layout.startswith("ade20k-outdoor"):
                    print(f"Left out: {indoors(self.data, self.layout)}.")
            if picture is not None:
                picture.save(np.asarray(sheet(report, label_set, str(self.data))))
                print(self.output, file=sys.stderr if self.json else sys.stdout)
        return 1 if report.errors or (self.strict and report.findings) else 0


@dataclass(frozen=True)
class Dataset:
    """Look at training data before training, convert other programs' data, render pairs in Blender."""

    action: (
        Annotated[Check, tyro.conf.subcommand("check")]
        | Annotated[Convert, tyro.conf.subcommand("convert")]
        | Annotated[Label, tyro.conf.subcommand("label")]
        | Annotated[Render, tyro.conf.subcommand("render")]
        | Annotated[Instances, tyro.conf.subcommand("instances")]
    )

    def run(self) -> int:
        return self.action.run()


def _show_report(report: DatasetReport, label_set: LabelSet) -> None:
    from rich.table import Table
    from rich.text import Text

    from ..terminal import Terminal

    console = Terminal()
    pairs = ", ".join(f"{count} {split}" for split, count in report.pairs.items())
    sizes = [f"{size} ({count})" for size, count in report.sizes.items()]
    more = f" and {len(sizes) - 4} more" if len(sizes) > 4 else ""
    shown = ", ".join(sizes[:4])
    console.print(f"Pairs: {pairs}. Labels of '{label_set.name}'. Sizes: {shown}{more}.", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for heading in ("", "class", "pixels", "pictures"):
        table.add_column(heading, justify="right" if heading in ("pixels", "pictures") else "left")
    for share in report.classes:
        if share.pictures:
            swatch = Text("  ", style=f"on {share.color}")
            table.add_row(swatch, share.name, f"{100 * share.pixels:.2f} %", str(share.pictures))
    console.print(table)
    for finding in report.findings:
        style = "red" if finding.severity == "error" else "yellow"
        more = f" ({finding.count} in all)" if finding.count > 1 and len(finding.files) > 1 else ""
        # In one line, whatever the width: commands and paths in it are there to be copied.
        console.print(
            Text(f"{finding.severity}: ", style=style) + Text(finding.message + more), soft_wrap=True
        )
        console.print(Text(f"  fix: {finding.fix}", style="italic"), soft_wrap=True)
    for note in report.notes:
        console.print(f"note: {note}", soft_wrap=True)
    console.print("Nothing would go wrong." if not report.findings else _verdict(report))


def _verdict(report: DatasetReport) -> str:
    doubts = len(report.findings) - report.errors
    parts = [f"{report.errors} to mend"] if report.errors else ["Ready to train"]
    return f"{', '.join(parts + ([f'{doubts} to look at'] if doubts else []))}."
