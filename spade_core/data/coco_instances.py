# SPDX-License-Identifier: Apache-2.0
"""COCO's instance maps, from the polygons of its annotations, as the published COCO-Stuff networks were trained on.

An instance map is the label map with each object's polygons written over it as the number of the object in its picture:
0, 1, 2 and so on. Crowds, which have no polygons, keep their class. Such a number may be that of a class in the same
picture; only where one meets the other is a border lost, and the published maps are so.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..contract.errors import BadImageError, UnavailableError
from ..files import replacing
from ..image_files import open_picture
from ..progress import Progress
from .layouts.layouts import find_pairs
from .pairs import LARGEST_PHOTO, Pair


@dataclass(frozen=True)
class InstanceMaps:
    """What was made."""

    folder: Path
    written: int
    skipped: int
    """Those that were there already."""


def write_instance_maps(annotations: Path, root: Path, split: str, progress: Progress) -> InstanceMaps:
    """annotations: instances_train2017.json or instances_val2017.json; root: a data set laid out as COCO-Stuff.

    Raises BadImageError where one of them is not what it should be, UnavailableError without pycocotools, and
    CannotWriteError.
    """
    pairs = find_pairs(root, split, "coco_stuff")
    images, objects = _read(annotations)
    strangers = [pair.name for pair in pairs if pair.name not in images]
    if strangers:
        raise BadImageError(
            f"{annotations.name} knows nothing of {len(strangers)} of the {len(pairs)} pictures; the first is "
            f"{strangers[0]}.",
            f"Name the annotations of the split '{split}' (instances_{split}2017.json).",
        )
    folder, written = _folder_of(root, pairs[0], split), 0
    for number, pair in enumerate(pairs, 1):
        file = folder / f"{pair.name}.png"
        if not file.exists():
            found = instance_map(
                np.asarray(open_picture(pair.labels, LARGEST_PHOTO)), objects[images[pair.name]]
            )
            with replacing(file) as part:
                Image.fromarray(found).save(part, "PNG")
            written += 1
        progress("instance maps", number, len(pairs))
    return InstanceMaps(folder, written, len(pairs) - written)


def instance_map(labels: np.ndarray, polygons: list[list[list[float]]]) -> np.ndarray:
    """labels: (H, W) ids; polygons: of each object, as x, y, x, y ... in pixels.

    Returns (H, W) uint8, or uint16 where an object's number asks for it.
    Raises UnavailableError without pycocotools.
    """
    try:
        from pycocotools import mask
    except ImportError:
        raise UnavailableError(
            "COCO's polygons are drawn by pycocotools, which is not installed.",
            "Run pip install 'spade-backdrops[data]'.",
        ) from None
    height, width = labels.shape
    found = labels.astype(np.uint16)
    for number, each in enumerate(polygons):
        drawn: Any = mask.decode(mask.merge(mask.frPyObjects(each, height, width)))  # type: ignore[arg-type]
        found[drawn > 0] = number
    return found if len(polygons) > 256 else found.astype(np.uint8)


def _read(annotations: Path) -> tuple[dict[str, int], dict[int, list[list[list[float]]]]]:
    """Ids of pictures by name without ending, and the polygons of each picture's objects in the file's order."""
    try:
        held = json.loads(annotations.read_bytes())
        images = {Path(image["file_name"]).stem: image["id"] for image in held["images"]}
        objects: dict[int, list[list[list[float]]]] = defaultdict(list)
        for each in held["annotations"]:
            if isinstance(each["segmentation"], list):  # else a crowd, run-length encoded
                objects[each["image_id"]].append(each["segmentation"])
        return images, objects
    except OSError as problem:
        raise BadImageError(f"{annotations} cannot be read: {problem.strerror}.", "Check the path.") from None
    except (ValueError, KeyError, TypeError):
        raise BadImageError(
            f"{annotations.name} holds no COCO annotations of objects.",
            "Name instances_train2017.json or instances_val2017.json from annotations_trainval2017.zip.",
        ) from None


def _folder_of(root: Path, pair: Pair, split: str) -> Path:
    """Where the layout looks for them."""
    if pair.labels.parent.name == f"{split}_label":
        return root / f"{split}_inst"
    return root / "instances" / f"{split}2017"
