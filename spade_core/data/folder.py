# SPDX-License-Identifier: Apache-2.0
"""What a trainer needs of a data set: its pairs, read and cut into squares."""

from __future__ import annotations

from .layouts import find_pairs
from .pairs import Pair, read_pair
from .placement import CropRule
from .squares import TrainingSquares, training_square

__all__ = ["CropRule", "Pair", "TrainingSquares", "find_pairs", "read_pair", "training_square"]
