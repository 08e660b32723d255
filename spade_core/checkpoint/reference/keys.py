# SPDX-License-Identifier: Apache-2.0
"""Published state dicts and ours: the same tensors, under the names of two ages of PyTorch's spectral norm."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor

NAMES = (
    (".weight_orig", ".parametrizations.weight.original"),
    (".weight_u", ".parametrizations.weight.0._u"),
    (".weight_v", ".parametrizations.weight.0._v"),
)

SMALLEST_SINGULAR_VALUE = 2e-4
"""Of the largest; below it, rounding of u to 32 bits says more about v than u does."""


def our_name(key: str) -> str:
    """layer.weight_orig -> layer.parametrizations.weight.original, and so on."""
    return _renamed(key, NAMES)


def published_name(key: str) -> str:
    """The inverse of our_name."""
    return _renamed(key, tuple((ours, theirs) for theirs, ours in NAMES))


def _renamed(key: str, names: tuple[tuple[str, str], ...]) -> str:
    for old, new in names:
        if key.endswith(old):
            return key.removesuffix(old) + new
    return key


def completed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict of any age with the keys of the present one.

    Before PyTorch 1.0 spectral norm kept no v, but the divided weight; before 0.4.1 batch norm did not count.
    """
    complete = dict(state)
    for key in state:
        if key.endswith(".weight_u"):
            layer = key.removesuffix(".weight_u")
            divided = complete.pop(f"{layer}.weight", None)
            if f"{layer}.weight_v" not in state and f"{layer}.weight_orig" in state:
                complete[f"{layer}.weight_v"] = recovered_v(
                    state[f"{layer}.weight_orig"], state[key], divided
                )
        if key.endswith(".running_var"):
            counter = key.removesuffix("running_var") + "num_batches_tracked"
            complete.setdefault(counter, torch.zeros((), dtype=torch.int64))
    return complete


def recovered_v(weight: Tensor, u: Tensor, divided: Tensor | None = None) -> Tensor:
    """The v that belongs to a layer's stored u: (in * kh * kw,) float32.

    A power iteration leaves v in the row space of W and u = W v / |W v|, so v is pinv(W) u, up to its length, which is
    1. (W^T u would be the v of the next iteration, and give another sigma.) Where the weight divided by sigma is known
    too, v is scaled to give that sigma.
    """
    # A transposed convolution has its outputs second.
    outputs_first = weight if weight.shape[0] == len(u) else weight.transpose(0, 1)
    matrix = outputs_first.reshape(len(u), -1).double()
    values, vectors = torch.linalg.eigh(matrix @ matrix.T)  # pinv(W) = W^T pinv(W W^T)
    kept = values > SMALLEST_SINGULAR_VALUE**2 * values[-1]
    along = (vectors.T @ u.double())[kept] / values[kept]
    v = matrix.T @ (vectors[:, kept] @ along)
    v = v / v.norm()
    if divided is not None:
        flat = weight.double().flatten()
        sigma = flat.dot(flat) / flat.dot(divided.double().flatten())
        v = v * sigma / u.double().dot(matrix @ v)
    return v.float()


def as_saved(state: Mapping[str, Tensor]) -> OrderedDict[str, Tensor]:
    """A published state dict with the versions beside it by which torch tells the ages apart."""
    saved = OrderedDict(state)
    versions: OrderedDict[str, dict] = OrderedDict({"": {"version": 1}})
    for key in state:
        layer, _, name = key.rpartition(".")
        for end in [match.start() for match in re.finditer(r"\.", layer)] + [len(layer)]:
            versions.setdefault(layer[:end], {"version": 1})
        if name == "weight_orig":
            versions[layer]["spectral_norm"] = {"weight.version": 1}
        if name == "running_var":
            versions[layer]["version"] = 2
    saved._metadata = versions  # type: ignore[attr-defined]
    return saved
