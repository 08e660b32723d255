# SPDX-License-Identifier: Apache-2.0
"""`spade review`: what a training gave, and whether more photos or more hours would help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from .dataset import LayoutName


@dataclass(frozen=True)
class ReviewTraining:
    """Say what a training has given: against photos, by heart or not, and what would help it."""

    run_folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """the training's folder"""
    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """the data set that it was trained on"""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="OUT.html")] = None
    """the page; left out: review.html in the training's folder"""
    layout: LayoutName = "auto"
    """how the data lie on disk, as of `spade dataset check`"""
    limit: int = 200
    """label maps that are painted with each model, at most"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""

    def run(self) -> int:
        from ..contract.errors import BadOptionError
        from ..data.layouts.layouts import layout_of
        from ..evaluation.candidates import load_candidates
        from ..evaluation.painting import Painting
        from ..evaluation.review import verdict
        from ..evaluation.review_page import models_to_review, reviewed, write_review
        from ..evaluation.scenes import FEWEST, PictureSize
        from ..evaluation.styles import DrawnStyles
        from ..features.build import feature_network
        from ..files import claim
        from ..progress import progress_bar
        from ..runtime import chosen_device

        if self.limit < FEWEST:
            raise BadOptionError(
                f"--limit {self.limit} leaves too few pictures for a distance.", f"Give at least {FEWEST}."
            )
        models = models_to_review(self.run_folder)
        page = self.output or self.run_folder / "review.html"
        claim(page)
        layout = layout_of(self.data, self.layout).name
        candidates = load_candidates([str(model) for model in models], self.device)
        newest = candidates[-1].model
        height, width = newest.trained_size or (newest.native_size, newest.native_size)
        features = feature_network(None).eval().to(chosen_device(self.device))
        with progress_bar() as progress:
            review = reviewed(
                candidates, self.data, layout, features, PictureSize(height, width), self.limit,
                Painting((height, width), 0, DrawnStyles(), None), progress,
            )  # fmt: skip
        for sentence in verdict(review):
            print(sentence)
        write_review(page, review, self.run_folder.resolve().name, self.data.resolve().name)
        print(page)
        return 0
