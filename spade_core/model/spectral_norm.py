# SPDX-License-Identifier: Apache-2.0
"""Spectral norm in the order of its paper ("Spectral Normalization for GANs", ICLR 2018, algorithm 1)."""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm

Layer = TypeVar("Layer", bound=nn.Module)


def spectral_norm(layer: Layer) -> Layer:
    """Divide the layer's weight by its largest singular value, followed by one power iteration a training forward.

    The published networks update v before u; torch's own parametrisation u before v. Half an iteration apart, both
    are good estimates, but a published checkpoint goes on training as it was only in its own order. Names in the state
    dict and results in eval mode are torch's.
    """
    dim = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    norm = _PublishedOrder(layer.weight.detach(), dim=dim, eps=1e-12)  # type: ignore[arg-type]
    parametrize.register_parametrization(layer, "weight", norm)
    return layer


class _PublishedOrder(_SpectralNorm):
    @torch.no_grad()
    def _power_method(self, weight_mat: Tensor, n_power_iterations: int) -> None:
        if weight_mat.is_meta:
            return  # only shapes are wanted: there is nothing to iterate on
        for _ in range(n_power_iterations):
            F.normalize(weight_mat.T @ self._u, dim=0, eps=self.eps, out=self._v)
            F.normalize(weight_mat @ self._v, dim=0, eps=self.eps, out=self._u)
