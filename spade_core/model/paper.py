# SPDX-License-Identifier: Apache-2.0
"""The generators that the paper compares, by name, and some of its neighbourhood."""

from __future__ import annotations

from dataclasses import dataclass

from .baselines.crn import CrnConfig
from .baselines.local_enhancer import LocalEnhancerConfig
from .baselines.pix2pixhd import Pix2PixHDConfig
from .build import AnyGeneratorConfig
from .clade import CladeConfig
from .concat import ConcatConfig
from .spade import GeneratorConfig

ANY = 0
"""Label channels: as many as the label set has."""


@dataclass(frozen=True)
class Described:
    """A generator, and where it stands in the paper."""

    where: str
    what: str
    config: AnyGeneratorConfig


GENERATORS = {
    "paper": Described("tables 1-5", "the paper's generator", GeneratorConfig(ANY)),
    "spade-compact": Described("tables 3, 4", "48 filters in place of 64", GeneratorConfig(ANY, base_width=48)),
    "spade-large": Described(
        "table 4", "80 filters", GeneratorConfig(ANY, base_width=80, max_width=16 * 80)
    ),
    "spade-kernel-1": Described("table 4", "1x1 label convolutions", GeneratorConfig(ANY, spade_kernel=1)),
    "spade-kernel-5": Described("table 4", "5x5 label convolutions", GeneratorConfig(ANY, spade_kernel=5)),
    "spade-batch": Described("table 4", "batch norm a device under SPADE", GeneratorConfig(ANY, norm="batch")),
    "spade-instance": Described("table 4", "instance norm under SPADE", GeneratorConfig(ANY, norm="instance")),
    "spade-random": Described(
        "table 4", "a random style code as input", GeneratorConfig(ANY, start="style", style_size=256)
    ),
    "concat": Described("table 3", "the same decoder, labels concatenated", ConcatConfig(ANY)),
    "pix2pixhd++-spade": Described(
        "tables 3, 5", "pix2pixHD++ with SPADE norms", Pix2PixHDConfig(ANY, norm="syncbatch", labels_at="norms")
    ),
    "pix2pixhd++-concat": Described(
        "table 3", "pix2pixHD++, labels concatenated", Pix2PixHDConfig(ANY, norm="syncbatch", labels_at="blocks")
    ),
    "pix2pixhd++": Described(
        "tables 3, 5", "pix2pixHD with SPADE's training", Pix2PixHDConfig(ANY, norm="syncbatch")
    ),
    "pix2pixhd++-compact": Described(
        "table 3", "48 filters in place of 64", Pix2PixHDConfig(ANY, base_width=48, norm="syncbatch")
    ),
    "pix2pixhd": Described(
        "tables 1-3", "pix2pixHD's global generator", Pix2PixHDConfig(ANY, spectral=False)
    ),
    "crn": Described("tables 1, 2", "cascaded refinement", CrnConfig(ANY)),
    "pix2pixhd-enhanced": Described(
        "-", "with pix2pixHD's local enhancer", LocalEnhancerConfig(ANY, spectral=False)
    ),
    "clade": Described("-", "class-adaptive norms: SPADE by lookup", CladeConfig(ANY)),
}  # fmt: skip
