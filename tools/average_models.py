# SPDX-License-Identifier: Apache-2.0
"""The mean of a model's weights and of those that a training made of them.

python -m tools.average_models before.safetensors after.safetensors --share 0.4 -o mean.safetensors

A training that begins with a model's weights stays near enough to it for the straight line between both to be models,
too, and those on it can be better than either end (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR
2022). Give the result a style bank of its own: its style encoder is another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro
from torch import Tensor

from spade_core.checkpoint.file import Checkpoint, file_digest, load_checkpoint, save_checkpoint


@dataclass(frozen=True)
class Options:
    """Average two models of the same shape."""

    before: Annotated[Path, tyro.conf.Positional]
    """the model that a training began with"""
    after: Annotated[Path, tyro.conf.Positional]
    """what it made of it"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """where the mean goes, without a style bank"""
    share: float = 0.5
    """how much of the mean is the second one's"""


def averaged(before: Checkpoint, after: Checkpoint, share: float) -> Checkpoint:
    """`after` with weights that are (1 - share) of `before`'s and `share` of its own; its styles are left out.

    Raises ValueError for networks of other shapes.
    """
    if (before.generator, before.style_encoder) != (after.generator, after.style_encoder):
        raise ValueError("the networks are not of one shape")

    def mean(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: ((1 - share) * first[name].float() + share * weight.float()).to(weight.dtype)
            for name, weight in second.items()
        }

    return replace(
        after,
        generator_weights=mean(before.generator_weights, after.generator_weights),
        encoder_weights=mean(before.encoder_weights, after.encoder_weights),
        styles=None,
    )


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    made = averaged(load_checkpoint(options.before), load_checkpoint(options.after), options.share)
    of = {"sha256": file_digest(options.before), "share": round(1 - options.share, 6)}
    made = replace(made, provenance={**made.provenance, "averaged_with": of})
    save_checkpoint(options.output, made, dtype=None)


if __name__ == "__main__":
    main()
