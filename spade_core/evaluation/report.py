# SPDX-License-Identifier: Apache-2.0
"""The page that shows an evaluation: one HTML file with its pictures inside, nothing is loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..files import write_text
from .candidates import Candidate
from .charts import Chart, line_chart, short
from .evaluator import Evaluator
from .grids import extremes, side_by_side, style_rows
from .results import Evaluation, ModelResult
from .table import STATISTICS, Column, class_statistics, painted, table_columns, table_rows


def write_report(
    path: Path, evaluation: Evaluation, evaluator: Evaluator, candidates: list[Candidate]
) -> None:
    """Raises CannotWriteError."""
    columns = table_columns(evaluation)
    environment = Environment(
        loader=PackageLoader("spade_core.evaluation", "pages"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    pairs = list(zip(candidates, evaluation.models, strict=True))
    axis, charts = curves(evaluation, columns)
    page = environment.get_template("report.html").render(
        models=evaluation.models, protocol=evaluation.protocol, painted=painted(evaluation), columns=columns,
        rows=table_rows(evaluation, columns), notes=notes(evaluation), charts=charts, chart_axis=axis,
        classes=class_rows(evaluation), statistics=class_statistics(evaluation),
        statistics_titles=[title for title, _, _ in STATISTICS], side_by_side=side_by_side(evaluator, candidates),
        styles=[
            {"name": result.name, "rows": rows}
            for candidate, result in pairs if (rows := style_rows(evaluator, candidate))
        ],
        extremes=[block for candidate, result in pairs for block in extremes(evaluator, candidate, result)],
        protocol_rows=protocol_rows(evaluation),
    )  # fmt: skip
    write_text(path, page)


def notes(evaluation: Evaluation) -> list[str]:
    """What a reader must know before comparing."""
    protocol, real = evaluation.protocol, evaluation.real
    found = [
        "The row of real photos is the floor of a distance (the photos of the same label maps against the same "
        "reference photos, by the same code) and the ceiling of an agreement (the segmenter on those photos)."
    ]
    fewest = min(protocol.pictures, protocol.reference_pictures)
    if fewest <= protocol.feature_count:
        found.append(
            f"{fewest} pictures do not fill a covariance of {protocol.feature_count} numbers: the Frechet distances "
            "are biased upwards, the floor with them. Compare them only at this number of pictures; the kernel "
            "distance has no such bias."
        )
    if protocol.published is not None:
        said = "; ".join(protocol.departures)
        found.append(
            f"The paper's protocol for {protocol.published} was asked for. "
            + (f"Not as there: {said}." if said else "It was kept in all.")
        )
    if protocol.frechet != "FID":
        found.append(
            f"The features are those of {protocol.features}, not of Inception: these distances are no FID and must "
            "not stand beside published ones."
        )
    if real.agreement is None:
        found.append("No segmenter was named, so mIoU and pixel accuracy are not measured.")
    if real.enlarged is not None:
        laplacian = real.statistics.whole.laplacian
        found.append(
            f"Distances, agreement and diversity are measured at {protocol.judged_width} x {protocol.judged_height}, "
            f"the plain statistics at {protocol.width} x {protocol.height}. The Laplacian depends on the size (that of "
            f"these photos as they are is {short(laplacian or 0)}): compare it with that of the enlarged photos."
        )
    return found


def curves(evaluation: Evaluation, columns: list[Column]) -> tuple[str, list[Chart]]:
    """The axis in words, and one chart a number that photos have too; none for a single model.

    Only models of one training are joined by a line.
    """
    models = evaluation.models
    if len(models) < 2:
        return "", []
    seen = [model.images_seen for model in models if model.images_seen is not None]
    if len(seen) == len(models) and len(set(seen)) > 1:
        models = sorted(models, key=lambda model: model.images_seen or 0)
        axis, xs = "photos seen in training", sorted(map(float, seen))
        ticks = [f"{model.name}: {int(x):,}" for model, x in zip(models, xs, strict=True)]
    else:
        axis, xs = "the order in which the models were named", [float(place) for place in range(len(models))]
        ticks = [model.name for model in models]
    trainings = {model.training for model in models if model.training is not None}
    joined = [
        [place for place, model in enumerate(models) if model.training == training]
        for training in sorted(trainings)
    ]
    charts = []
    for column in columns:
        values = [value for model in models if (value := column.of(model)) is not None]
        if column.real is not None and len(values) == len(models):
            title = ", ".join(filter(None, (column.title, column.note)))
            charts.append(line_chart(title, xs, values, ticks, column.real, joined))
    return axis, charts


def class_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """By class, the most frequent first."""
    real = evaluation.real.agreement
    if real is None:
        return []
    agreements = [model.agreement for model in evaluation.models if model.agreement is not None]
    names = sorted(real.iou, key=lambda name: -real.share[name])
    return [
        {
            "name": name, "share": real.share[name],
            "ious": [real.iou[name], *(agreement.iou.get(name, 0.0) for agreement in agreements)],
        }
        for name in names
    ]  # fmt: skip


def protocol_rows(evaluation: Evaluation) -> list[tuple[str, str]]:
    """What every number rests on, in words."""
    protocol, kernel = evaluation.protocol, evaluation.real.floor.kernel
    enlarging = "; enlarged class by class (bicubic, the strongest wins)" if evaluation.real.enlarged else ""
    shrinking = "; larger pictures by Lanczos" if evaluation.real.enlarged else ""
    return [
        ("data", f"“{protocol.data}”, laid out as “{protocol.layout}”"),
        (
            "pictures",
            f"{protocol.pictures}, one a label map of the split “{protocol.split}”, {painted(evaluation)}",
        ),
        ("seeds", protocol.seeds),
        ("label maps", protocol.label_maps + enlarging),
        ("frame", protocol.frame + shrinking),
        ("reference photos", f"{protocol.reference_pictures}: {protocol.reference}"),
        ("features", f"{protocol.features}, {protocol.feature_count} numbers a picture"),
        ("resize for them", protocol.feature_resize),
        ("Frechet distance", "between Gaussians fitted to the features (Heusel et al., 2017)"),
        (
            "kernel distance",
            "unbiased squared MMD with the kernel (x·y/d + 1)³ (Bińkowski et al., 2018); "
            f"mean ± standard deviation over {kernel.subsets} random subsets of {kernel.subset_size}",
        ),
        ("segmenter", protocol.segmenter or "none"),
        (
            "mIoU",
            "over all pixels of the split; mean over the classes that occur in its label maps; "
            "pixels labelled “any” are left out",
        ),
        ("diversity", protocol.diversity),
        ("plain statistics", protocol.statistics),
        (
            "perceptual distance",
            "squared difference of the feature maps, channels brought to length one, averaged over positions, "
            "summed over maps (as LPIPS, with equal weights)",
        ),
        ("objects", objects(evaluation)),
        ("models", "; ".join(map(_identified, evaluation.models))),
        ("measured with", f"{protocol.program}, {protocol.hardware}"),
    ]


def objects(evaluation: Evaluation) -> str:
    """What each network that asks for it was told of where objects end."""
    told = [f"{model.name}: by {model.objects}" for model in evaluation.models if model.objects]
    return "; ".join(told) or "none of these networks looks at instance maps"


def _identified(model: ModelResult) -> str:
    seen = "" if model.images_seen is None else f", {model.images_seen:,} photos seen"
    return f"{model.name}: sha256 {model.digest[:12]}{seen}"
