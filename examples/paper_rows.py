# SPDX-License-Identifier: Apache-2.0
"""The rows of the paper's tables: which recipe each is, and what is changed of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """name: as the paper has it. options: of `spade train`, beside the recipe."""

    name: str
    recipe: str
    options: tuple[str, ...] = ()


_SYSTEMS = (Row("SPADE", "paper"), Row("pix2pixHD", "pix2pixhd"), Row("CRN", "crn"))

TABLES: dict[str, tuple[Row, ...]] = {
    "table1": _SYSTEMS,
    "table2": _SYSTEMS,
    "table3": (
        Row("decoder w/ SPADE", "paper"),
        Row("compact decoder w/ SPADE", "spade-compact"),
        Row("decoder w/ Concat", "concat"),
        Row("pix2pixHD++ w/ SPADE", "pix2pixhd++-spade"),
        Row("pix2pixHD++ w/ Concat", "pix2pixhd++-concat"),
        Row("pix2pixHD++", "pix2pixhd++"),
        Row("compact pix2pixHD++", "pix2pixhd++-compact"),
        Row("pix2pixHD", "pix2pixhd"),
    ),
    "table4": (
        Row("segmentation map, 3x3, sync batch", "paper"),
        Row("random input", "spade-random"),
        Row("kernel 5x5", "spade-kernel-5"),
        Row("kernel 1x1", "spade-kernel-1"),
        Row("more filters", "spade-large"),
        Row("fewer filters", "spade-compact"),
        Row("batch norm", "spade-batch"),
        Row("instance norm", "spade-instance"),
    ),
    "table5": (
        Row("SPADE", "paper"),
        Row("w/o perceptual loss", "paper", ("--perceptual-start", "0", "--perceptual-end", "0")),
        Row("w/o feature matching", "paper", ("--feature-weight", "0")),
        Row("with a deeper discriminator", "paper", ("--discriminator.layers", "5")),
        Row("pix2pixHD++", "pix2pixhd++"),
        Row("pix2pixHD++ w/o sync batch norm", "pix2pixhd++", ("--generator.norm", "instance")),
        Row(
            "pix2pixHD++ w/o spectral norm",
            "pix2pixhd++",
            ("--generator.no-spectral", "--discriminator.no-spectral"),
        ),
        Row(
            "pix2pixHD++ w/o two rates",
            "pix2pixhd++",
            ("--generator-lr", "2e-4", "--discriminator-lr", "2e-4"),
        ),
        Row("pix2pixHD++ w/o hinge loss", "pix2pixhd++", ("--gan-mode", "ls")),
        Row("pix2pixHD++ w/ SPADE", "pix2pixhd++-spade"),
    ),
}
"""By the table's name; SIMS' row is pictures of others: `spade study DIR` asks about them."""

FIGURES: dict[str, tuple[Row, ...]] = {
    "figure5": _SYSTEMS,
    "figure6": _SYSTEMS,
    "figure9": (Row("SPADE with a style encoder", "paper-style"),),
}
