# SPDX-License-Identifier: Apache-2.0
"""The compiled form of layers.c, made as that of training is (model/fused/library.py). Nothing needs it."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from torch import Tensor

from ..fused.library import opened

SOURCE = Path(__file__).with_name("layers.c")
MOST_CHANNELS = 2048
"""As layers.c has it."""
POINTER, COUNT, PLACE, NUMBER = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_float


class FeaturesArgument(ctypes.Structure):
    """Features of layers.c."""

    _fields_ = [
        *(
            (name, POINTER)
            for name in ("x", "noise", "strength", "mean", "scale", "table", "shift", "slopes", "rows")
        ),
        *((name, PLACE) for name in ("height", "width", "stride")),
        *((name, COUNT) for name in ("channels", "doubling", "norm", "repeat_edge")),
        *((name, NUMBER) for name in ("eps", "slope")),
    ]


class ConvolutionArgument(ctypes.Structure):
    """Convolution of layers.c."""

    _fields_ = [
        *((name, POINTER) for name in ("weights", "bias", "added", "result", "shortcut", "skip")),
        *((name, COUNT) for name in ("fan_out", "skip_channels", "tile", "bfloat16")),
    ]


class SumsArgument(ctypes.Structure):
    """Sums of layers.c."""

    _fields_ = [
        *((name, POINTER) for name in ("rows", "matrices", "members", "bias", "result")),
        *((name, PLACE) for name in ("count", "inner", "places", "results", "width")),
        ("bfloat16", COUNT),
    ]


FUNCTIONS = {
    "lanes": ([], COUNT),
    "has_bfloat16": ([], COUNT),
    "rows_at_once": ([PLACE] * 2, PLACE),
    "aside": ([POINTER] * 2, PLACE),
    "convolve": ([POINTER] * 3 + [PLACE] * 4, None),
    "block": ([], PLACE),
    "put_aside": ([POINTER], PLACE),
    "add_up": ([POINTER] * 2 + [PLACE] * 2, None),
    "pairs": ([POINTER] * 2 + [PLACE] * 7 + [POINTER] * 2 + [PLACE], PLACE),
}


@cache
def library() -> ctypes.CDLL | None:
    """Every function of FUNCTIONS; None where they cannot be had."""
    found = opened(SOURCE)
    if found is None:
        return None
    for name, (arguments, result) in FUNCTIONS.items():
        each = getattr(found, name)
        each.argtypes, each.restype = arguments, result
    return found


def loaded() -> ctypes.CDLL:
    """The library, where `library` has found it."""
    found = library()
    assert found is not None
    return found


def has_bfloat16() -> bool:
    """Whether the library multiplies bfloat16 on this processor."""
    found = library()
    return found is not None and bool(found.has_bfloat16())


def pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
