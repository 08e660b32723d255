# SPDX-License-Identifier: Apache-2.0
"""What pictures are computed in: float32, or for previews the numbers that a device multiplies faster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..model.convolution.library import has_bfloat16, library
from ..runtime import fastest_dtype


def preview_on(device: torch.device) -> str:
    """The numbers that previews are computed in, "bfloat16"; empty where none are faster than what is exact.

    PyTorch's bfloat16 on a processor is no faster than the compiled generator in float32: where there is that, it has
    to know how to multiply them itself.
    """
    dtype = fastest_dtype(device)
    if device.type == "cpu" and library() is not None and not has_bfloat16():
        dtype = torch.float32
    return "" if dtype == torch.float32 else str(dtype).removeprefix("torch.")


@contextmanager
def computed_in(device: torch.device, numbers: str) -> Iterator[None]:
    """Has a network computed in these, or in float32 where they are empty: without the ten bits that graphics cards
    would take of it."""
    if numbers:
        with torch.autocast(device.type, getattr(torch, numbers)):
            yield
        return
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
