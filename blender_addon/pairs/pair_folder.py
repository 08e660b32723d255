# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a set of training pairs: files that appear in one piece, and a claim on what the pictures are.

A picture's row in index.csv comes last: what is stopped at any moment goes on where it was.
"""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

from ..contract.errors import BadImageError, CannotWriteError
from ..contract.labels import LabelSet
from ..scene.png import png
from .pair_pass import RenderedPair

COLUMNS = (
    *("name", "split", "seed", "camera", "frame", "x", "y", "z", "zoom"),
    *("qw", "qx", "qy", "qz", "lens", "sensor", "shift_x", "shift_y"),
    *("sun_elevation", "sun_azimuth", "unlabelled"),
)
_PNG_END = b"IEND\xaeB`\x82"


class PairFolder:
    """What is in the folder, and how more gets there. Raises CannotWriteError, also where it holds other pictures."""

    def __init__(
        self, folder: Path, recipe: dict[str, object], label_set: LabelSet, with_instances: bool
    ) -> None:
        """recipe: what the pictures depend on, as JSON has it; pictures of another recipe are never mixed in."""
        self._folder = folder
        self._kinds = ("images", "labels", *(("instances",) if with_instances else ()))
        self.unfinished = folder / "images" / ".unfinished.png"
        try:
            for kind in self._kinds:
                (folder / kind).mkdir(parents=True, exist_ok=True)
            self._claim(recipe, label_set)
            self._rows = {row["name"]: row for row in self._read_index()}
        except OSError as problem:
            raise _cannot_write(folder, problem) from None

    def holds(self, name: str) -> bool:
        """Whether a pair is there in full."""
        return name in self._rows and all(
            (self._folder / kind / f"{name}.png").exists() for kind in self._kinds
        )

    def put(self, name: str, pair: RenderedPair, row: dict[str, str]) -> None:
        """The photograph from where it was rendered, its maps, and last its row."""
        photo = self._folder / "images" / f"{name}.png"
        try:
            # Blender does not always say that a disk is full.
            if not self.unfinished.read_bytes().endswith(_PNG_END):
                raise CannotWriteError(
                    f"{photo} could not be written whole.", "Free some space; the same command goes on."
                )
            self._write(self._folder / "labels" / f"{name}.png", png(pair.labels.label_map))
            if pair.instances is not None:
                self._write(self._folder / "instances" / f"{name}.png", png(pair.instances))
            os.replace(self.unfinished, photo)
            self._rows[name] = row
            self._write(self._folder / "index.csv", self._index_text().encode())
        except OSError as problem:
            raise _cannot_write(photo, problem) from None

    def _claim(self, recipe: dict[str, object], label_set: LabelSet) -> None:
        """Note what these pictures are, or find that the folder's are the same ones."""
        file = self._folder / "render.json"
        if file.exists():
            try:
                before = json.loads(file.read_text(encoding="utf-8"))
            except ValueError:
                raise BadImageError(
                    f"{file} is damaged.", f"Delete {self._folder}, or choose another one."
                ) from None
            differs = sorted(key for key in {*before, *recipe} if before.get(key) != recipe.get(key))
            if differs:
                raise CannotWriteError(
                    f"{self._folder} holds pictures of another {_plain(differs)}.",
                    "Choose another folder, or the settings it was begun with (render.json).",
                )
        elif any((self._folder / "images").glob("[!.]*")) or (self._folder / "index.csv").exists():
            raise CannotWriteError(f"{self._folder} holds other pictures.", "Choose another folder.")
        self._write(self._folder / "label_set.toml", label_set.to_toml().encode())
        self._write(file, json.dumps(recipe, indent=1).encode())

    def _read_index(self) -> list[dict[str, str]]:
        file = self._folder / "index.csv"
        if not file.exists():
            return []
        return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))

    def _index_text(self) -> str:
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(self._rows[name] for name in sorted(self._rows))
        return text.getvalue()

    def _write(self, path: Path, content: bytes) -> None:
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_bytes(content)
            os.replace(part, path)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def _plain(keys: list[str]) -> str:
    words = {"file": "state of the .blend", "label_set": "label set", "val_every": "share set aside"}
    return " and ".join(words.get(key, key) for key in keys)


def _cannot_write(path: Path, problem: OSError) -> CannotWriteError:
    reason = (problem.strerror or str(problem)).lower()
    return CannotWriteError(
        f"{path} cannot be written: {reason}.", "Free some space, or choose another folder."
    )
