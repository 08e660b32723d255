# SPDX-License-Identifier: Apache-2.0
"""A command line as a configuration, with a --help that is read at a glance: few options, and lines that fit.

A dataclass says in a class variable FIRST which of its options people change first; --help shows those and what has to
be given, --help-all shows all. A dataclass without one shows everything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TextIO, TypeVar

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

Parsed = TypeVar("Parsed")

HELP, HELP_ALL = ("-h", "--help"), "--help-all"
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
BOX = tuple("╭│╰")


def parsed_command(kind: type[Parsed], words: Sequence[str], **how: Any) -> Parsed:
    """The configuration that these words make. how: as tyro.cli has it.

    Leaves with 0 after a --help or a --help-all, and with 2 where the words make none.
    """
    if HELP_ALL in words:
        with _fitted_to_the_terminal():
            return tyro.cli(kind, args=["--help" if word == HELP_ALL else word for word in words], **how)
    if any(word in HELP for word in words):
        with _fitted_to_the_terminal():
            return tyro.cli(kind, args=words, registry=_first_options(kind), **how)
    return tyro.cli(kind, args=words, **how)


def _first_options(kind: object) -> ConstructorRegistry:
    """Rules by which tyro sees only what --help shows. Nothing is made by them: it leaves once it has shown.

    kind: the configuration, or the commands, each of which has a run().
    """
    registry = ConstructorRegistry()
    asked: list[StructTypeInfo] = []

    @registry.struct_rule
    def shown(info: StructTypeInfo) -> StructConstructorSpec | None:
        first = getattr(info.type, "FIRST", None)
        if first is None or info in asked:
            return None  # tyro's own rules answer
        asked.append(info)
        spec = ConstructorRegistry.get_struct_spec(info)
        asked.remove(info)
        if not isinstance(spec, StructConstructorSpec):
            return None
        fields = [field if field.name in first else _hidden(field) for field in spec.fields]
        is_command = info.type is kind or hasattr(info.type, "run")
        if is_command and fields != list(spec.fields):
            fields.insert(0, _HELP_ALL)
        return dataclasses.replace(spec, fields=tuple(fields))

    return registry


def _hidden(field: StructFieldSpec) -> StructFieldSpec:
    """Out of the help, but for what has no default: that has to be known."""
    if field.default in (tyro.MISSING, tyro.constructors.MISSING_NONPROP):
        return field
    return dataclasses.replace(field, type=Annotated[field.type, tyro.conf.Suppress])  # type: ignore[valid-type]


_HELP_ALL = StructFieldSpec(
    name="help_all",
    type=Annotated[  # type: ignore[arg-type]
        bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="", prefix_name=False)
    ],
    default=False,
    helptext="show every option",
)


@contextlib.contextmanager
def _fitted_to_the_terminal() -> Iterator[None]:
    """Wraps the lines that tyro leaves whole: the first, and descriptions. Its boxes fit."""
    terminal = sys.stdout
    held = _Held(terminal)
    sys.stdout = held
    try:
        yield
    finally:
        sys.stdout = terminal
        columns = shutil.get_terminal_size().columns
        for line in held.getvalue().splitlines():
            terminal.write(_wrapped(line.rstrip(), columns) + "\n")


class _Held(io.StringIO):
    """What is printed, for later; coloured where the terminal behind it is one."""

    def __init__(self, terminal: TextIO) -> None:
        super().__init__()
        self._is_terminal, self._encoding = terminal.isatty(), terminal.encoding

    def isatty(self) -> bool:
        return self._is_terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]  # by which tyro chooses what it draws boxes with
        return self._encoding


def _wrapped(line: str, columns: int) -> str:
    if len(ESCAPES.sub("", line)) <= columns or ESCAPES.sub("", line).startswith(BOX):
        return line
    # "usage: spade [-h] {generate,labels,...}" is one word to Python.
    line = re.sub(r"\{[^{} ]+\}", lambda choices: choices[0].replace(",", ", "), ESCAPES.sub("", line))
    usage = re.match(r"usage: (spade\S*)", line)
    return textwrap.fill(
        line,
        columns,
        subsequent_indent="       " if usage else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
