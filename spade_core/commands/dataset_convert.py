# SPDX-License-Identifier: Apache-2.0
"""`spade dataset convert`: other programs' exports into data sets, colours into ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from ..contract.errors import SpadeError
    from ..contract.labels import LabelSet
    from ..data.conversion import Converted
    from ..data.exports.base import Export, Format
    from ..data.exports.meanings import Meanings
    from ..data.exports.writing import Imported
    from ..data.palette import Palette
    from ..terminal import Terminal

SHOWN = 12  # unknown colours, and refused pictures, listed


@dataclass(frozen=True)
class Convert:
    """Read what another program exported, as photos and label maps with a label set of its own; or turn coloured
    label images, or label maps with other ids, into label maps of a label set."""

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR_OR_FILE")]
    """the export, or the folder of the label images; folders inside are looked through"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """where the data set goes, or the label maps, under the same names"""
    label_set: Annotated[str | None, tyro.conf.arg(metavar="NAME_OR_FILE")] = None
    """the set whose ids are written; left out: an export's own classes, and 'landscape' for label images"""
    format: Annotated[str, tyro.conf.arg(metavar="NAME")] = "auto"
    """of an export, where two are possible; colors: label images, whatever they look like"""
    photos: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """where the export's photos are, if not in it"""
    palette: Annotated[str | None, tyro.conf.arg(metavar="NAME_OR_FILE")] = None
    """what the colours mean, if not what they mean in the label set: another set with the same class names, or a CSV
    table with the columns color,class or r,g,b,class; for other ids, id,class; for an export's classes, name,class. A
    class is a name, an id or 'ignore'"""
    tolerance: int = 0
    """how much each channel may differ from a colour of the palette (0 to 255); the nearest such colour counts"""
    unknown: Literal["refuse", "ignore", "nearby"] = "refuse"
    """pixels of any other colour: refuse the picture, give them the ignore id, or the id of the nearest known pixel;
    ignore also takes an export's classes that are not in the label set for none"""

    def run(self) -> int:
        from ..contract.errors import BadImageError, BadOptionError
        from ..data.exports.registry import format_named, how_to_convert, recognised, titles

        if not self.source.exists():
            raise BadImageError(f"There is no file or folder {self.source}.", "Check the path.")
        if self.format == "colors":
            return self._convert_colors()
        found = [format_named(self.format)] if self.format != "auto" else recognised(self.source)
        if len(found) > 1:
            raise BadOptionError(
                f"{self.source} may be {titles(found)}.", f"Say which: {how_to_convert(self.source, found)}."
            )
        return self._convert_export(found[0]) if found else self._convert_colors()

    def _convert_colors(self) -> int:
        from ..contract.labels import load_label_set
        from ..data.conversion import convert
        from ..data.palette import Palette
        from ..progress import progress_bar

        label_set = load_label_set(self.label_set or "landscape")
        palette = Palette.read(self.palette, label_set) if self.palette else Palette.of(label_set)
        with progress_bar() as progress:
            done = convert(self.source, self.output, palette, self.tolerance, self.unknown, progress)
        _show_conversion(done, palette, self.source)
        return 1 if done.refused else 0

    def _convert_export(self, form: Format) -> int:
        from ..contract.errors import BadOptionError
        from ..contract.labels import load_label_set
        from ..data.exports.meanings import in_set, own_set
        from ..data.exports.registry import read_export
        from ..data.exports.writing import recipe_of, write_dataset
        from ..progress import progress_bar

        if self.palette and not self.label_set:
            raise BadOptionError(
                "A palette says which class of a label set each class of the export is, and no set is named.",
                "Name it with --label-set.",
            )
        if self.tolerance or self.unknown == "nearby":
            raise BadOptionError(
                f"{self.source} is read as {form.title}; --tolerance and --unknown nearby are for label images.",
                "Leave them out, or use --format colors.",
            )
        label_set = load_label_set(self.label_set) if self.label_set else None
        export = read_export(form, self.source, self.photos)
        if label_set is None:
            meanings = own_set(self.output.resolve().name, export.classes)
        else:
            meanings = in_set(export.classes, label_set, self.palette, self.unknown == "ignore")
        recipe = recipe_of(self.source, form.name, self.palette, self.unknown)
        with progress_bar() as progress:
            done = write_dataset(export, meanings, self.output, recipe, progress)
        _show_import(done, form, export, meanings, label_set, self.output)
        return 1 if done.refused else 0


def _show_import(
    done: Imported, form: Format, export: Export, meanings: Meanings, named: LabelSet | None, output: Path
) -> None:
    from ..data.exports.writing import SHEET
    from ..terminal import Terminal

    console = Terminal()
    there = f", {done.skipped} were there already" if done.skipped else ""
    refused = f", {len(done.refused)} refused" if done.refused else ""
    splits = ", ".join(f"{count} {split}" for split, count in done.splits.items() if split)
    console.print(
        f"Read as {form.title}: {done.written} pairs{there}{refused}{f' ({splits})' if splits else ''}.",
        soft_wrap=True,
    )
    for name, problem in list(done.refused.items())[:SHOWN]:
        _show_refused(console, name, problem)
    if done.empty:
        console.print(f"note: Left out, for no class is shown anywhere: {done.empty}.")
    for note in export.notes:
        console.print(f"note: {note}", soft_wrap=True)
    _show_meanings(console, done, export, meanings, named)
    console.print(f"{output}: images/, labels/, label_set.toml. Look at {output / SHEET}.", soft_wrap=True)


def _show_refused(console: Terminal, name: str, problem: SpadeError) -> None:
    from rich.text import Text  # user's names may look like markup

    console.print(Text("refused: ", "red") + Text(f"{name}: {problem.message}", "default"), soft_wrap=True)
    console.print(f"  fix: {problem.fix}", style="italic", soft_wrap=True)


def _show_meanings(
    console: Terminal, done: Imported, export: Export, meanings: Meanings, named: LabelSet | None
) -> None:
    """What the export's classes have become, and how much of the pictures shows each."""
    names = {each.id: each.name for each in meanings.label_set.classes}
    total = max(1, sum(done.pixels.values()))
    for each, id in zip(export.classes, meanings.ids, strict=True):
        if id not in names:
            console.print(f"  {each.name}: no class")
        elif named is not None:
            console.print(f"  {each.name}: {names[id]}")
    for id, pixels in done.pixels.most_common():
        console.print(f"  {100 * pixels / total:5.1f} %  {names.get(id, '(any: no class)')}")


def _show_conversion(done: Converted, palette: Palette, source: Path) -> None:
    from ..terminal import Terminal

    console = Terminal()
    there = f", {len(done.skipped)} were there already" if done.skipped else ""
    console.print(f"{len(done.written)} converted{there}, {len(done.refused)} refused.")
    for file, problem in list(done.refused.items())[:SHOWN]:
        _show_refused(console, str(file.relative_to(source)), problem)
    if done.unmapped:
        _show_unmapped(console, done, palette)


def _show_unmapped(console: Terminal, done: Converted, palette: Palette) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("", "unknown", "pixels", "pictures", "nearest class", "off by", box=None, pad_edge=False)
    for code, pixels in done.unmapped.most_common(SHOWN):
        color = palette.of_colors and code >= 0
        nearest, off = palette.nearest(code) if color else ("", 0)
        shown = f"#{code:06X}" if color else "transparent" if code < 0 else f"id {code}"
        swatch = Text("  ", style=f"on {shown}" if color else "")
        row = (shown, str(pixels), str(done.unmapped_in[code]), nearest, str(off) if color else "")
        table.add_row(swatch, *row)
    console.print(table)
    if len(done.unmapped) > SHOWN:
        console.print(f"and {len(done.unmapped) - SHOWN} more")
