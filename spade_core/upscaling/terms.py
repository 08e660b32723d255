# SPDX-License-Identifier: Apache-2.0
"""Whose weights an upscaler has, and on what terms, in words for people. No weights are read."""

from __future__ import annotations

_KNOWN = {
    "embedded": "Made by this project from Real-ESRGAN's networks, under BSD-3-Clause; the photos it was distilled on "
    "were collected for research.",
    "x4plus": "Real-ESRGAN x4plus by Wang, Xie, Dong and Shan, under BSD-3-Clause; trained on DIV2K, Flickr2K and "
    "OutdoorSceneTraining.",
}


def upscaler_terms(name: str) -> str:
    """name: as a request or `Upscaler.description` gives it; only its first word counts."""
    first = name.split(" ")[0]
    return _KNOWN.get(
        first, f"The upscaler '{first}' is a file with terms of its own, which are not known here."
    )
