# SPDX-License-Identifier: Apache-2.0
"""The server's configuration file: TOML, each key an option of the command line without its dashes in front."""

from __future__ import annotations

import ast
import difflib
import inspect
import json
import os
import re
import sys
import textwrap
import tomllib
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from spade_core.contract.errors import BadOptionError

from .config import ServerConfig

ONLY_ON_THE_COMMAND_LINE = ("config", "parent_pid", "synthesizer")
_KIND_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}


def default_files() -> tuple[Path, ...]:
    """Where a server looks for its file, the first that exists is taken: the user's, then the machine's."""
    if sys.platform == "win32":
        user = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
        machine = Path(os.environ.get("PROGRAMDATA") or r"C:\ProgramData")
    elif sys.platform == "darwin":
        user, machine = Path.home() / "Library" / "Application Support", Path("/Library/Application Support")
    else:
        user, machine = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"), Path("/etc")
    return tuple(folder / "spade-backdrops" / "server.toml" for folder in (user, machine))


def read_config(file: Path) -> ServerConfig:
    """What the file says, and the defaults for the rest. Raises BadOptionError, which names the key that is wrong."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as problem:
        raise BadOptionError(
            f"The configuration file '{file}' cannot be read: {problem.strerror}.", "Name one that exists."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise BadOptionError(
            f"The configuration file '{file}' is not TOML: {problem}.",
            "`spade-server config --default` prints one to begin with.",
        ) from None
    try:
        return _dataclass(ServerConfig, table, "")
    except BadOptionError as problem:
        raise BadOptionError(f"In '{file}': {problem.message}", problem.fix) from None


def write_config(config: ServerConfig, *, commented_out: bool) -> str:
    """The configuration as a file, each key explained; commented_out: for a file in which all is still by default."""
    mark = "# " if commented_out else ""
    lines = ["# spade-server: what is said on the command line goes before what is said here."]
    help_texts = _help_texts()
    for entry in fields(ServerConfig):
        if entry.name in ONLY_ON_THE_COMMAND_LINE:
            continue
        value = getattr(config, entry.name)
        comment = textwrap.wrap(" ".join(help_texts.get(entry.name, "").split()), 100)
        lines += ["", *(f"# {line}" for line in comment)]
        lines.append(
            f"# {_key(entry.name)} =" if value is None else f"{mark}{_key(entry.name)} = {_toml(value)}"
        )
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name.replace("_", "-")


def _dataclass(kind: type, table: dict[str, Any], where: str) -> Any:
    hints = get_type_hints(kind, include_extras=False)
    names = {_key(e.name): e.name for e in fields(kind) if e.name not in ONLY_ON_THE_COMMAND_LINE}
    values = {}
    for key, value in table.items():
        if key not in names:
            near = difflib.get_close_matches(key.replace("_", "-").lower(), names, 1, 0.5)
            known = f"Did you mean '{near[0]}'?" if near else f"Known are: {', '.join(names)}."
            raise BadOptionError(f"There is no key '{where}{key}'.", known)
        values[names[key]] = _value(hints[names[key]], value, where + key)
    return kind(**values)


def _value(kind: Any, value: Any, where: str) -> Any:
    """A value of TOML as the field's type. Raises BadOptionError."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):  # every union here is "something or None", and TOML has no None
        return _value(inner[0], value, where)
    if origin is Literal and value in inner:
        return value
    if origin is tuple and isinstance(value, list):
        return tuple(_value(inner[0], item, f"{where}[{number}]") for number, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {name: _value(inner[1], item, f"{where}.{name}") for name, item in value.items()}
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        return _dataclass(kind, value, f"{where}.")
    if kind is Path and isinstance(value, str):
        return Path(value).expanduser()
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    names = {tuple: "a list", dict: "a table", Literal: " or ".join(map(repr, inner))}
    wanted = names.get(origin) or _KIND_NAMES.get(kind, "a table")
    raise BadOptionError(f"'{where}' is {_toml(value)}.", f"Write {wanted}.")


def _toml(value: Any) -> str:
    if is_dataclass(value):
        value = {_key(entry.name): getattr(value, entry.name) for entry in fields(value)}
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        items = [f"{_bare(name)} = {_toml(item)}" for name, item in value.items()]
        return f"{{ {', '.join(items)} }}" if items else "{}"
    if isinstance(value, (bool, int, float, str)):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(str(value), ensure_ascii=False)


def _bare(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _help_texts() -> dict[str, str]:
    """What the source says below each field, as --help shows it."""
    body = ast.parse(textwrap.dedent(inspect.getsource(ServerConfig))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                found[field.target.id] = str(text.value.value)
    return found
