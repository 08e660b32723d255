# SPDX-License-Identifier: Apache-2.0
"""Label sets: which ids a label map may hold and what they mean.

A label map is an array of ids (H, W), row 0 at the top; colours are for people. It travels with its set's
digest, so a model trained on another set answers with an error and not with garbage.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .errors import BadLabelError, BadLabelSetError, BadShapeError
from .legend import NameReader

_FOLDER = Path(__file__).parent / "label_sets"
_LARGEST_ID = 65535
_PIXELS_AT_ONCE = 2**17


@dataclass(frozen=True)
class LabelClass:
    """One class: `color` is "#RRGGBB"; `aliases` are further names for automatic assignment."""

    id: int
    name: str
    color: str
    aliases: tuple[str, ...] = ()

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as three numbers of 0..255."""
        red, green, blue = bytes.fromhex(self.color[1:])
        return red, green, blue


@dataclass(frozen=True)
class LabelSet:
    """Classes ordered by id, and the id for "do not care".

    `ignore_id` is usually outside the classes (255) and then has an input channel of its own, after theirs.
    Where the networks know no such channel (Cityscapes) it is the id of the class for unlabelled things.
    Raises BadLabelSetError when ids or names repeat or are out of range.
    """

    name: str
    version: int
    classes: tuple[LabelClass, ...]
    ignore_id: int = 255

    def __post_init__(self) -> None:
        # Ordered by id whatever the file's order: the digest and the one-hot channels must not depend on it.
        object.__setattr__(self, "classes", tuple(sorted(self.classes, key=lambda entry: entry.id)))
        if not self.classes:
            raise BadLabelSetError(
                f"The label set '{self.name}' has no classes.", "Add at least one [[classes]] entry."
            )
        for entry in self.classes:
            if not 0 <= entry.id <= _LARGEST_ID:
                raise BadLabelSetError(
                    f"Class '{entry.name}' has the id {entry.id}.", f"Use ids from 0 to {_LARGEST_ID}."
                )
        if not 0 <= self.ignore_id <= _LARGEST_ID:
            raise BadLabelSetError(
                f"The ignore id is {self.ignore_id}.", f"Use an id from 0 to {_LARGEST_ID}."
            )
        _refuse_repeats("id", [entry.id for entry in self.classes])
        _refuse_repeats("name", [entry.name.casefold() for entry in self.classes])

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over ordered ids, names and the ignore id; colours and aliases may change freely."""
        meaning = {"classes": [[entry.id, entry.name] for entry in self.classes], "ignore": self.ignore_id}
        return hashlib.sha256(json.dumps(meaning, separators=(",", ":")).encode()).hexdigest()

    @cached_property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """uint8, or uint16 where an id is over 255."""
        return np.uint8 if max(self.classes[-1].id, self.ignore_id) <= 255 else np.uint16

    def check(self, label_map: np.ndarray) -> np.ndarray:
        """The map as a C-contiguous (H, W) array of `dtype`, copied only if needed.

        Raises BadShapeError (not two-dimensional, empty, not whole numbers) and BadLabelError (naming the strange ids).
        """
        label_map = np.asarray(label_map)
        if label_map.ndim != 2 or label_map.size == 0:
            raise BadShapeError(
                f"A label map has a height and a width, this array has the shape {label_map.shape}.",
                "Use a single-channel image of class ids, not a coloured picture.",
            )
        if label_map.dtype.kind not in "ui":
            raise BadShapeError(
                f"A label map holds whole numbers, this one holds {label_map.dtype}.",
                "Save it as 8 or 16 bit ids.",
            )
        rows = max(1, _PIXELS_AT_ONCE // label_map.shape[1])
        for top in range(0, label_map.shape[0], rows):
            self._refuse_strange(label_map[top : top + rows])
        return np.ascontiguousarray(label_map, dtype=self.dtype)

    def colorize(self, label_map: np.ndarray) -> np.ndarray:
        """The map in the classes' colours, (H, W, 3) uint8; black where ignored. Raises as `check` does."""
        palette = np.zeros((self._allowed.size, 3), np.uint8)
        for entry in self.classes:
            palette[entry.id] = entry.rgb
        return palette[self.check(label_map)]

    def class_named(self, name: str) -> LabelClass | None:
        """The class of exactly this name, in any case; None if there is none."""
        folded = _clean(name).casefold()
        return next((entry for entry in self.classes if entry.name.casefold() == folded), None)

    def match(self, text: str) -> LabelClass | None:
        """The class meant by a name a person gave ("pine_tree_L", "Mountain.003", "MyRiver"), or None.

        Read as `legend` says, with the set's own names and aliases before the legend's words: the last word that is
        not a mere qualifier says what a thing is (a "mountain lake" is a lake, a "street lamp" is neither).
        """
        index = self._name_reader.find(_clean(text))
        return None if index is None else self.classes[index]

    def to_toml(self) -> str:
        """The text that `parse_label_set` reads back to an equal label set."""
        lines = [f"name = {_quoted(self.name)}", f"version = {self.version}", f"ignore_id = {self.ignore_id}"]
        for entry in self.classes:
            lines += ["", "[[classes]]", f"id = {entry.id}", f"name = {_quoted(entry.name)}"]
            lines.append(f"color = {_quoted(entry.color)}")
            lines.append(f"aliases = [{', '.join(map(_quoted, entry.aliases))}]")
        return "\n".join(lines) + "\n"

    @cached_property
    def _allowed(self) -> np.ndarray:
        """Which ids are in the set, as a table to index with a label map."""
        allowed = np.zeros(256 if self.dtype is np.uint8 else 65536, np.bool_)
        allowed[[entry.id for entry in self.classes] + [self.ignore_id]] = True
        return allowed

    @cached_property
    def _allowed_bytes(self) -> bytes:
        return bytes(np.flatnonzero(self._allowed[:256]).astype(np.uint8))

    def _refuse_strange(self, label_map: np.ndarray) -> None:
        """Raises BadLabelError. A few rows at a time: the look-up takes eight bytes a pixel, and a map that is none is
        known as such by its first rows."""
        allowed = self._allowed
        if label_map.dtype == np.uint8 and not label_map.tobytes().translate(None, self._allowed_bytes):
            return  # as nearly always, in a sixth of the time
        # `take` would wrap negative ids and ids over the table, so look at the range first.
        known = (label_map >= 0) & (label_map < allowed.size) if self._leaves_table(label_map) else None
        valid = allowed[label_map] if known is None else allowed[np.where(known, label_map, 0)] & known
        if not valid.all():
            strange = np.unique(label_map[~valid])
            listed = ", ".join([str(value) for value in strange[:8].tolist()] + ["..."] * (strange.size > 8))
            raise BadLabelError(
                f"The label map holds ids that the label set '{self.name}' does not know: {listed}.",
                f"Use ids of '{self.name}' (0 to {self.classes[-1].id}, or {self.ignore_id} for 'any'), "
                "or choose the label set the map was made with.",
            )

    def _leaves_table(self, label_map: np.ndarray) -> bool:
        """Whether it holds a number outside the table of allowed ids."""
        span, size = np.iinfo(label_map.dtype), self._allowed.size
        return bool((span.min < 0 and label_map.min() < 0) or (span.max >= size and label_map.max() >= size))

    @cached_property
    def _name_reader(self) -> NameReader:
        return NameReader([(entry.name, *entry.aliases) for entry in self.classes])


def parse_label_set(toml_text: str) -> LabelSet:
    """Read the text of a label set file. Raises BadLabelSetError with what is wrong and where."""
    import tomllib  # here and not above: it takes milliseconds, and most users of the contract parse no file

    try:
        table = tomllib.loads(toml_text)
    except (ValueError, RecursionError) as problem:  # a number of thousands of digits is a bare ValueError
        raise BadLabelSetError(
            f"The label set is not TOML: {problem}.", "Compare it with a shipped label set."
        ) from None
    name = _field(table, "name", str, "the label set")
    entries = table.get("classes")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadLabelSetError(
            f"The label set '{name}' has no [[classes]].", "Add one [[classes]] entry for each class."
        )
    classes = tuple(_read_class(entry) for entry in entries)
    return LabelSet(
        name=name,
        version=_field(table, "version", int, f"'{name}'", default=1),
        classes=classes,
        ignore_id=_field(table, "ignore_id", int, f"'{name}'", default=_usual_ignore_id(classes)),
    )


def _usual_ignore_id(classes: tuple[LabelClass, ...]) -> int:
    """255; where that is a class (masks of 0 and 255), the largest id below it that is none."""
    taken = {entry.id for entry in classes}
    return next((id for id in range(255, -1, -1) if id not in taken), 256)


def load_label_set(name_or_path: str | Path) -> LabelSet:
    """A shipped label set by name ("landscape"), or one of the user's by path. Raises BadLabelSetError."""
    if str(name_or_path) in shipped_label_sets():
        path = _FOLDER / f"{name_or_path}.toml"
    else:
        path = Path(name_or_path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError:
        shipped = ", ".join(shipped_label_sets())
        raise BadLabelSetError(
            f"There is no label set '{name_or_path}'.", f"Use {shipped}, or a .toml file."
        ) from None
    except UnicodeDecodeError:
        raise BadLabelSetError(
            f"'{path.name}' is not a text file in UTF-8.", "Choose a .toml label set."
        ) from None
    return parse_label_set(text)


def shipped_label_sets() -> tuple[str, ...]:
    """The names of the label sets that come with the program, the default first."""
    return ("landscape", "coco_stuff", "ade20k", "cityscapes")


def _read_class(entry: dict) -> LabelClass:
    name = _field(entry, "name", str, "a class")
    where = f"class '{name}'"
    color = _field(entry, "color", str, where, default="#808080").upper()
    if len(color) != 7 or color[0] != "#" or not set(color[1:]) <= set("0123456789ABCDEF"):
        raise BadLabelSetError(f"The color of {where} is '{color}'.", 'Write colors as "#RRGGBB".')
    aliases = entry.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise BadLabelSetError(
            f"The aliases of {where} are not a list of words.", 'Write aliases = ["word", "word"].'
        )
    return LabelClass(_field(entry, "id", int, where), name, color, tuple(map(_clean, aliases)))


def _field(table: dict, key: str, kind: type, where: str, default: Any = None) -> Any:
    value = table.get(key, default)
    if type(value) is not kind or value == "":
        raise BadLabelSetError(
            f"{where[0].upper()}{where[1:]} has no valid '{key}'.", f"Give it a {kind.__name__} '{key}'."
        )
    return _clean(value) if kind is str else value


def _clean(text: str) -> str:
    # One spelling for equal-looking names, whichever system typed them: the digest depends on it.
    return unicodedata.normalize("NFC", text).strip()


def _quoted(text: str) -> str:
    # JSON's string escapes are a subset of TOML's; only DEL is legal bare in one and not in the other.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _refuse_repeats(what: str, values: list) -> None:
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        listed = ", ".join(str(value) for value in sorted(repeated))
        raise BadLabelSetError(
            f"Two classes have the same {what}: {listed}.", f"Give every class its own {what}."
        )
