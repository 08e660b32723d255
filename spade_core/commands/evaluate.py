# SPDX-License-Identifier: Apache-2.0
"""`spade evaluate`: how good are the pictures of a model, in numbers that say what they rest on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import tyro

from .dataset import LayoutName

if TYPE_CHECKING:
    from ..evaluation.published import PublishedProtocol
    from ..evaluation.scenes import PictureSize
    from ..synthesis.synthesizer import Synthesizer


@dataclass(frozen=True)
class Evaluate:
    """Measure the pictures of one or several models on label maps with photos: distances, mIoU, diversity."""

    FIRST: ClassVar = (
        "model", "data", "output", "protocol", "size", "limit", "segmenter", "inception", "seed", "device",
    )  # fmt: skip

    model: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME_OR_FILE")]
    """embedded models by name, or checkpoint files; several are compared on the same maps"""
    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """a data set as docs/data.md describes them"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT")] = Path("evaluation")
    """folder for evaluation.json and report.html"""
    protocol: Literal["coco-stuff", "ade20k", "ade20k-outdoor", "cityscapes", "flickr"] | None = None
    """as the paper measured on this data set: size, fit and subset; what still differs is said beside the numbers"""
    layout: LayoutName = "auto"
    """how the data lie on disk, as of `spade dataset check`"""
    split: Literal["train", "val"] = "val"
    """whose label maps are painted; the other split's photos are what sets of pictures are compared with"""
    size: int | None = None
    """height of the pictures in pixels; left out: what the first model was trained at last. Larger ones are judged at
    that size, except by the plain statistics"""
    upscale: Annotated[str, tyro.conf.arg(metavar="auto|off|NAME")] = "auto"
    """how larger ones are made: painted at the size that the model knows and brought to theirs by the upscaler of this
    name or file (auto: embedded), or painted at their full size (off)"""
    styles: Literal["seeds", "photos"] = "seeds"
    """drawn from picture i's seed, or those of random reference photos"""
    aspect: float | None = None
    """width to height of the pictures; left out: that of what the first model was trained on"""
    fit: Literal["cut", "squeeze"] | None = None
    """cut (left out): the middle of each photo; squeeze: all of it, out of shape, as the published figures"""
    grey_box: bool = False
    """block the label maps out first, as the scenes of Blender users are: how much does that cost?"""
    limit: int | None = None
    """paint so many label maps, evenly spaced by name"""
    reference: int = 1000
    """compare with at most so many photos of the other split"""
    segmenter: Annotated[Path | None, tyro.conf.arg(metavar="FILE_OR_FOLDER")] = None
    """for mIoU: a file of `spade train-segmenter`, or the folder of a Hugging Face segmentation checkpoint"""
    inception: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """pt_inception-2015-12-05-6726825d.pth, for FID and KID; left out: EfficientNet-Lite2 stands in"""
    seed: int = 0
    """picture i is painted with the seed SEED + i"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""

    def run(self) -> int:
        from ..contract.errors import BadOptionError
        from ..data.layouts.layouts import layout_of
        from ..evaluation.build import load_segmenter
        from ..evaluation.candidates import load_candidates, refuse_other_label_sets
        from ..evaluation.evaluator import Evaluator
        from ..evaluation.painting import Painting, chosen_upscaler
        from ..evaluation.published import PROTOCOLS
        from ..evaluation.report import write_report
        from ..evaluation.results import Evaluation
        from ..evaluation.scenes import FEWEST, Comparison, Scenes
        from ..evaluation.styles import DrawnStyles, PhotoStyles, refuse_without_encoder
        from ..evaluation.table import summary
        from ..features.build import feature_network
        from ..files import claim_folder
        from ..progress import progress_bar
        from ..runtime import chosen_device

        if self.limit is not None and self.limit < FEWEST:
            raise BadOptionError(
                f"--limit {self.limit} leaves too few pictures for a distance.", f"Give at least {FEWEST}."
            )
        published = None if self.protocol is None else PROTOCOLS[self.protocol]
        wanted_layout = published.layout if published and self.layout == "auto" else self.layout
        layout = layout_of(self.data, wanted_layout).name
        device = chosen_device(self.device)
        candidates = load_candidates(self.model, self.device)
        models = [candidate.model for candidate in candidates]
        first = models[0]
        segmenter = (
            None if self.segmenter is None else load_segmenter(self.segmenter, first.label_set, device)
        )
        features = feature_network(self.inception).eval().to(device)
        full, judged = self._sizes(first, published)
        scenes = Scenes.of(self.data, self.split, first.label_set, judged, self.limit, self.grey_box, layout)
        refuse_other_label_sets(models, scenes)
        comparison = Comparison.of(scenes, self.data, self.split, self.reference, layout)
        if self.styles == "photos":
            refuse_without_encoder(models)
        painting = Painting(
            (full.height, full.width), self.seed,
            PhotoStyles(comparison.reference) if self.styles == "photos" else DrawnStyles(),
            chosen_upscaler(self.upscale, full.height > judged.height, self.device),
        )  # fmt: skip
        claim_folder(self.output)
        with progress_bar() as progress:
            evaluator = Evaluator(comparison, features, segmenter, painting, progress)
            results = [evaluator.evaluate(candidate) for candidate in candidates]
            protocol = evaluator.protocol(self.data.resolve().name, layout, self.split)
            if published is not None:
                departures = tuple(published.departures(protocol))
                protocol = replace(protocol, published=published.name, departures=departures)
            evaluation = Evaluation(protocol, evaluator.real, results)
            for line in summary(evaluation):  # first: a full disk takes no number away
                print(line)
            evaluation.write(self.output / "evaluation.json")
            write_report(self.output / "report.html", evaluation, evaluator, candidates)
        print(self.output / "report.html")
        return 0

    def _sizes(
        self, model: Synthesizer, published: PublishedProtocol | None
    ) -> tuple[PictureSize, PictureSize]:
        """Of the pictures, and of what is judged: no larger than what the model was trained on."""
        from ..evaluation.scenes import PictureSize

        trained = model.trained_size or (model.native_size, model.native_size)
        if published is not None and self.size is None and self.aspect is None:
            full = replace(published.size, fit=self.fit or published.size.fit)
            return full, full
        height = self.size or trained[0]
        aspect = trained[1] / trained[0] if self.aspect is None else self.aspect
        fit = self.fit or (published.size.fit if published is not None else "cut")
        judged = min(height, trained[0])
        return PictureSize(height, round(height * aspect), fit), PictureSize(
            judged, round(judged * aspect), fit
        )
