# SPDX-License-Identifier: Apache-2.0
"""`spade study` and `spade study-results`: which of two models do people prefer?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from .dataset import LayoutName

Model = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME_OR_FILE")]


@dataclass(frozen=True)
class Study:
    """Write a page that shows people the pictures of two models side by side and saves what they prefer."""

    first: Model
    """an embedded model by name, or a checkpoint file"""
    second: Model
    """the one it is compared with"""
    data: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """a data set as docs/data.md describes them"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT.html")] = Path("study.html")
    """the page: one file, which can be sent by mail or put on any server"""
    layout: LayoutName = "auto"
    """how the data lie on disk, as of `spade dataset check`"""
    split: Literal["train", "val"] = "val"
    """whose label maps are painted"""
    pairs: int = 40
    """label maps to show, evenly spaced by name"""
    size: int = 256
    """height of the pictures in pixels"""
    aspect: float = 1.0
    """width to height of the pictures; label maps are cut in the middle"""
    seed: int = 0
    """of styles, noise and sides"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""

    def run(self) -> int:
        from ..evaluation.candidates import load_candidates
        from ..evaluation.scenes import PictureSize, Scenes
        from ..evaluation.study import PreferenceStudy
        from ..files import claim
        from ..progress import progress_bar

        claim(self.output)
        first, second = load_candidates((self.first, self.second), self.device)
        size = PictureSize(self.size, round(self.size * self.aspect))
        label_set = first.model.label_set
        scenes = Scenes.of(self.data, self.split, label_set, size, self.pairs, layout=self.layout)
        study = PreferenceStudy(first, second, scenes, self.seed)
        with progress_bar() as progress:
            study.write(self.output, progress)
        print(f"{self.output}: {len(scenes)} pairs, study {study.digest[:8]}")
        print("Each person opens it in a browser, answers, and sends back the file that it saves;")
        print("then: spade study-results ANSWERS.json ...")
        return 0


@dataclass(frozen=True)
class StudyResults:
    """Count the answers of a study: percentages with 95 % confidence intervals."""

    answers: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="ANSWERS.json")]
    """files that the study page saved, one a person"""

    def run(self) -> int:
        from ..contract.errors import BadAnswersError
        from ..evaluation.preference import Answers, preference

        if not self.answers:
            raise BadAnswersError("No answers were named.", "Name the files that the study page saved.")
        found = preference([Answers.read(path) for path in self.answers])
        first, second = found.models
        people = f"{len(found.raters)} people" if len(found.raters) > 1 else "one person"
        print(
            f"{first} is preferred to {second} in {found.by_answer.value:.1%} of {found.answers} answers by {people}."
        )
        print(f"  95 % interval over answers (Wilson)      {found.by_answer}")
        if found.by_rater is not None:
            print(f"  95 % interval over people (bootstrap)    {found.by_rater}")
        for rater, share in found.raters.items():
            print(f"  {rater:<40} {share}")
        print(f"  the left picture was chosen in {found.left:.0%} of the answers")
        if found.unanswered:
            print(f"  {found.unanswered} pairs were left unanswered")
        return 0
