# SPDX-License-Identifier: Apache-2.0
"""Which frozen network pictures are measured by."""

from __future__ import annotations

from pathlib import Path

from .base import FeatureNetwork
from .efficientnet_lite import Lite2Features


def feature_network(inception: Path | None) -> FeatureNetwork:
    """Inception where its file is named, else the stand-in. Raises BadCheckpointError."""
    if inception is None:
        return Lite2Features()
    from .inception import InceptionFeatures

    return InceptionFeatures(inception)
