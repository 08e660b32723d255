# SPDX-License-Identifier: Apache-2.0
"""Tables and colours on a terminal, by Rich."""

from __future__ import annotations

from rich.console import Console


class Terminal(Console):
    """Words are as they are: square brackets in people's names are no markup. Rich ends the program, with 1, where
    nobody reads its output; here the command says what becomes of that."""

    def __init__(self) -> None:
        super().__init__(highlight=False, markup=False)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError
