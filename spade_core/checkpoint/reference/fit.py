# SPDX-License-Identifier: Apache-2.0
"""Whether weights are all that a network has, and nothing else; if not, what differs and why it may be so."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...contract.errors import BadCheckpointError
from .keys import published_name

LISTED = 5


def check_fit(network: nn.Module, state: Mapping[str, Tensor], file: str) -> dict[str, Tensor]:
    """The state in the network's order. network: may be on the meta device; file: its name, for people.

    Raises BadCheckpointError: five of the missing, extra and misshapen keys by name, and their number, and the likely
    cause.
    """
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    missing = [key for key in wanted if key not in state]
    extra = [key for key in state if key not in wanted]
    misshapen = [key for key, shape in wanted.items() if key in state and tuple(state[key].shape) != shape]
    if not (missing or extra or misshapen):
        return {key: state[key] for key in wanted}
    shapes = {
        key: f"{published_name(key)} {_size(tuple(state[key].shape))} in place of {_size(wanted[key])}"
        for key in misshapen
    }
    parts = [
        _list("missing", [published_name(key) for key in missing]),
        _list("extra", [published_name(key) for key in extra]),
        _list("misshapen", list(shapes.values())),
    ]
    raise BadCheckpointError(
        f"The weights in {file} do not make up the network they look like: {'; '.join(filter(None, parts))}.",
        _cause(missing, extra, misshapen),
    )


def refuse_non_numbers(state: Mapping[str, Tensor], file: str) -> None:
    """Raises BadCheckpointError where a weight is NaN or infinite: such a network paints black."""
    broken = [key for key, value in state.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise BadCheckpointError(
            f"Weights in {file} are not numbers: {_list('tensors', [published_name(key) for key in broken])}.",
            "Its training had broken down by then, or the file is damaged: import an earlier one, or copy it again.",
        )


def _list(kind: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
    return f"{len(keys)} {kind} ({', '.join(keys[:LISTED])}{more})"


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"


def _cause(missing: list[str], extra: list[str], misshapen: list[str]) -> str:
    if missing and not extra and not misshapen:
        return "The file was probably edited, or cut while it was made: copy or save it again."
    if misshapen and not missing and not extra:
        return (
            "They probably come from a changed copy of the published code, with other widths in some layers."
        )
    return "They probably come from a changed copy of the published code, which cannot be imported."
