# SPDX-License-Identifier: Apache-2.0
"""What a training has given, and what would help it: more photos, more hours, or neither.

Everything rests on the kernel distance above its floor, which is that of real photos: it has no bias by the number of
pictures, so that held-out and training label maps may be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SURE = 2.0
"""Standard deviations from which on a difference counts."""
LEARNT_BY_HEART = 0.25
"""Share of the distance above which held-out label maps are painted worse than those of the training."""
STILL_FALLS = 0.05
"""Share of the distance that the last part of the training must have brought, to say that it goes on."""
FEW_PHOTOS = 20
"""Photos with a class under which it is called rare."""


@dataclass(frozen=True)
class Point:
    """A model of the run: how far its pictures are from photos, above the floor, and how sure that is."""

    name: str
    images_seen: int
    above: float
    spread: float


@dataclass(frozen=True)
class ClassShare:
    """How much of a class the training label maps have. photos: with any of it, of those that were looked at."""

    name: str
    share: float
    photos: int


@dataclass(frozen=True)
class Review:
    """held_out: models by photos seen, on label maps that were set aside. known: the last one on those it was trained
    on; None where nothing was set aside, and `held_out` is of training label maps. photos: in the training split."""

    held_out: Sequence[Point]
    known: Point | None
    photos: int
    classes: Sequence[ClassShare]
    looked_at: int

    @property
    def last(self) -> Point:
        return self.held_out[-1]

    @property
    def best(self) -> Point:
        return min(self.held_out, key=lambda point: point.above)


def verdict(review: Review) -> list[str]:
    """In sentences, the most important first."""
    return [_level(review), *_best(review), *_advice(review), *_rare(review)]


def _level(review: Review) -> str:
    last = review.last
    if last.above < SURE * last.spread:
        return (
            f"{last.name} cannot be told from photos by this measure: take people's word next (spade study)."
        )
    return f"{last.name} is {last.above:.2g} ± {last.spread:.1g} above the photos' floor (kernel distance)."


def _best(review: Review) -> list[str]:
    best, last = review.best, review.last
    if best is last or not _surely(last.above - best.above, last, best):
        return []
    return [
        f"An earlier model was better: take {best.name}, {best.above:.2g} above the floor; what came later harmed it."
    ]


def _advice(review: Review) -> list[str]:
    more_hours = _falls(review)
    if review.known is None:
        told = [
            "No photo is set aside, so nobody can say whether it learns by heart: give some the split 'val'."
        ]
    else:
        told = []
    by_heart = review.known is not None and _by_heart(review)
    if by_heart and review.known is not None:
        told.append(
            f"More photos would help: what it was trained on it paints at {review.known.above:.2g}, what it has not "
            f"seen at {review.last.above:.2g}. It begins to know its {review.photos} photos by heart."
        )
    if more_hours is not None:
        told.append(
            f"More hours would help: the last {more_hours[0]:,} photos seen still brought {more_hours[1]:.0%} of the "
            "distance." + (" With the photos there are, that will end soon." if by_heart else "")
        )
    if not by_heart and more_hours is None and review.last.above >= SURE * review.last.spread:
        told.append(_neither(review))
    return told


def _neither(review: Review) -> str:
    if len(review.held_out) < 2:
        return "There is one model so far: whether more hours would help is seen from the second one on."
    return (
        "Neither more hours nor, as far as can be seen, more photos of this kind would help: it no longer falls, and "
        "paints what it has not seen as well as what it has. Look at the label maps (spade dataset check), then at a "
        "wider network."
    )


def _falls(review: Review) -> tuple[int, float] | None:
    """Photos seen in the last part of the training, and the share of the distance that they brought, if they did."""
    if len(review.held_out) < 2:
        return None
    before, last = review.held_out[-2:]
    brought = before.above - last.above
    if before.above <= 0 or brought < STILL_FALLS * before.above or not _surely(brought, before, last):
        return None
    return last.images_seen - before.images_seen, brought / before.above


def _by_heart(review: Review) -> bool:
    known, last = review.known, review.last
    if known is None:
        return False
    gap = last.above - known.above
    return gap > LEARNT_BY_HEART * last.above and _surely(gap, last, known)


def _rare(review: Review) -> list[str]:
    """Classes with few examples in the whole training split."""
    scale = review.photos / max(1, review.looked_at)
    rare = [
        f"{each.name} ({round(each.photos * scale)})"
        for each in review.classes
        if each.photos * scale < FEW_PHOTOS
    ]
    return [f"Too few photos for some classes, however long it trains: {', '.join(rare)}."] * bool(rare)


def _surely(difference: float, first: Point, second: Point) -> bool:
    return difference > SURE * (first.spread**2 + second.spread**2) ** 0.5
