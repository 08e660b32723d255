# SPDX-License-Identifier: Apache-2.0
"""`spade dataset label`: label maps for one's own photos, by a segmenter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from ..evaluation.photo_labels import LabelledPhotos

SHOWN = 8  # photos listed of each kind


@dataclass(frozen=True)
class Label:
    """Label photos by a segmenter, and make a data set of them; the same command goes on where it was stopped."""

    photos: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PHOTOS")]
    """a folder of photos; folders inside are looked through"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """the data set: images/, labels/, label_set.toml, how sure each pixel is, and a sheet to look through"""
    segmenter: Annotated[Path, tyro.conf.arg(metavar="FILE_OR_FOLDER")]
    """a file of `spade train-segmenter`, or a Hugging Face checkpoint's folder on disk (SegFormer, Mask2Former)"""
    label_set: Annotated[str | None, tyro.conf.arg(metavar="NAME_OR_FILE")] = None
    """the set whose ids are written; left out: the segmenter's own, and for a folder 'landscape', by its names"""
    sure: float = 0.5
    """from this confidence on a pixel keeps its class (0 to 1); what is less sure stays open: no class"""
    smallest: float = 0.0005
    """regions of a smaller share of the photo go to the neighbour that they border on most"""
    at_least: float = 0.5
    """photos of which a smaller share gets a class are left out"""
    side: int = 0
    """short side in pixels at which the segmenter sees a photo; 0: what it was trained for"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""

    def run(self) -> int:
        from ..contract.errors import BadImageError
        from ..evaluation.build import label_set_for, load_segmenter, segmenter_digest
        from ..evaluation.labelling import Labelling
        from ..evaluation.photo_labels import PhotoLabels
        from ..progress import progress_bar
        from ..runtime import chosen_device

        how = Labelling(self.sure, self.smallest, self.side)
        if not self.photos.is_dir():
            raise BadImageError(f"There is no folder {self.photos}.", "Check the path.")
        label_set = label_set_for(self.segmenter, self.label_set)
        segmenter = load_segmenter(self.segmenter, label_set, chosen_device(self.device))
        made_by = segmenter_digest(self.segmenter)
        labels = PhotoLabels(self.photos, self.output, segmenter, made_by, label_set, how, self.at_least)
        with progress_bar() as progress:
            done = labels.write(progress)
        _show(done, self.output, segmenter.title)
        return 1 if done.refused or not done.rows else 0


def _show(done: LabelledPhotos, output: Path, title: str) -> None:
    from ..evaluation.photo_labels import SHEET, TABLE

    there = f", {done.skipped} of them before" if done.skipped else ""
    print(f"{len(done.rows)} photos labelled{there}, by {title}.")
    for problem in list(done.refused.values())[:SHOWN]:
        print(f"refused: {problem.message}\n  fix: {problem.fix}")
    if len(done.refused) > SHOWN:
        print(f"and {len(done.refused) - SHOWN} more refused")
    if done.left_out:
        names = ", ".join(row.name for row in done.left_out[:SHOWN])
        print(f"{len(done.left_out)} left out, for too little of them got a class (--at-least): {names}")
    if done.rows:
        confidence = sum(row.confidence for row in done.rows) / len(done.rows)
        left = sum(row.open for row in done.rows) / len(done.rows)
        print(f"On average {100 * confidence:.0f} % sure; {100 * left:.0f} % of the pixels are left open.")
        print(f"{output / TABLE} lists them, the least sure first. Look at {output / SHEET}.")
