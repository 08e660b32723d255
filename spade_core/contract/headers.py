# SPDX-License-Identifier: Apache-2.0
"""Messages as JSON text and back. What each kind looks like is worked out once: a header is written and read at every
turn of the server.

Only the few types that messages use: numbers, strings, bools, tuples, dataclasses, and one of these or None.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, NoReturn, Union, get_args, get_origin, get_type_hints

from .errors import BadHeaderError

UPDATE = "Update the add-on and the server to the same release."


def written(message: Any) -> dict[str, Any]:
    """The fields of a dataclass that travel, for `json_text`."""
    return {name: getattr(message, name) for name in _names(type(message))}


def json_text(table: Any) -> bytes:
    """Values, and dataclasses among them, as JSON. Raises ValueError for NaN and infinity."""
    return _ENCODER.encode(table).encode()


def json_table(text: bytes) -> Any:
    """What JSON says. Raises ValueError, also for text that is not UTF-8, and RecursionError."""
    return _DECODER.decode(text.decode())


def read(kind: type, table: dict[str, Any]) -> Any:
    """A dataclass of this kind; unknown fields are ignored. Raises BadHeaderError."""
    return _reader(kind, kind.__name__)(table)


def _no_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are not JSON


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=written)
_DECODER = json.JSONDecoder(parse_constant=_no_constant)


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(kind) if entry.metadata.get("wire", True))


@cache
def _reader(kind: type, where: str) -> Callable[[dict[str, Any]], Any]:
    hints = get_type_hints(kind)  # slow to resolve
    columns = [
        (
            entry.name,
            _value_reader(hints[entry.name], f"{where}.{entry.name}"),
            entry.default is MISSING and entry.default_factory is MISSING,
        )
        for entry in fields(kind)
        if entry.metadata.get("wire", True)
    ]

    def read_table(table: dict[str, Any]) -> Any:
        values = {}
        for name, read_value, required in columns:
            if name in table:
                values[name] = read_value(table[name])
            elif required:
                raise BadHeaderError(f"{where} lacks '{name}'.", UPDATE)
        return kind(**values)

    return read_table


def _value_reader(expected: Any, where: str) -> Callable[[Any], Any]:
    """What makes a field's value of a JSON value."""
    origin: Any = get_origin(expected)
    if origin in (Union, types.UnionType):  # every union here is "something or None"
        something = _value_reader(get_args(expected)[0], where)
        return lambda value: None if value is None else something(value)
    if origin is tuple:
        return _tuple_reader(get_args(expected), where)

    def refuse() -> NoReturn:
        raise BadHeaderError(f"{where} is not {getattr(expected, '__name__', expected)}.", UPDATE)

    if is_dataclass(expected) and isinstance(expected, type):
        read_table = _reader(expected, where)
        return lambda value: read_table(value) if isinstance(value, dict) else refuse()
    if expected is float:
        return lambda value: float(value) if type(value) in (int, float) and abs(value) < 1e18 else refuse()
    if expected is int:
        return lambda value: value if type(value) is int and abs(value) < 2**63 else refuse()
    return lambda value: value if type(value) is expected else refuse()


def _tuple_reader(items: tuple[Any, ...], where: str) -> Callable[[Any], Any]:
    any_number = items[-1] is Ellipsis
    readers = [_value_reader(item, where) for item in (items[:1] if any_number else items)]

    def read_list(value: Any) -> Any:
        if isinstance(value, list) and any_number:
            return tuple(map(readers[0], value))
        if isinstance(value, list) and len(value) == len(readers):
            return tuple(each(item) for each, item in zip(readers, value, strict=True))
        raise BadHeaderError(f"{where} is not a list of the right length.", UPDATE)

    return read_list
