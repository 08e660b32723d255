# SPDX-License-Identifier: Apache-2.0
"""`spade dataset instances`: COCO's instance maps, from its annotations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class Instances:
    """Make COCO's instance maps from its annotations, for networks that see where one object ends."""

    annotations: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="INSTANCES.json")]
    """instances_train2017.json or instances_val2017.json, from annotations_trainval2017.zip"""
    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """the data set, laid out as COCO-Stuff; the maps go where `spade train` looks for them"""
    split: Literal["train", "val"] = "train"
    """whose pictures; those that have a map already are left alone"""

    def run(self) -> int:
        from ..data.coco_instances import write_instance_maps
        from ..progress import progress_bar

        with progress_bar() as progress:
            made = write_instance_maps(self.annotations, self.data, self.split, progress)
        there = f", {made.skipped} were there already" if made.skipped else ""
        print(f"{made.folder}: {made.written} instance maps{there}")
        return 0
