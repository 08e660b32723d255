# SPDX-License-Identifier: Apache-2.0
"""`spade study` and `spade study-results`: which pictures do people prefer, and which do they take for photos?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import tyro

from .dataset import LayoutName

if TYPE_CHECKING:
    from ..evaluation.preference import Count


@dataclass(frozen=True)
class Study:
    """Write a page that shows people pictures of models, other systems and cameras, and saves what they prefer."""

    FIRST: ClassVar = ("data", "output", "ask", "split", "pairs", "size", "aspect", "crop", "seed", "device")

    compared: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="MODEL|FOLDER|photos")]
    """two or more: embedded models by name, checkpoint files, folders of pictures that are named as the label maps are
    (another system's, or published ones), or `photos`, those of the label maps"""
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """a data set as docs/data.md describes them; left out: folders are compared without label maps"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="OUT.html")] = Path("study.html")
    """the page: one file, which can be sent by mail or put on any server"""
    ask: Literal["prefer", "photo"] = "prefer"
    """prefer: which of two pictures looks more real; photo: pictures one by one, is this a photo?"""
    layout: LayoutName = "auto"
    """how the data lie on disk, as of `spade dataset check`"""
    split: Literal["train", "val"] = "val"
    """whose label maps are painted"""
    pairs: int = 40
    """label maps to show, evenly spaced by name: every two that are compared are compared on each"""
    size: int = 256
    """height of the pictures in pixels; models paint larger ones as users get them, with the upscaler"""
    aspect: float = 1.0
    """width to height of the pictures; label maps are cut in the middle"""
    crop: int | None = None
    """show a square of so many pixels of each, at a place drawn from the seed, in place of the whole"""
    seed: int = 0
    """of styles, noise, sides and crops"""
    device: str = "auto"
    """auto, cpu, cuda or mps"""

    def run(self) -> int:
        from ..contract.errors import BadOptionError
        from ..data.layouts.layouts import label_set_of
        from ..evaluation.candidates import load_candidates, refuse_other_label_sets
        from ..evaluation.pictures import PHOTOS, is_picture_folder, source_of
        from ..evaluation.scenes import PictureSize, Scenes
        from ..evaluation.study import PreferenceStudy
        from ..files import claim
        from ..progress import progress_bar

        claim(self.output)
        size = PictureSize(self.size, round(self.size * self.aspect))
        named = [word for word in self.compared if word != PHOTOS and not is_picture_folder(word)]
        candidates = dict(zip(named, load_candidates(named, self.device), strict=True))
        models = [candidate.model for candidate in candidates.values()]
        scenes = None
        if self.data is not None:
            label_set = models[0].label_set if models else label_set_of(self.data, self.layout)
            scenes = Scenes.of(self.data, self.split, label_set, size, layout=self.layout)
            refuse_other_label_sets(models, scenes)
        elif models or PHOTOS in self.compared:
            raise BadOptionError(
                "Models paint label maps, and photos are those of label maps.",
                "Name a data set with --data; without one, folders of pictures are compared.",
            )
        sources = [
            source_of(word, candidates.get(word), size, self.seed, self.device) for word in self.compared
        ]
        study = PreferenceStudy.of(sources, scenes, self.pairs, self.ask, self.seed, self.crop)
        with progress_bar() as progress:
            digest = study.write(self.output, progress)
        print(
            f"{self.output}: {len(study.trials())} questions on {len(study.names)} names, study {digest[:8]}"
        )
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
        from ..evaluation.answers import Answers
        from ..evaluation.preference import preference

        if not self.answers:
            raise BadAnswersError("No answers were named.", "Name the files that the study page saved.")
        found = preference([Answers.read(path) for path in self.answers])
        for count in found.counts:
            for line in _told(count):
                print(line)
        if found.left is not None:
            print(f"The left picture was chosen in {found.left:.0%} of the answers.")
        if found.unanswered:
            print(f"{found.unanswered} questions were left unanswered.")
        return 0


def _told(count: Count) -> list[str]:
    people = f"{len(count.raters)} people" if len(count.raters) > 1 else "one person"
    lines = [
        f"{count.said} in {count.by_answer.value:.1%} of {count.answers} answers by {people}.",
        f"  95 % interval, as if all judged alike (Wilson) {count.by_answer}",
    ]
    if count.over_people is None:
        lines.append("  one person's answers say nothing of what other people would say")
    else:
        lines.append(f"  95 % interval over people (Student's t)        {count.over_people}")
    return lines + [f"  {rater:<46} {share}" for rater, share in count.raters.items()]
