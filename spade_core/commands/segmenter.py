# SPDX-License-Identifier: Apache-2.0
"""`spade train-segmenter`: the segmenter behind mIoU, trained on real pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

import tyro

from ..evaluation.segmenter_settings import SegmenterTraining
from .dataset import LayoutName


@dataclass(frozen=True)
class TrainSegmenter:
    """Train a segmenter on photos and label maps, for `spade evaluate`. Ctrl-C saves; the same command goes on."""

    FIRST: ClassVar = ("data", "output", "label_set", "training", "device")

    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """a data set as docs/data.md describes them"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT.safetensors")]
    """where the segmenter goes"""
    layout: LayoutName = "auto"
    """how the data lie on disk, as of `spade dataset check`"""
    label_set: Annotated[str | None, tyro.conf.arg(metavar="NAME_OR_FILE")] = None
    """the label set of the label maps; left out: the one that the data say, or 'landscape'"""
    training: SegmenterTraining = field(default_factory=SegmenterTraining)
    device: str = "auto"
    """auto, cpu, cuda or mps"""

    def run(self) -> int:
        import signal

        from ..data.layouts.layouts import label_set_of
        from ..evaluation.segmenter_training import SegmenterRun
        from ..progress import progress_bar
        from ..runtime import chosen_device

        # A scheduler's TERM, and Ctrl-C even where the shell started this in the background, save and leave.
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, signal.default_int_handler)
        label_set = label_set_of(self.data, self.layout, self.label_set)
        device = chosen_device(self.device)
        run = SegmenterRun(self.data, label_set, self.output, self.training, device, self.layout)
        with progress_bar() as progress:
            _, scores = run.train(progress)
        held_out = run.held_out
        print(
            f"{self.output}: on {len(held_out)} photos that it did not learn from, {held_out.size.description}:"
        )
        print(f"mIoU {scores.miou:.3f}, pixel accuracy {scores.pixel_accuracy:.3f}")
        for name, iou in scores.iou.items():
            print(f"  {name:<20}{iou:>6.2f}  ({100 * scores.share[name]:.1f} % of the pixels)")
        return 0
