# SPDX-License-Identifier: Apache-2.0
"""What is kept of the embedded model's training: its curves and its configuration, in docs/model-card/.

python -m tools.model_card runs/first runs/second
python -m tools.model_card runs/third --go-on

takes the run folders in the order in which one began with the weights of the other; --go-on where the first of them
began with the model whose curves are kept already.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from spade_core.checkpoint.file import load_checkpoint
from spade_core.checkpoint.sources import model_file
from spade_core.evaluation.charts import line_chart

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "model-card"
STYLE = (
    "<style>text{font:11px sans-serif;fill:#555}.axis{stroke:#ddd}.line{fill:none;stroke:#2b6cb0;stroke-width:1.5}"
    ".real{stroke:#888;stroke-dasharray:4}.dot{fill:none}</style>"
)
SHOWN = ("perceptual", "colour", "kl", "g_class", "g_gan", "d_class_photos", "d_class_fakes", "d_gan_photos")


@dataclass(frozen=True)
class Options:
    """Write the curves and the configuration of the embedded model."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """run folders"""
    model: str = "landscape"
    """an embedded model, or a checkpoint file"""
    go_on: bool = False
    """keep the curves that are there, and let those of the runs follow"""
    evaluation: Path | None = None
    """evaluation.json of `spade evaluate` over models of the last run: how far each was from photos is drawn"""
    step: int = 200
    """photos that a point of the curves is the mean of"""


def read_curves(options: Options) -> dict[str, dict[int, float]]:
    """Of each loss the mean around each number of photos, counted through all runs. Weights of losses are inside."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    before = 0
    if options.go_on:
        kept = (FOLDER / "curves.csv").read_text(encoding="utf-8").splitlines()
        names = kept[0].split(",")[1:]
        for at, *values in (row.split(",") for row in kept[1:]):
            for name, value in zip(names, values, strict=True):
                if value:
                    found[name][int(at)].append(float(value))
        before = photos_seen(json.loads((FOLDER / "provenance.json").read_text(encoding="utf-8")))
    for run in options.runs:
        seen = 0
        for row in (run / "curves.csv").read_text(encoding="utf-8").splitlines():
            photos, _, losses = row.split(",")
            seen = int(photos)
            for name, _, value in (part.partition("=") for part in losses.split()):
                found[name][(before + seen) // options.step * options.step].append(float(value))
        before += seen
    return {name: {at: float(np.mean(some)) for at, some in points.items()} for name, points in found.items()}


def photos_seen(provenance: dict[str, Any] | None) -> int:
    """Through all the runs that a model stands on."""
    if provenance is None:
        return 0
    return provenance["images_seen"] + photos_seen(provenance["started_from"])


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    provenance = load_checkpoint(model_file(options.model)).provenance
    FOLDER.mkdir(exist_ok=True)
    if options.evaluation is not None:
        write_measures(options.evaluation, photos_seen(provenance["started_from"]))
    if options.runs:
        write_curves(options)
    text = json.dumps(provenance, indent=1, ensure_ascii=False)
    (FOLDER / "provenance.json").write_text(text + "\n", encoding="utf-8")


def write_measures(evaluation: Path, before: int) -> None:
    """measures.csv and frechet.svg: what models measure by the photos seen, `before` the last run and in it."""
    held = json.loads(evaluation.read_text(encoding="utf-8"))
    rows = ["photos,frechet,frechet_same,kernel,miou,pixel_accuracy,diversity"]
    for model in held["models"]:
        distance, agreement = model["distance"], model["agreement"]
        numbers = (
            distance["frechet"], model["distance_same"]["frechet"], distance["kernel"]["mean"],
            agreement["miou"], agreement["pixel_accuracy"], model["diversity"],
        )  # fmt: skip
        rows.append(",".join([str(before + model["images_seen"]), *(f"{number:.4g}" for number in numbers)]))
    (FOLDER / "measures.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    floor = held["real"]["floor"]["frechet"]
    draw(
        "frechet",
        {before + model["images_seen"]: model["distance"]["frechet"] for model in held["models"]},
        floor,
    )


def draw(name: str, points: dict[int, float], level: float | None = None) -> None:
    xs = sorted(points)
    chart = line_chart(name, xs, [points[x] for x in xs], [f"{x:,}" for x in xs], level, [range(len(xs))])
    svg = str(chart.svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    (FOLDER / f"{name}.svg").write_text(svg.replace(">", f">{STYLE}", 1) + "\n", encoding="utf-8")


def write_curves(options: Options) -> None:
    """curves.csv, and a chart of each loss."""
    curves = read_curves(options)
    at = sorted({photos for points in curves.values() for photos in points})
    rows = [",".join(["photos", *curves])]
    rows += [
        ",".join(
            [
                str(photos),
                *(f"{points[photos]:.4g}" if photos in points else "" for points in curves.values()),
            ]
        )
        for photos in at
    ]
    (FOLDER / "curves.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    for name in SHOWN:
        draw(name, curves[name])


if __name__ == "__main__":
    main()
