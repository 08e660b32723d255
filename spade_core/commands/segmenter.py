# SPDX-License-Identifier: Apache-2.0
"""`spade train-segmenter`: the judge of mIoU, trained on real pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from ..evaluation.segmenter_settings import SegmenterTraining


@dataclass(frozen=True)
class TrainSegmenter:
    """Train a segmenter on photos and label maps, for `spade evaluate`. Ctrl-C saves; the same command goes on."""

    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """folder with images/, labels/ and, where there is a split, index.csv"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT.safetensors")]
    """where the segmenter goes"""
    label_set: Annotated[str, tyro.conf.arg(metavar="NAME_OR_FILE")] = "landscape"
    """the label set of the label maps"""
    split: str = "train"
    """which part of the data to learn from"""
    judged_on: str = "val"
    """which part to say its accuracy on"""
    training: SegmenterTraining = field(default_factory=SegmenterTraining)
    device: str = "auto"
    """auto, cpu, cuda or mps"""

    def run(self) -> int:
        from ..contract.labels import load_label_set
        from ..device import chosen_device
        from ..evaluation.agreement import agreement_on_photos
        from ..evaluation.scenes import Scenes
        from ..evaluation.segmenter import OwnSegmenter
        from ..evaluation.segmenter_training import SegmenterRun
        from .progress import stages

        label_set, device = load_label_set(self.label_set), chosen_device(self.device)
        size = 2 * self.training.size
        judged = Scenes.of(self.data, self.judged_on, label_set, size, size)
        run = SegmenterRun(self.data, self.split, label_set, self.output, self.training, device)
        with stages() as report:
            segmenter = OwnSegmenter(run.train(report), self.output.name, device)
            scores = agreement_on_photos(segmenter, judged, report)
        print(f"{self.output}: on {len(judged)} photos of '{self.judged_on}' at {size} x {size}")
        print(f"mIoU {scores.miou:.3f}, pixel accuracy {scores.pixel_accuracy:.3f}")
        for name, iou in scores.iou.items():
            print(f"  {name:<20}{iou:>6.2f}  ({100 * scores.share[name]:.1f} % of the pixels)")
        return 0
