# SPDX-License-Identifier: Apache-2.0
"""`spade doctor`: what works here, what does not, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Doctor:
    """Say what works on this machine, what does not, and how to mend it."""

    def run(self) -> int:
        from rich.table import Table
        from rich.text import Text

        from ..doctor import examine
        from ..terminal import Terminal
        from ..verdicts import FAIL, OK

        colors = {OK: "green", FAIL: "red"}
        table = Table(box=None, pad_edge=False, show_header=False)
        for _ in range(3):
            table.add_column(overflow="fold")
        findings = list(examine())
        for found in findings:
            mark = Text(found.verdict, style=colors.get(found.verdict, "yellow"))
            table.add_row(mark, Text(found.what, style="bold"), Text(found.said))
            if found.fix:
                table.add_row("", "", Text(f"fix: {found.fix}", style="italic"))
        Terminal().print(table)
        broken = sum(found.verdict == FAIL for found in findings)
        print("Everything that is needed works." if not broken else f"{broken} to mend: see each fix.")
        return 1 if broken else 0
