# SPDX-License-Identifier: Apache-2.0
"""What a norm's scales and shifts are, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .patches import pairs

MOST_MIXED = 0.5
"""Share of pixels with a row of their own above which every pixel gets one."""


@dataclass(frozen=True, eq=False)
class Table:
    """Scales and shifts: values (B or 1, R, S), the same for all pictures or each picture its own; rows (B, h, w) int32
    says which row is a pixel's, or pixel p has row p where it is None."""

    values: Tensor
    rows: Tensor | None

    @property
    def bytes(self) -> int:
        return 4 * self.values.numel() + (0 if self.rows is None else 4 * self.rows.numel())

    def of_picture(self, index: int) -> tuple[Tensor, Tensor | None]:
        values = self.values[index if len(self.values) > 1 else 0]
        return values, None if self.rows is None else self.rows[index]

    def carried(self, new: Tensor, old: Tensor, fresh: Tensor, values: Tensor, rows: Tensor | None) -> Table:
        """Another label map's: its rows `new` are `old` ones of this, its rows `fresh` are `values`, (N, S). rows: as
        above."""
        result = self.values.new_empty(1, len(new) + len(fresh), self.values.shape[2])
        result[0, new] = self.values[0, old]
        result[0, fresh] = values
        return Table(result, rows)

    def planes(self, height: int, width: int) -> Tensor:
        """(B or 1, h, w, S)."""
        if self.rows is None:
            return self.values.unflatten(1, (height, width))
        if len(self.values) == 1:
            return F.embedding(self.rows, self.values[0])
        return torch.stack(
            [F.embedding(rows, each) for rows, each in zip(self.rows, self.values, strict=True)]
        )

    def mixed(self, shares: Tensor, styles: Tensor) -> Table | None:
        """With what each pixel's shares, (1, K, h, w), of K styles, (K, S), add: of one picture.

        A row for each pair of a row and of shares; None where most pixels would have one of their own.
        """
        rows, places, most = self.rows, None, int(MOST_MIXED * shares[0, 0].numel())
        for plane in shares[0, :-1]:  # the last is what the others leave
            if rows is None:
                return None
            found = pairs(rows, plane.contiguous().view(torch.int32)[None], most)
            rows, places = (None, None) if found is None else found
        if rows is None or places is None or self.rows is None:
            return None
        values = self.values[0][self.rows.flatten()[places].long()]
        return Table((values + shares[0].flatten(1)[:, places].T @ styles)[None], rows)

    def shifted(self, planes: Tensor) -> Table:
        """Every pixel's row with what `planes`, (1, S, h, w), have for it: of one picture."""
        added = planes.permute(0, 2, 3, 1)
        return Table((self.planes(*added.shape[1:3]) + added).flatten(1, 2), None)


def side_by_side(tables: Sequence[Table]) -> Table:
    """One table of several with the same rows."""
    if len(tables) == 1:
        return tables[0]
    return Table(torch.cat([table.values for table in tables], 2), tables[0].rows)
