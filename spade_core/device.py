# SPDX-License-Identifier: Apache-2.0
"""Which device computes."""

from __future__ import annotations

import torch

from .contract.errors import Unavailable


def chosen_device(wanted: str) -> torch.device:
    """The device of this name; "auto" takes CUDA, then MPS, then the CPU. Raises Unavailable where it is not there."""
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise Unavailable(
            f"The device '{wanted}' cannot be used here.", "Use the device 'auto', or run 'spade doctor'."
        ) from None
    return device
