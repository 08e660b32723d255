# SPDX-License-Identifier: Apache-2.0
"""What a worker paints with, whole and unchangeable, and what of it the broker is told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from spade_core.checkpoint.sources import CheckpointVersion
from spade_core.contract.codec import pack_table
from spade_core.contract.messages import ModelInfo, Problem
from spade_core.synthesis.batches import Batches
from spade_core.upscaling.names import available

from ..backends.wire import PaintingCost, Ready, StyleThumbnails

if TYPE_CHECKING:
    from spade_core.synthesis.synthesizer import Synthesizer  # imports torch, and tests name another
    from spade_core.upscaling.upscaler import Upscaler


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that has painted a picture already."""

    version: CheckpointVersion
    synthesizer: Synthesizer
    info: ModelInfo
    ms_per_megapixel: float
    cost: PaintingCost
    batches: Batches


@dataclass(frozen=True, eq=False)
class LoadedModels:
    """All that can be painted with, by the names clients use, and what could not be loaded."""

    by_name: dict[str, LoadedModel]
    problems: tuple[Problem, ...] = ()
    upscalers: dict[str, Upscaler] = field(default_factory=dict)
    """Those of files; the installed ones are loaded when a picture wants them."""
    room: int = 0
    """As in Ready."""

    @property
    def ready(self) -> Ready:
        """What the broker has to know."""
        speed = max((each.ms_per_megapixel for each in self.by_name.values()), default=0.0)
        infos = tuple(each.info for each in self.by_name.values())
        costs = tuple(replace(each.cost, batches=not each.batches.differ) for each in self.by_name.values())
        preview = max((each.synthesizer.preview for each in self.by_name.values()), default="")
        return Ready(speed, (*available(), *self.upscalers), self.room, preview, infos, self.problems, costs)

    @property
    def thumbnails(self) -> list[tuple[StyleThumbnails, bytes]]:
        """The named styles of each model that has some, as pictures."""
        found = []
        for each in self.by_name.values():
            if styles := each.synthesizer.named_styles:
                rgb = np.stack([style.thumbnail for style in styles])
                shape = rgb.shape[1], rgb.shape[2]
                found.append((StyleThumbnails(each.synthesizer.digest, shape), rgb.tobytes()))
        return found

    @property
    def tables(self) -> list[bytes]:
        """The buffers of `ready`."""
        sets = {each.info.label_set_digest: each.synthesizer.label_set for each in self.by_name.values()}
        texts = [label_set.to_toml() for label_set in sets.values()]
        ready = self.ready
        tables = [pack_table(each) for each in (ready.models, ready.problems, ready.costs)]
        return [*tables, json.dumps(texts).encode()]
