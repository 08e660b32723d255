# SPDX-License-Identifier: Apache-2.0
"""Every format there is: the modules in formats/, by what their FORMAT says."""

from __future__ import annotations

import importlib
import pkgutil
import shlex
from functools import cache
from pathlib import Path

from ...contract.errors import BadOptionError
from . import formats
from .base import MALFORMED, Export, Format, not_as_expected


@cache
def known_formats() -> dict[str, Format]:
    """By name, in the order of their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(formats.__path__))
    found = (importlib.import_module(f"{formats.__name__}.{name}").FORMAT for name in names)
    return {each.name: each for each in found}


def recognised(root: Path) -> list[Format]:
    """The formats that a folder, or a file, may be of."""
    if not root.exists():
        return []
    found = [each for each in known_formats().values() if _recognises(each, root)]
    return [each for each in found if not each.general] or found


def read_export(form: Format, root: Path, photos: Path | None) -> Export:
    """All of an export. Raises SpadeError, also where it is not as its format promises."""
    try:
        return form.read(root, photos)
    except MALFORMED as problem:
        raise not_as_expected(root, form.title) from problem


def _recognises(form: Format, root: Path) -> bool:
    try:
        return form.recognises(root)
    except MALFORMED:
        return False


def format_named(name: str) -> Format:
    """Raises BadOptionError with the names there are."""
    if name not in known_formats():
        known = ", ".join(known_formats())
        raise BadOptionError(f"There is no format '{name}'.", f"Choose auto, colors, {known}.")
    return known_formats()[name]


def how_to_convert(root: Path, found: list[Format]) -> str:
    """The command that reads an export, or the commands where several formats are possible."""
    place = root.resolve()
    beside = (
        root.parent if root.name not in ("", "..") else place.parent
    )  # "." has no name to put another beside
    output = shlex.quote(str(beside / f"{place.stem if place.is_file() else place.name}_data"))
    several = len(found) > 1
    commands = (
        f"`spade dataset convert {shlex.quote(str(root))} -o {output}"
        + (f" --format {each.name}`" if several else "`")
        for each in found
    )
    return " or ".join(commands)


def titles(found: list[Format]) -> str:
    """In words: "LabelMe" or "LabelMe or COCO JSON"."""
    return " or ".join(each.title for each in found)
