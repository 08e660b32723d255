# SPDX-License-Identifier: Apache-2.0
"""A trivial generator for tests in which the network is not what is tested: it colours the label map.

A model named like a shipped label set uses that set, any other the landscape, unless it is a file that
`write_checkpoint` wrote. The seed says how it behaves: below 1000 it paints at once, shifting the colours by the
seed; SLOW + n takes n milliseconds and reports progress; the other names are what they say.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from spade_core.contract.errors import BadCheckpointError
from spade_core.contract.labels import LabelSet, load_label_set, parse_label_set, shipped_label_sets
from spade_core.synthesis.places import PlacedCodes

SLOW = 100_000
DIES, DIES_ONCE, HANGS, NEEDS_TOO_MUCH, IS_BROKEN, NEEDS_MUCH = 1001, 1002, 1003, 1004, 1005, 1006


def write_checkpoint(
    run: Path, photos: int, label_set: LabelSet | None = None, shade: int = 0, load_s: float = 0.0
) -> str:
    """Put a checkpoint into a run folder as training does, in one piece; returns its digest.

    shade: what is added to every colour. load_s: how long it takes to load; below 0 it ends the worker.
    """
    label_set = label_set or load_label_set("landscape")
    text = json.dumps({"label_set": label_set.to_toml(), "shade": shade, "load_s": load_s})
    part = run / f"model_{photos:08}.safetensors.part"
    part.write_text(text, encoding="utf-8")
    part.replace(part.with_suffix(""))
    return hashlib.sha256(text.encode()).hexdigest()


class TrivialSynthesizer:
    digest = "0" * 64
    device = "cpu"
    shade = 0
    native_size = 64
    trained_size = None
    style_size = 4
    average_style = np.zeros(style_size, np.float32)
    named_styles = tuple(
        SimpleNamespace(
            name=name,
            code=np.full(4, number, np.float32),
            thumbnail=np.full((6, 8, 3), number, np.uint8),
        )
        for name, number in (("golden-hour", 30), ("night", 60))
    )
    looks_at_instances = False
    one_style = ""
    terms = "A trivial generator, for tests."
    parted = None
    between_parts = None
    preview = ""

    def __init__(self, name):
        self.name = name
        self.label_set = load_label_set(name if name in shipped_label_sets() else "landscape")

    @classmethod
    def load(cls, model="landscape", device="auto"):
        if Path(model).stem == "truncated":
            raise BadCheckpointError("The checkpoint 'truncated' ends too early.", "Copy it again.")
        if Path(model).stem == "crashing":
            os.kill(os.getpid(), signal.SIGKILL)
        made = cls(Path(model).stem)
        if Path(model).is_file():
            made._read(Path(model))
        return made

    def _read(self, file):
        text = file.read_text(encoding="utf-8")
        try:
            recipe = json.loads(text)
        except ValueError:
            raise BadCheckpointError(
                f"{file.name} cannot be read: it is truncated.", "Copy it again."
            ) from None
        (file.parent / "loading").touch()
        if recipe["load_s"] < 0:
            os.kill(os.getpid(), signal.SIGKILL)  # as the system does where memory runs out
        time.sleep(recipe["load_s"])
        self.digest, self.shade = hashlib.sha256(text.encode()).hexdigest(), recipe["shade"]
        self.label_set = parse_label_set(recipe["label_set"])

    def render(self, label_map, style=None, seed=0, progress=None, instance_map=None):
        if seed == DIES or (seed == DIES_ONCE and not _already_tried()):
            os._exit(1)  # as a fault in a library does; a kill would be somebody else's
        if seed == HANGS:
            time.sleep(3600)
        if seed == NEEDS_TOO_MUCH:
            raise MemoryError
        if seed == NEEDS_MUCH:
            [np.ones(2_000_000) for _ in range(25)]  # 400 MB, for a moment
        if seed == IS_BROKEN:
            raise ZeroDivisionError("trivially broken")
        for step in range((seed - SLOW) // 20 if seed >= SLOW else 0):
            time.sleep(0.02)
            if progress is not None:
                progress("painting", step * 20 / (seed - SLOW))
            if self.between_parts is not None:
                self.between_parts()
        rgb = self.label_set.colorize(label_map) + np.uint8((seed + self.shade) % 251)
        if isinstance(style, PlacedCodes):
            return rgb + style.codes[:, :3].astype(np.uint8)[style.numbers]
        return rgb if style is None else rgb + style[:3].astype(np.uint8)

    def render_batch(self, canvases, progress=None, size=None):
        if len(canvases) > 1:
            with (Path(os.environ["TRIVIAL_MARKS"]) / "batches").open("a") as file:
                print(len(canvases), file=file)
        return [
            self.render(each.label_map, each.style, each.seed, progress, each.instance_map)
            for each in canvases
        ]

    def painting_size(self, wanted, detail=1.0):
        return wanted

    def style_by_name(self, name):
        return next(style.code for style in self.named_styles if style.name == name.casefold())

    def style_from_seed(self, seed, label_map=None):
        return np.full(self.style_size, seed % 100, np.float32)

    def encode_style(self, rgb):
        return np.full(self.style_size, rgb.mean(), np.float32)


class StylelessSynthesizer(TrivialSynthesizer):
    """As the models of earlier versions are."""

    named_styles = ()
    one_style = "it has no style code"


class InstancesSynthesizer(TrivialSynthesizer):
    """As a network that looks at objects: it adds their numbers to the colours."""

    looks_at_instances = True

    def render(self, label_map, style=None, seed=0, progress=None, instance_map=None):
        rgb = super().render(label_map, style, seed, progress)
        return rgb if instance_map is None else rgb + instance_map[..., None].astype(np.uint8)


class PreviewSynthesizer(TrivialSynthesizer):
    """As a network on a graphics card: its previews round up."""

    preview = "bfloat16"

    def render_batch(self, canvases, progress=None, size=None):
        pictures = super().render_batch(canvases, progress, size)
        if canvases[0].precision == "preview":
            return [rgb + np.uint8(1) for rgb in pictures]
        return pictures


def _already_tried() -> bool:
    """Whether a worker of this server has been here before."""
    mark = Path(os.environ["TRIVIAL_MARKS"]) / "tried"
    if mark.exists():
        return True
    mark.touch()
    return False
