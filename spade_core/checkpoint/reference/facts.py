# SPDX-License-Identifier: Apache-2.0
"""What the weights of a published network do not say: what its channels mean, and how often it doubles.

It comes, in this order, from the user, from the options that the published code writes beside its weights (opt.txt;
opt.pkl is a pickle and stays closed), and from the data set.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ...model.config import Upsampling

PresetName = Literal["coco", "ade20k", "cityscapes"]


@dataclass(frozen=True)
class Facts:
    """None: not known. Channels of the semantic input are the classes, then "don't care", then instance edges."""

    classes: int | None = None
    dont_care: bool | None = None
    edges: bool | None = None
    upsampling: Upsampling | None = None
    crop_size: int | None = None
    """Pixels: width of the pictures it was trained on."""
    aspect_ratio: float | None = None
    """Width over height."""

    @property
    def channels(self) -> int | None:
        """Of the semantic input, where all three parts are known."""
        if self.classes is None or self.dont_care is None or self.edges is None:
            return None
        return self.classes + self.dont_care + self.edges

    def or_else(self, other: Facts) -> Facts:
        """These, and those of the other where these are not known."""
        known = {name: value for name, value in vars(self).items() if value is not None}
        return dataclasses.replace(other, **known)

    def with_channels(self, channels: int) -> Facts:
        """These, and what they and the number of channels leave only one answer to."""
        answers = [
            Facts(channels - dont_care - edges, dont_care, edges)
            for dont_care, edges in itertools.product((False, True), repeat=2)
            if self.classes in (None, channels - dont_care - edges)
            and self.dont_care in (None, dont_care)
            and self.edges in (None, edges)
        ]
        return self.or_else(answers[0]) if len(answers) == 1 else self


PRESETS: dict[PresetName, Facts] = {
    "coco": Facts(182, True, True, "normal", 256, 1.0),
    "ade20k": Facts(150, True, False, "normal", 256, 1.0),
    "cityscapes": Facts(35, False, True, "more", 512, 2.0),
}

LABEL_SETS: dict[PresetName, str] = {"coco": "coco_stuff", "ade20k": "ade20k", "cityscapes": "cityscapes"}


def preset_of(channels: int, known: Facts = Facts()) -> PresetName | None:
    """The data set of a network with so many channels, where nothing that is known contradicts it.

    Where its number of classes is known, that decides; it may have been trained without the data set's edges.
    """
    for name, facts in PRESETS.items():
        decides = facts.channels == channels if known.classes is None else facts.classes == known.classes
        edges_may_differ = known.classes is not None
        fits = known.dont_care in (None, facts.dont_care) and (
            edges_may_differ or known.edges in (None, facts.edges)
        )
        if decides and fits:
            return name
    return None


def facts_beside(folder: Path) -> Facts:
    """What opt.txt (or the same as opt.json) in the folder says; what cannot be read there is not known."""
    for name, parse in (("opt.txt", _parse_text), ("opt.json", _parse_json)):
        try:
            return _facts_in(parse((folder / name).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    return Facts()


def _parse_text(text: str) -> Mapping[str, object]:
    """Lines of `name: value`, some with `[default: value]` behind."""
    lines = re.finditer(r"^\s*(\w+):[ \t]*(.*?)\s*(?:\[default:.*\])?\s*$", text, re.MULTILINE)
    return {line[1]: line[2] for line in lines}


def _parse_json(text: str) -> Mapping[str, object]:
    loaded = json.loads(text)
    options = loaded.get("opt", loaded) if isinstance(loaded, dict) else None
    if not isinstance(options, dict):
        raise ValueError("no options")
    return options


def _facts_in(options: Mapping[str, object]) -> Facts:
    """Raises ValueError where a value is not what its name promises."""

    def truth(name: str) -> bool | None:
        said = str(options.get(name))
        return {"True": True, "False": False}.get(said)

    without_instances = truth("no_instance")
    upsampling = options.get("num_upsampling_layers")
    number = {name: options.get(name) for name in ("label_nc", "crop_size", "aspect_ratio")}
    return Facts(
        classes=None if number["label_nc"] is None else int(str(number["label_nc"])),
        dont_care=truth("contain_dontcare_label"),
        edges=None if without_instances is None else not without_instances,
        upsampling=next((known for known in get_args(Upsampling) if known == upsampling), None),
        crop_size=None if number["crop_size"] is None else int(str(number["crop_size"])),
        aspect_ratio=None if number["aspect_ratio"] is None else float(str(number["aspect_ratio"])),
    )
