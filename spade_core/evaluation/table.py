# SPDX-License-Identifier: Apache-2.0
"""The table of an evaluation: numbers by column, photos and models by row; for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .charts import short
from .results import Evaluation, ModelResult
from .statistics import BLACK, WHITE, Statistics

LOWER, HIGHER = "lower is nearer to photos", "higher is better"


@dataclass(frozen=True)
class Column:
    """One number of the table: of a model, and of photos where they have one."""

    title: str
    note: str
    of: Callable[[ModelResult], float | None]
    real: float | None
    better: str = ""
    """LOWER, HIGHER, or neither."""
    spread: Callable[[ModelResult], float] | None = None
    real_spread: float | None = None
    enlarged: float | None = None
    """Of enlarged photos, where pictures are larger than they are judged."""
    enlarged_spread: float | None = None


STATISTICS: list[tuple[str, str, Callable[[Statistics], float | None]]] = [
    ("chroma", "mean of max - min of RGB", lambda found: found.chroma),
    ("lightness", "mean luma", lambda found: found.lightness),
    ("spread of lightness", "within a picture", lambda found: found.spread),
    ("black", f"share of pixels, luma at most {BLACK}", lambda found: found.black),
    ("white", f"share of pixels, luma at least {WHITE}", lambda found: found.white),
    ("Laplacian", "mean |Laplacian| of luma", lambda found: found.laplacian),
]
"""Title, note and value of each plain statistic."""


def table_columns(evaluation: Evaluation) -> list[Column]:
    protocol, real = evaluation.protocol, evaluation.real
    enlarged = None if real.enlarged is None else real.enlarged.distance
    reference = f"against {protocol.reference_pictures} other photos"
    columns = [
        Column(
            protocol.frechet, reference, lambda model: model.distance.frechet, real.floor.frechet, better=LOWER,
            enlarged=enlarged and enlarged.frechet,
        ),
        Column(
            protocol.kernel, reference, lambda model: model.distance.kernel.mean, real.floor.kernel.mean, LOWER,
            lambda model: model.distance.kernel.std, real.floor.kernel.std,
            enlarged and enlarged.kernel.mean, enlarged and enlarged.kernel.std,
        ),
        Column(
            protocol.frechet, "against the photos of the same label maps",
            lambda model: model.distance_same.frechet, None, LOWER,
        ),
    ]  # fmt: skip
    if (agreement := real.agreement) is not None:
        judge = f"by {protocol.segmenter}"
        columns += [
            Column("mIoU", judge, lambda model: model.agreement and model.agreement.miou, agreement.miou, HIGHER),
            Column(
                "pixel accuracy", judge, lambda model: model.agreement and model.agreement.pixel_accuracy,
                agreement.pixel_accuracy, HIGHER,
            ),
        ]  # fmt: skip
    different = "photos: of different scenes"
    columns.append(Column("diversity over styles", different, lambda model: model.diversity, real.difference))
    columns += statistics_columns(evaluation)
    columns.append(
        Column("seconds a picture", protocol.hardware, lambda model: model.seconds_per_picture, None)
    )
    return columns


def statistics_columns(evaluation: Evaluation) -> list[Column]:
    """The plain statistics of whole pictures, at their full size.

    Photos as they are have no Laplacian beside larger pictures: it falls where the same thing takes more pixels.
    """
    real, photos = evaluation.real, evaluation.real.statistics.whole
    columns = []
    for title, note, value in STATISTICS:
        comparable = real.enlarged is None or title != "Laplacian"
        columns.append(
            Column(
                title, note, lambda model, value=value: value(model.statistics.whole),
                value(photos) if comparable else None,
                enlarged=None if real.enlarged is None else value(real.enlarged.statistics.whole),
            )
        )  # fmt: skip
    return columns


def table_rows(evaluation: Evaluation, columns: list[Column]) -> list[dict[str, Any]]:
    photos = {"real photos": [_text(column.real, column.real_spread) for column in columns]}
    if evaluation.real.enlarged is not None:
        photos[enlarged_photos(evaluation)] = [
            _text(column.enlarged, column.enlarged_spread) for column in columns
        ]
    rows: list[dict[str, Any]] = [
        {"name": name, "real": True, "cells": [{"text": text, "best": False} for text in texts]}
        for name, texts in photos.items()
    ]
    best = [_best(evaluation.models, column) for column in columns]
    for model in evaluation.models:
        cells = []
        for column, winner in zip(columns, best, strict=True):
            value = column.of(model)
            spread = None if column.spread is None else column.spread(model)
            cells.append({"text": _text(value, spread), "best": winner is not None and value == winner})
        rows.append({"name": model.name, "real": False, "cells": cells})
    return rows


def enlarged_photos(evaluation: Evaluation) -> str:
    """The name of their row."""
    assert evaluation.real.enlarged is not None
    return f"photos, enlarged by {evaluation.real.enlarged.upscaler}"


def class_statistics(evaluation: Evaluation) -> list[dict[str, Any]]:
    """By class, the most frequent first, and in it by whose pictures: share of pixels, and each plain statistic."""
    real = evaluation.real
    sources = {"real photos": real.statistics.by_class}
    if real.enlarged is not None:
        sources["enlarged photos"] = real.enlarged.statistics.by_class
    sources |= {model.name: model.statistics.by_class for model in evaluation.models}
    most: dict[str, float] = {}
    for by_class in sources.values():
        for name, found in by_class.items():
            most.setdefault(name, found.share)
    rows = []
    for name in sorted(most, key=lambda name: -most[name]):
        for source, by_class in sources.items():
            if (found := by_class.get(name)) is None:
                continue
            values = [value(found) for _, _, value in STATISTICS]
            if source == "real photos" and real.enlarged is not None:
                values[-1] = None  # as in statistics_columns
            texts = [_text(value, None) for value in values]
            rows.append({"class": name, "source": source, "share": found.share, "cells": texts})
    return rows


def _best(models: list[ModelResult], column: Column) -> float | None:
    values = [value for model in models if (value := column.of(model)) is not None]
    if len(values) < 2 or not column.better:
        return None
    return max(values) if column.better == HIGHER else min(values)


def _text(value: float | None, spread: float | None) -> str:
    if value is None:
        return "–"
    return short(value) if spread is None else f"{short(value)} ± {short(spread)}"


def summary(evaluation: Evaluation) -> list[str]:
    """The table in plain text, for the terminal."""
    columns = table_columns(evaluation)
    rows = table_rows(evaluation, columns)
    names = [", ".join(filter(None, (column.title, column.note))) for column in columns]
    protocol = evaluation.protocol
    lines = [
        f"{protocol.pictures} label maps ({protocol.label_maps}) of the split '{protocol.split}' of "
        f"'{protocol.data}' ({protocol.layout}), {painted(evaluation)}"
    ]
    if protocol.published is not None:
        lines.append(
            f"by the paper's protocol for {protocol.published}" + (", but:" if protocol.departures else "")
        )
        lines += [f"  {said}" for said in protocol.departures]
    lines += [f"{model.name} sees objects by {model.objects}" for model in evaluation.models if model.objects]
    for row in rows:
        lines.append(row["name"])
        lines += [
            f"  {name:<{max(map(len, names))}}  {cell['text']}"
            for name, cell in zip(names, row["cells"], strict=True)
        ]
    return lines


def painted(evaluation: Evaluation) -> str:
    """At which size the pictures were painted, enlarged and judged."""
    protocol = evaluation.protocol
    size = f"{protocol.width} x {protocol.height}"
    if evaluation.real.enlarged is None:
        return f"painted at {size}"
    judged = f"judged at {protocol.judged_width} x {protocol.judged_height}"
    if protocol.upscaler is None:
        return f"painted at {size}, {judged}"
    small = sorted({(model.painted_width, model.painted_height) for model in evaluation.models})
    listed = " and ".join(f"{width} x {height}" for width, height in small)
    return f"painted at {listed}, brought to {size} by {protocol.upscaler}, {judged}"
