# SPDX-License-Identifier: Apache-2.0
"""What was aimed at, and what keeps it from being reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .results import Results
from .systems import EXACT, MOVED_OBJECT, NEW_STYLE, PREVIEW

Number = Callable[[Results], float | None]


@dataclass(frozen=True)
class Target:
    """most: what is measured may be `bound` at most, else at least. Why it is not says a profile, or `reason` in words;
    otherwise: what to say where it is not measured."""

    what: str
    bound: float
    measured: Number
    most: bool = False
    unit: str = "x"
    profile: str = ""
    reason: str = ""
    otherwise: str = ""

    @property
    def wanted(self) -> str:
        return f"{'<=' if self.most else '>='} {self.bound:g} {self.unit}"

    def is_met(self, measured: float) -> bool:
        return measured <= self.bound if self.most else measured >= self.bound

    def why(self, results: Results) -> str:
        if self.reason:
            return f"missed: {self.reason}"
        profile = results.profiles.get(self.profile)
        plain = results.rows.get(f"{self.profile} plain")
        if profile is None or plain is None:
            return "missed"
        return (
            f"missed: the multiplications alone, at the {profile.peak:.0f} GFLOP/s that the kernel reaches at best, "
            f"take {profile.floor:.3f} s, so nothing is over {plain.seconds / profile.floor:.1f} x; labels take "
            f"{profile.labels / profile.seconds:.0%}, and of the convolutions' time "
            f"{1 - profile.floor / profile.convolutions:.0%} is norms, transforms and memory"
        )


def _ratio(case: str, system: str = EXACT) -> Number:
    return lambda results: (
        results.rows[f"{case} {system}"].ratio if f"{case} {system}" in results.rows else None
    )


def _beside(case: str, system: str, other: str) -> Number:
    """How many times as long as the other."""

    def number(results: Results) -> float | None:
        rows = [results.rows.get(f"{case} {name}") for name in (system, other)]
        first, second = rows
        return None if first is None or second is None else first.seconds / second.seconds

    return number


def _memory(results: Results) -> float | None:
    row = results.rows.get("embedded median 1024 ours")
    return None if row is None else row.mebibytes


def _of_large(side: str, what: str) -> Number:
    return lambda results: getattr(results.large[side], what) if side in results.large else None


COARSE = (
    "in coarse maps most pixels have a neighbourhood of their own, so that labels are convolved anew; the rest is "
    "comparing the maps, and gathering what is known"
)
NO_PREVIEW = "where a processor has no bfloat16, a preview is the exact picture"
STYLE, MOVED = EXACT + NEW_STYLE, EXACT + MOVED_OBJECT

TARGETS = (
    Target("COCO width, 256, median map", 5, _ratio("coco median 256"), profile="coco median 256"),
    Target("the same, hard map", 3.8, _ratio("coco hard 256"), profile="coco median 256"),
    Target("COCO width, 512, median map", 6, _ratio("coco median 512"), profile="coco median 256"),
    Target("COCO width, 256, new style", 7, _ratio("coco median 256", STYLE), profile="coco median 256"),
    Target("COCO width, 256, preview", 7.5, _ratio("coco median 256", PREVIEW), otherwise=NO_PREVIEW),
    Target("the same, new style", 14, _ratio("coco median 256", PREVIEW + NEW_STYLE), otherwise=NO_PREVIEW),
    Target("embedded, 256", 3, _ratio("embedded median 256"), profile="embedded median 256"),
    Target("embedded, 512", 3, _ratio("embedded median 512"), profile="embedded median 512"),
    Target(
        "embedded, 256, OpenVINO's time by ours", 1.5, _beside("embedded median 256", "OpenVINO f32", "ours"),
        profile="embedded median 256",
    ),
    Target(
        "embedded, 512, OpenVINO's time by ours", 1.5, _beside("embedded median 512", "OpenVINO f32", "ours"),
        profile="embedded median 512",
    ),
    Target("embedded, 512, new style", 4, _ratio("embedded median 512", STYLE), profile="embedded median 512"),
    *(
        Target(f"embedded, {side}, preview", 6, _ratio(f"embedded median {side}", PREVIEW), otherwise=NO_PREVIEW)
        for side in (256, 512)
    ),
    *(
        Target(
            f"{name}, OpenVINO's time in bfloat16 by a preview's", 1,
            _beside(case, "OpenVINO bf16", PREVIEW), otherwise=NO_PREVIEW,
        )
        for name, case in (
            ("embedded, 256", "embedded median 256"), ("embedded, 512", "embedded median 512"),
            ("COCO width, 256", "coco median 256"),
        )
    ),
    Target(
        "embedded, 256, an object moved, by the style alone", 1.2, _beside("embedded median 256", MOVED, STYLE), True,
        reason=COARSE,
    ),
    Target(
        "embedded, 512, an object moved, by the style alone", 1.2, _beside("embedded median 512", MOVED, STYLE), True,
        reason=COARSE,
    ),
    Target(
        "COCO width, 256, an object moved, by the style alone", 1.2, _beside("coco median 256", MOVED, STYLE), True,
        reason=COARSE,
    ),
    Target("embedded, 1024, memory", 1536, _memory, True, "MiB"),
    Target("4096 in tiles", 60, _of_large("4096", "seconds"), True, "s"),
    Target("4096 in tiles, memory", 3072, _of_large("4096", "mebibytes"), True, "MiB"),
    Target("8192 in tiles, memory", 3072, _of_large("8192", "mebibytes"), True, "MiB"),
)  # fmt: skip
