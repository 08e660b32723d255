# SPDX-License-Identifier: Apache-2.0
"""`spade train`: a model of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Train:
    """Train a model on photos and label maps, or continue a run. `spade train --help` lists recipes and options."""

    # Each recipe has options of its own, and knowing them takes torch: the trainer reads its own command line.
    arguments: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """RECIPE --data DIR -o DIR, and what is to be changed of the recipe"""

    def run(self) -> int:
        from ..training.__main__ import main

        return main(self.arguments)
