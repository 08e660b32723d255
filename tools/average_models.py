# SPDX-License-Identifier: Apache-2.0
"""The mean of a model's weights and of those that a training made of them.

python -m tools.average_models before.safetensors after.safetensors --share 0.5 -o mean.safetensors

A training that begins with a model's weights stays near enough to it for the straight line between both to be models,
too, and those on it can be better than either end (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR
2022). What is not named in --parts stays as it was before: coarse blocks decide what stands where, fine ones textures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from spade_core.checkpoint.file import Checkpoint, load_checkpoint, save_checkpoint


@dataclass(frozen=True)
class Options:
    """Average two models of the same shape."""

    before: Annotated[Path, tyro.conf.Positional]
    """the model that a training began with; its style encoder and styles stay"""
    after: Annotated[Path, tyro.conf.Positional]
    """what the training made of it"""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """where the mean goes"""
    share: float = 0.5
    """how much of the mean is the second one's"""
    parts: tuple[str, ...] = ("up_1", "up_2", "up_3", "conv_img")
    """the generator's parts that are averaged"""
    reach: float = 1.1
    """how far seeds go from the average look, in parts of how far photos' codes lie"""


def averaged(before: Checkpoint, after: Checkpoint, share: float, parts: tuple[str, ...]) -> Checkpoint:
    """`before` with generator weights that are in these parts (1 - share) of its own and `share` of the other's.

    Raises ValueError for generators of other shapes, or a part that they have not.
    """
    if before.generator != after.generator:
        raise ValueError("the generators are not of one shape")
    own = before.generator_weights
    if unknown := set(parts) - {name.split(".")[0] for name in own}:
        raise ValueError(f"the generators have no {', '.join(sorted(unknown))}")
    weights = {
        name: ((1 - share) * weight.float() + share * after.generator_weights[name].float()).to(weight.dtype)
        if name.split(".")[0] in parts
        else weight
        for name, weight in own.items()
    }
    return replace(before, generator_weights=weights)


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    before, after = load_checkpoint(options.before), load_checkpoint(options.after)
    made = averaged(before, after, options.share, options.parts)
    if made.styles is not None:
        made = replace(made, styles=replace(made.styles, reach=options.reach))
    of = {"parts": list(options.parts), "share": options.share, "provenance": after.provenance}
    made = replace(made, provenance={**made.provenance, "averaged_with": of})
    save_checkpoint(options.output, made, dtype=None)


if __name__ == "__main__":
    main()
