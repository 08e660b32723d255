# SPDX-License-Identifier: Apache-2.0
"""ADE20K-outdoor: the paper names a subset without listing it; these are the two rules in use.

By classes: an image that shows sky, mountain or earth and neither ceiling nor bed nor sink.
By scenes: an image whose scene category, in the file that comes with the data set, says "outdoor", or is in a list that
the user has put beside it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ...contract.errors import BadImageError, CannotWriteError
from ...contract.labels import load_label_set
from ...files import write_text
from ..pairs import Pair, read_labels

KEPT = ("sky", "mountain", "earth")

DROPPED = ("ceiling", "bed", "sink")

SCENES = "sceneCategories.txt"
OUTDOOR = "outdoorCategories.txt"
"""The user's own list: a scene category a line."""


def is_outdoor_by_classes(pairs: list[Pair]) -> dict[str, bool]:
    """Which pairs the rule keeps, by name. Every label map is read, once: the answer is kept in the user's cache."""
    ade = load_label_set("ade20k")
    kept, dropped = ([entry.id for entry in ade.classes if entry.name in names] for names in (KEPT, DROPPED))
    cache = _Cache(pairs)
    if cache.known is not None:
        return cache.known

    def keeps(pair: Pair) -> bool:
        shown = np.bincount(read_labels(pair.labels, ade).ravel(), minlength=256) > 0
        return bool(shown[kept].any() and not shown[dropped].any())

    with ThreadPoolExecutor() as threads:  # decoding a PNG lets other threads run
        found = dict(zip((pair.name for pair in pairs), threads.map(keeps, pairs), strict=True))
    cache.keep(found)
    return found


def is_outdoor_by_scene(root: Path) -> Callable[[str], bool]:
    """Whether the scene of an image is outdoors, by its name.

    Raises BadImageError where the file is missing, or nothing in it is outdoors.
    """
    file = next((place / SCENES for place in (root, *root.glob("*/")) if (place / SCENES).is_file()), None)
    if file is None:
        raise BadImageError(
            f"There is no {SCENES} in {root}.",
            f"Copy it from ADEChallengeData2016, or use the layout 'ade20k-outdoor' ({', '.join(KEPT)}).",
        )
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    scenes = dict(line.split(maxsplit=1) for line in lines if len(line.split(maxsplit=1)) == 2)
    listed = file.with_name(OUTDOOR)
    if listed.is_file():
        kept = set(listed.read_text(encoding="utf-8").split())
        outdoor = {name for name, scene in scenes.items() if scene.strip() in kept}
    else:
        outdoor = {name for name, scene in scenes.items() if "outdoor" in scene.lower()}
    if not outdoor:
        why = f"no category is one of {OUTDOOR}" if listed.is_file() else "no line says 'outdoor'"
        raise BadImageError(
            f"Nothing in {file} is outdoors: {why}.",
            f"Put a list of scene categories beside it, {OUTDOOR}, one a line; or use the layout 'ade20k-outdoor'.",
        )
    return outdoor.__contains__


def dropped_scenes(root: Path, names: Iterable[str]) -> Counter[str]:
    """Of the images that are left out, how many each scene category has; empty without the file of scenes."""
    file = next((place / SCENES for place in (root, *root.glob("*/")) if (place / SCENES).is_file()), None)
    if file is None:
        return Counter()
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    scenes = dict(line.split(maxsplit=1) for line in lines if len(line.split(maxsplit=1)) == 2)
    return Counter(scenes[name].strip() for name in names if name in scenes)


class _Cache:
    """The answer for exactly these files, in a file of the user's cache; nothing is lost where none can be written."""

    def __init__(self, pairs: list[Pair]) -> None:
        what = hashlib.sha256()
        for pair in pairs:
            about = pair.labels.stat()
            what.update(f"{pair.labels}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self._file = cache / "spade-backdrops" / f"outdoor-{what.hexdigest()[:24]}.json"
        try:
            self.known: dict[str, bool] | None = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.known = None

    def keep(self, found: dict[str, bool]) -> None:
        with contextlib.suppress(CannotWriteError):
            write_text(self._file, json.dumps(found))
