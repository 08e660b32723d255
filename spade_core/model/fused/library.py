# SPDX-License-Identifier: Apache-2.0
"""The compiled form of pixels.c: built once with the machine's C compiler, into the user's cache folder.

Nothing needs it. Where there is no compiler, or SPADE_FUSED=0, networks compute the same in plain PyTorch.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ...files import cache_folder

SOURCE = Path(__file__).with_name("pixels.c")
FLAGS = (
    "-O3", "-shared", "-fPIC", "-std=gnu11",
    # sums in any order, so that they are vectorised; -ffast-math would change rounding in the whole process
    "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math",
)  # fmt: skip
POINTER, NUMBER, COUNT, PLACE = ctypes.c_void_p, ctypes.c_float, ctypes.c_int, ctypes.c_int64
KINDS = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
ARGUMENTS = {
    "modulate": [POINTER] * 8 + [COUNT, COUNT, PLACE, PLACE, NUMBER, PLACE, PLACE],
    "modulate_backward": [POINTER] * 8
    + [COUNT, COUNT, PLACE, PLACE, NUMBER, PLACE]
    + [POINTER] * 4
    + [PLACE, PLACE],
    "unit_length": [POINTER] * 2 + [COUNT, NUMBER, PLACE, PLACE],
    "unit_length_backward": [POINTER] * 3 + [COUNT, NUMBER, PLACE, PLACE],
    "cross_entropy": [POINTER] * 4 + [COUNT, PLACE, PLACE],
    "cross_entropy_backward": [POINTER] * 3 + [NUMBER, POINTER, COUNT, PLACE, PLACE],
}
MOST_CHANNELS = 2048
"""As pixels.c has it."""


def fits(x: Tensor) -> bool:
    """Whether feature maps like this one, (B, C, h, w), may be given to the functions of pixels.c."""
    return (
        x.device.type == "cpu" and x.dtype in KINDS and x.shape[1] <= MOST_CHANNELS and library() is not None
    )


def function(name: str, dtype: torch.dtype) -> Callable[..., None]:
    """A function of pixels.c for feature maps of this dtype; only where `fits`."""
    return getattr(library(), f"{name}_{KINDS[dtype]}")


def in_threads(work: Callable[[int, int, int], None], pixels: int) -> None:
    """work(part, first pixel, last pixel) in as many threads as torch has; foreign calls run side by side."""
    parts = torch.get_num_threads()
    edges = [pixels * part // parts for part in range(parts + 1)]
    if parts == 1:
        work(0, 0, pixels)
    else:
        list(_threads(parts).map(work, range(parts), edges, edges[1:]))


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "pixels")


def wanted() -> bool:
    """Whether anything may be compiled."""
    return os.environ.get("SPADE_FUSED") != "0"


@cache
def library() -> ctypes.CDLL | None:
    """Every function of ARGUMENTS, for each of KINDS; None where they cannot be had."""
    found = opened(SOURCE)
    if found is None:
        return None
    for name, arguments in ARGUMENTS.items():
        for kind in KINDS.values():
            each = getattr(found, f"{name}_{kind}")
            each.argtypes, each.restype = arguments, None
    return found


def opened(source: Path) -> ctypes.CDLL | None:
    """The library of one C source; None where nothing may be compiled, or nothing can."""
    if not wanted():
        return None
    try:
        return ctypes.CDLL(str(built(source)))
    except (OSError, subprocess.SubprocessError):
        return None


def built(source: Path) -> Path:
    """The file of a library of one C source, made where this machine has none of it yet.

    Raises OSError or subprocess.SubprocessError where it cannot be had.
    """
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise OSError("no C compiler")
    made_of = source.read_bytes() + " ".join((compiler, *FLAGS, platform.machine())).encode()
    file = cache_folder() / f"{source.stem}-{hashlib.sha256(made_of).hexdigest()[:16]}.so"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        # In a folder of its own: all processes of one training may be at it at once.
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            made = Path(folder) / file.name
            command = [compiler, *FLAGS, str(source), "-o", str(made), "-lm"]
            subprocess.run(command, check=True, capture_output=True, timeout=120)
            os.replace(made, file)
    return file
