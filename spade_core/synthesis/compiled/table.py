# SPDX-License-Identifier: Apache-2.0
"""What a norm's scales and shifts are, pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .changes import Changes
from .patches import pairs

MOST_MIXED = 0.5
"""Share of pixels with a row of their own above which every pixel gets one."""

MANY_ROWS = 1024
"""So many a table may have even of a map of fewer pixels, before those that none has any longer are dropped."""


@dataclass(frozen=True, eq=False)
class Table:
    """Scales and shifts: values (B or 1, R, S), the same for all pictures or each picture its own; rows (B, h, w) int32
    says which row is a pixel's, or pixel p has row p where it is None. added: (B, S), to each row of a picture, or
    None."""

    values: Tensor
    rows: Tensor | None
    added: Tensor | None = None
    _room: Tensor | None = None
    """(1, more than R, S): what `values` is the first part of, so that rows can be added."""

    @property
    def bytes(self) -> int:
        values = self.values if self._room is None else self._room
        return 4 * values.numel() + (0 if self.rows is None else 4 * self.rows.numel())

    def columns(self, start: int, stop: int | None) -> Table:
        """These of all."""
        added = None if self.added is None else self.added[:, start:stop]
        return Table(self.values[:, :, start:stop], self.rows, added)

    def of_picture(self, index: int) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Values, what is added to each, and rows."""
        values = self.values[index if len(self.values) > 1 else 0]
        added = None if self.added is None else self.added[index]
        return values, added, None if self.rows is None else self.rows[index]

    def changed(self, changes: Changes, fresh: Tensor) -> Table | None:
        """Another label map's, of one picture; fresh: (U, S), rows of what is new in it. This table is not to be used
        any more.

        None where it would have more rows than pixels, and many: there are too many that none has any longer.
        """
        if self.rows is None:
            self.values[0, changes.where] = fresh[changes.numbers]
            return self
        count, width = self.values.shape[1:]
        total = count + len(fresh)
        if total > max(self.rows.numel(), MANY_ROWS):
            return None
        room = self._room
        if room is None or room.shape[1] < total:
            room = self.values.new_empty(1, total + total // 2, width)
            room[:, :count] = self.values
        room[0, count:total] = fresh
        rows = self.rows.clone()
        rows.view(-1)[changes.where] = count + changes.numbers.int()
        return Table(room[:, :total], rows, None, room)

    def planes(self, height: int, width: int) -> Tensor:
        """(B or 1, h, w, S)."""
        if self.rows is None:
            planes = self.values.unflatten(1, (height, width))
        elif len(self.values) == 1:
            planes = F.embedding(self.rows, self.values[0])
        else:
            each = zip(self.rows, self.values, strict=True)
            planes = torch.stack([F.embedding(rows, values) for rows, values in each])
        return planes if self.added is None else planes + self.added[:, None, None]

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
