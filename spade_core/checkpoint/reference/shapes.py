# SPDX-License-Identifier: Apache-2.0
"""From the names and shapes of published weights to the networks they belong to.

StateDict dicts here are under our names and complete (see keys).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from torch import Tensor

from ...contract.errors import BadCheckpointError
from ...model.baselines.pix2pixhd import Pix2PixHDConfig
from ...model.config import Upsampling
from ...model.discriminators.patchgan import MultiscaleConfig
from ...model.spade import GeneratorConfig
from ...model.style_encoder import StyleEncoderConfig
from .facts import Facts
from .others import described

StateDict = Mapping[str, Tensor]

PublishedNorm = Literal["instance", "batch", "syncbatch"]


class Question(NamedTuple):
    """What the weights leave open, as the end of "it does not say ..."; and the options that answer it."""

    unknown: str
    options: str


# What says the base width: biases of this many times its length. More than one, as some may be missing or misshapen.
WIDTHS = {
    "head_0.conv_0.bias": 16, "G_middle_0.conv_0.bias": 16, "G_middle_1.conv_1.bias": 16,
    "up_0.conv_1.bias": 8, "up_1.conv_1.bias": 4, "up_2.conv_1.bias": 2, "up_3.conv_1.bias": 1,
}  # fmt: skip

ENCODER_LAYERS = 6


def input_channels(state: StateDict) -> int:
    """Of the generator's semantic input. Raises BadCheckpointError where these are no published generator's weights."""
    first = r"model\.1\.0\..*" if _is_pix2pixhd(state) else r".*\.mlp_shared\.0\.weight"
    found = _most_common(kernel.shape[1] for key, kernel in _kernels(state) if re.fullmatch(first, key))
    if found is None:
        raise BadCheckpointError(
            f"These are not the weights of a published generator, but of {described(state)}.",
            "Name {latest or epoch}_net_G.pth, or the folder that holds it.",
        )
    return found


def generator_config(
    state: StateDict, label_channels: int, edges: bool, facts: Facts
) -> GeneratorConfig | Pix2PixHDConfig:
    """The published network with these weights. facts: with an answer to all open_questions.

    Raises BadCheckpointError where nothing says the width, or the aspect ratio does not fit.
    """
    spectral = _is_spectral(state)
    if _is_pix2pixhd(state):
        return _pix2pixhd_config(state, label_channels, edges, spectral)
    width, code, upsampling = _width(state), _style_linear(state), _upsampling(state, facts)
    assert upsampling is not None, "open_questions asked for it"
    hidden, _, kernel, _ = next(
        value.shape for key, value in _kernels(state) if key.endswith("mlp_shared.0.weight")
    )
    return GeneratorConfig(
        label_channels,
        edges,
        spectral,
        style_size=0 if code is None else code.shape[1],
        base_width=width,
        max_width=16 * width,
        upsampling=upsampling,
        norm=_norm(state, r".*\.param_free_norm"),
        start="labels" if code is None else "style",
        start_grid=None if code is None else _known_grid(len(code) // (16 * width), facts),
        spade_kernel=kernel,
        spade_hidden=hidden,
    )


def open_questions(state: StateDict, facts: Facts) -> list[Question]:
    """What the shapes and the facts leave open about a generator."""
    if _is_pix2pixhd(state):
        return []
    questions = []
    if _upsampling(state, facts) is None:
        doublings = Question(
            "whether it doubles five or six times", "--upsampling normal (five) or more (six)"
        )
        questions.append(doublings)
    code = _style_linear(state)
    if code is not None and facts.aspect_ratio is None:
        cells = len(code) // (16 * _width(state))
        if start_grid(cells, None) is None:
            shape = f"in which shape its start grid has {cells} cells"
            questions.append(Question(shape, "--aspect-ratio (width over height of its pictures, as in 2)"))
    return questions


def start_grid(cells: int, ratio: float | None) -> tuple[int, int] | None:
    """(rows, columns) of so many cells, rows being columns over the aspect ratio, rounded half to even.

    A square where the ratio is not known and one fits; None where nothing fits.
    """
    if ratio is not None and not 0 < ratio < float("inf"):
        return None
    grids = ((round(columns / (ratio or 1.0)), columns) for columns in range(1, cells + 1))
    return next((grid for grid in grids if grid[0] * grid[1] == cells), None)


def encoder_config(state: StateDict) -> StyleEncoderConfig:
    """The published style encoder with these weights. Raises BadCheckpointError."""
    layers = [kernel for key, kernel in _kernels(state) if re.match(r"layer\d+\.0\.", key)]
    mean = state.get("fc_mu.weight")
    if mean is not None and not layers and "layer1.bias" in state:
        raise BadCheckpointError(
            "The style encoder has no norms; here the published one has instance or batch norms.",
            "Import the generator's file alone.",
        )
    if mean is None or not layers:
        raise BadCheckpointError(
            f"The style encoder's file holds {described(state)}.",
            "Name the right folder, or the generator's file alone.",
        )
    if len(layers) != ENCODER_LAYERS:
        raise BadCheckpointError(
            f"The style encoder has {len(layers)} layers; the published one works only with {ENCODER_LAYERS}.",
            "Import the generator's file alone.",
        )
    width = min(kernel.shape[0] for kernel in layers)
    norm = _norm(state, r"layer\d+\.1")
    return StyleEncoderConfig(
        mean.shape[0],
        width,
        batch_norm=None if norm == "instance" else norm,
        spectral=_is_spectral(state),
        antialias=False,
    )


def discriminator_config(state: StateDict) -> MultiscaleConfig:
    """The published discriminator with these weights. Raises BadCheckpointError."""
    first = state.get("discriminator_0.model0.0.weight")
    if first is None:
        raise BadCheckpointError(
            f"The discriminator's file holds {described(state)}.",
            "Name the right folder, or the generator's file alone.",
        )
    scales = {key.split(".")[0] for key in state}
    layers = {key.split(".")[1] for key in state}
    # A convolution without a norm is not in a sequence of its own, and has a bias.
    alone = "discriminator_0.model1.0.bias" in state and len(layers) > 2
    return MultiscaleConfig(
        len(scales),
        len(layers) - 1,
        first.shape[0],
        "none" if alone else _norm(state, r"discriminator_\d+\.model\d+\.0\.1"),
        # One layer alone has neither norm.
        _is_spectral(state) or len(layers) == 2,
    )


def _known_grid(cells: int, facts: Facts) -> tuple[int, int]:
    grid = start_grid(cells, facts.aspect_ratio)
    if grid is None:
        raise BadCheckpointError(
            f"The start grid has {cells} cells; none of that many has the aspect ratio {facts.aspect_ratio:g}.",
            "Give --aspect-ratio, width over height, as it was trained.",
        )
    return grid


def _pix2pixhd_config(state: StateDict, label_channels: int, edges: bool, spectral: bool) -> Pix2PixHDConfig:
    kernels = dict(_kernels(state))
    first = next(kernel for key, kernel in kernels.items() if key.startswith("model.1.0."))
    in_blocks = {key: kernel for key, kernel in kernels.items() if ".conv_block." in key}
    return Pix2PixHDConfig(
        label_channels,
        edges,
        spectral,
        base_width=first.shape[0],
        # Outside the residual blocks: the first and the last convolution, and one down and one up for each halving.
        downsamplings=(len(kernels) - len(in_blocks) - 2) // 2,
        blocks=len({key.split(".")[1] for key in in_blocks}),
        first_kernel=first.shape[2],
        block_kernel=_most_common(kernel.shape[2] for kernel in in_blocks.values()) or 3,
        norm=_norm(state, r"model\.1\.1"),
    )


def _upsampling(state: StateDict, facts: Facts) -> Upsampling | None:
    """None: it is not known, for the published network has the same weights for five doublings as for six."""
    if any(key.startswith("up_4.") for key in state):
        return "most"
    return facts.upsampling if facts.upsampling in ("normal", "more") else None


def _style_linear(state: StateDict) -> Tensor | None:
    """(top width * rows * columns, style size), where the start is made from a style code."""
    fc = state.get("fc.weight")
    return fc if fc is not None and fc.dim() == 2 else None


def _width(state: StateDict) -> int:
    width = _most_common(len(state[key]) // times for key, times in WIDTHS.items() if key in state)
    if not width:
        raise BadCheckpointError(
            "Nothing in these weights says how wide the network is.", "Copy them again, or train anew."
        )
    return width


def _norm(state: StateDict, layers: str) -> PublishedNorm:
    """Batch norm counts its batches; the published synchronised one never does."""
    counters = [value for key, value in state.items() if re.fullmatch(layers + r"\.num_batches_tracked", key)]
    if not counters:
        return "instance"
    return "batch" if any(int(counter) for counter in counters) else "syncbatch"


def _is_pix2pixhd(state: StateDict) -> bool:
    return any(key.startswith("model.1.0.") for key in state)


def _is_spectral(state: StateDict) -> bool:
    return any(key.endswith(".parametrizations.weight.original") for key in state)


def _kernels(state: StateDict) -> list[tuple[str, Tensor]]:
    return [(key, value) for key, value in state.items() if value.dim() == 4]


def _most_common(values: Iterable[int]) -> int | None:
    return next((value for value, _ in Counter(values).most_common(1)), None)
