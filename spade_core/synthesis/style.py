# SPDX-License-Identifier: Apache-2.0
"""Style codes as numbers: mixed, and turned down or up. (What reads one from a photo is Synthesizer.encode_style.)

A code is (style_size,) float32. What lies on the straight line between two codes is a look between theirs. The average
look is that of a model's style bank; without one it is zero, towards which training pulls codes (paper, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..contract.errors import BadShapeError


def mixed(codes: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """The weighted mean of two or more codes; weights need not sum to one, and may be zero but not negative.

    Raises BadShapeError where codes and weights do not belong together.
    """
    shares = np.asarray(weights, np.float64)
    if len(codes) != len(shares) or len({code.shape for code in codes}) != 1:
        raise BadShapeError(
            f"{len(codes)} style codes and {len(shares)} weights cannot be mixed.",
            "Give one weight a code, and codes of one model.",
        )
    if not np.isfinite(shares).all() or shares.min() < 0 or shares.sum() == 0:
        raise BadShapeError(
            f"The weights {list(map(float, shares))} mix nothing.",
            "Use numbers from 0 up, at least one above 0.",
        )
    return np.tensordot(shares / shares.sum(), np.stack(codes), 1).astype(np.float32)


def between(first: np.ndarray, second: np.ndarray, mix: float) -> np.ndarray:
    """The code a fraction `mix` of the way from the first (0) to the second (1)."""
    return mixed((first, second), (1 - mix, mix))


def at_strength(code: np.ndarray, strength: float, average: np.ndarray) -> np.ndarray:
    """strength 0: the average look, whose code is given too; 1: the style as it is; above 1: overdone."""
    if strength == 1:
        return code.astype(np.float32)
    return (average + (code - average) * strength).astype(np.float32)
