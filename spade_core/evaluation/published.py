# SPDX-License-Identifier: Apache-2.0
"""The paper's evaluations (table 1), data set by data set: what they were, and in what another one departs from it."""

from __future__ import annotations

from dataclasses import dataclass

from .results import EvaluationProtocol
from .scenes import Fit, PictureSize


@dataclass(frozen=True)
class PublishedProtocol:
    """How the paper measured on one data set."""

    name: str
    size: PictureSize
    layout: str
    """Which of a data set's subsets, by layout; "auto": as it lies on disk."""
    pictures: int | None
    """The validation split's; None where that is not known."""
    judge: str | None
    """The network of mIoU and pixel accuracy; None where there was none."""

    def departures(self, found: EvaluationProtocol) -> list[str]:
        """In what an evaluation is not the paper's, in words; none: its numbers may stand beside the paper's."""
        told = []
        size, judged = (found.width, found.height), self.size
        if size != (judged.width, judged.height):
            told.append(
                f"pictures of {size[0]} x {size[1]}, the paper's are {judged.width} x {judged.height}"
            )
        if found.frame != judged.description and size == (judged.width, judged.height):
            told.append("photos are cut, where the paper squeezes them")
        if self.pictures is not None and found.pictures != self.pictures:
            told.append(f"{found.pictures:,} label maps, the paper has {self.pictures:,}")
        if found.split != "val":
            told.append(f"those of the split '{found.split}', the paper's are 'val'")
        if found.blocked_out:
            told.append("label maps are blocked out")
        if found.frechet != "FID":
            told.append("distances by a stand-in, the paper's is Inception's FID (--inception)")
        told += self._other_judge(found.segmenter)
        return told

    def _other_judge(self, segmenter: str | None) -> list[str]:
        if self.judge is None:
            return [] if segmenter is None else ["mIoU and accuracy are measured, the paper has none here"]
        said = "no judge" if segmenter is None else f"judged by {segmenter}"
        return [f"{said}, the paper's is {self.judge} (--segmenter takes SegFormer, Mask2Former and ours)"]


def _squeezed(height: int, width: int) -> PictureSize:
    fit: Fit = "squeeze"
    return PictureSize(height, width, fit)


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        PublishedProtocol("coco-stuff", _squeezed(256, 256), "coco_stuff", 5000, "DeepLabV2"),
        PublishedProtocol("ade20k", _squeezed(256, 256), "ade20k", 2000, "UperNet101"),
        PublishedProtocol("ade20k-outdoor", _squeezed(256, 256), "ade20k-outdoor", None, "UperNet101"),
        PublishedProtocol("cityscapes", _squeezed(256, 512), "cityscapes", 500, "DRN-D-105"),
        # its label maps are predicted: mIoU against them would judge the segmenter that made them
        PublishedProtocol("flickr", _squeezed(256, 256), "auto", 1000, None),
    )
}
"""By the word after --protocol."""
