# SPDX-License-Identifier: Apache-2.0
"""docs/performance.md and its plot, from what was measured."""

from __future__ import annotations

from pathlib import Path
from string import Template

from .measuring import Row
from .plan import PLAN, Case
from .plot import drawn
from .results import Results
from .systems import SYSTEMS, why_not
from .targets import TARGETS

DOCS = Path(__file__).parents[2] / "docs"
TEMPLATE = Path(__file__).with_name("page.md")
LEAST = 4
"""MiB; who takes less has kept what it took before."""
PLOTTED = "embedded median 512", "coco median 256"
NAMES = {
    "embedded": "The embedded model",
    "coco": "The published width for COCO-Stuff",
    "plain": "PyTorch, the reference design",
    "ours": "**exact**",
    "ours, new style": "**exact, the style changed**",
    "ours, moved object": "**exact, an object moved**",
    "preview": "**preview**",
    "preview, new style": "**preview, the style changed**",
    "preview, moved object": "**preview, an object moved**",
}


def write_page(results: Results, docs: Path = DOCS) -> None:
    """performance.md and pictures/performance.svg in this folder, each whole or not at all."""
    plotted = {
        f"{NAMES[key.split()[0]].lower()}, {key.split()[2]} x {key.split()[2]}": _rows(results, key)
        for key in PLOTTED
    }
    loads = [row.load for row in results.rows.values()] or [0.0]
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        machine=results.machine,
        load=f"{min(loads):g} to {max(loads):g}",
        tables="\n".join(_table(results, model) for model in ("embedded", "coco")),
        missing=_missing(results),
        large=_large(results),
        profiles=_profiles(results),
        targets=_targets(results),
        preview=_preview(results),
        layers="\n".join(f"| {name} | {1e3 * seconds:.0f} |" for name, seconds in results.layers.items())
        or "| not measured yet | |",
    )
    for file, content in (
        (docs / "performance.md", text),
        (docs / "pictures/performance.svg", drawn(plotted)),
    ):
        part = file.with_suffix(".part")
        part.write_text(content, encoding="utf-8")
        part.replace(file)


def _rows(results: Results, case: str) -> list[Row]:
    """In the order of SYSTEMS."""
    keys = (f"{case} {name}" for name in SYSTEMS)
    return [results.rows[key] for key in keys if key in results.rows]


def _cases(results: Results, model: str) -> list[Case]:
    """Those that were measured."""
    found = {row.case for row in results.rows.values()}
    return [case for case in PLAN if case.model == model and case.name in found]


def _table(results: Results, model: str) -> str:
    lines = [
        f"### {NAMES[model]}",
        "| size, map | | seconds | times as fast (from-to) | MiB | largest difference |",
    ]
    lines.append("|---|---|---|---|---|---|")
    for case in _cases(results, model):
        for place, row in enumerate(_rows(results, case.name)):
            threads = ", two threads" if case.threads > 1 else ""
            head = f"{case.side}, {case.map}{threads}" if place == 0 else ""
            spread = "" if place == 0 else f" ({row.lowest:.2f}-{row.highest:.2f})"
            memory = f"{row.mebibytes:.0f}" if row.mebibytes > LEAST else "-"
            difference = "" if place == 0 else f"{row.difference:.0e}"
            lines.append(
                f"| {head} | {NAMES.get(row.system, row.system)} | {row.seconds:.3f} | {row.ratio:.2f}{spread} | "
                f"{memory} | {difference} |"
            )
    return "\n".join([*lines, ""])


def _missing(results: Results) -> str:
    measured = {row.system for row in results.rows.values()}
    reasons = (why_not(name) or f"{name} was left out." for name in SYSTEMS if name not in measured)
    return "\n".join(f"- {reason}" for reason in reasons)


def _large(results: Results) -> str:
    if not results.large:
        return "| not measured yet | | | |"
    return "\n".join(
        f"| {each.side} x {each.side} | {each.processor_seconds:.0f} | {each.seconds:.0f} | {each.mebibytes:.0f} |"
        for each in sorted(results.large.values(), key=lambda each: each.side)
    )


def _profiles(results: Results) -> str:
    lines = []
    for each in results.profiles.values():
        shares = (
            f"{part / each.seconds:.0%}" for part in (each.labels, each.convolutions, each.rest, each.floor)
        )
        lines.append(
            f"| {each.model} {each.side}, {each.map} | {each.seconds:.3f} | {' | '.join(shares)} | {each.peak:.0f} |"
        )
    return "\n".join(lines)


def _preview(results: Results) -> str:
    found = results.preview
    if not found:
        return "How far they are from the exact pictures has not been measured yet."
    return (
        f"The embedded model's 8-bit values at 256 x 256 differ from the exact picture's by {found['mean']:.2f} steps "
        f"on average and by {found['largest']:.0f} at most in the compiled generator's bfloat16, by "
        f"{found['PyTorch, mean']:.2f} and {found['PyTorch, largest']:.0f} in PyTorch's."
    )


def _targets(results: Results) -> str:
    lines = []
    for target in TARGETS:
        measured = target.measured(results)
        if measured is None:
            lines.append(f"| {target.what} | {target.wanted} | not measured here | {target.otherwise} |")
        elif target.is_met(measured):
            lines.append(f"| {target.what} | {target.wanted} | {measured:.3g} | reached |")
        else:
            lines.append(f"| {target.what} | {target.wanted} | {measured:.3g} | {target.why(results)} |")
    return "\n".join(lines)
