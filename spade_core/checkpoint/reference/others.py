# SPDX-License-Identifier: Apache-2.0
"""Weights that are no published network's, by their names: what they are, and what to do with them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ...contract.errors import BadCheckpointError

ONLY = "Only networks that the published SPADE code trained can be imported"


class Other(NamedTuple):
    """A kind of network that others' code saves."""

    keys: str
    """A pattern that one of its weights' names begins with."""
    what: str
    fix: str


RELATIVES = (
    Other(
        r"body\.\d+\.norm_\d\.(mlp_|first_norm)",
        "OASIS's generator, which is put together otherwise",
        f"{ONLY}; `spade train oasis` trains with OASIS's discriminator here.",
    ),
    Other(
        r"\w+\.norm_\w\.(class_specified_affine|clade)",
        "CLADE's generator, whose norms are tables by class",
        f"{ONLY}; `spade train frozen-clade` trains one with such norms here.",
    ),
    Other(
        r"(model\.1|model1_1\.1)\.weight",
        "a generator of pix2pixHD's or CycleGAN's own code, which has no spectral norms",
        f"{ONLY}, pix2pixHD's among them; `spade train pix2pixhd` trains one here.",
    ),
    Other(
        r"model\.model\.|down_convs\.|netG\.model\.",
        "a U-Net of pix2pix",
        f"{ONLY}; `spade train pix2pixhd` trains pix2pixHD here.",
    ),
    Other(
        r"(synthesis|mapping)\.|style\.\d+\.weight|conv1\.conv\.modulation",
        "a StyleGAN generator, which does not read label maps",
        f"{ONLY}.",
    ),
    Other(
        r"(unet|model\.diffusion_model|down_blocks|controlnet)\b",
        "a diffusion model",
        f"{ONLY}.",
    ),
)
"""Generators that one may take for published ones."""

PARTS = (
    ("discriminator_", "a discriminator"),
    ("layer1.", "a style encoder"),
    ("features.", "a VGG network"),
    ("up_", "a generator"),
    ("model.", "a pix2pixHD generator"),
)
"""What the first letters of a published network's names say it is."""


def refuse_relatives(keys: Iterable[str], file: str) -> None:
    """Raises BadCheckpointError for weights of a kind that is known, and cannot be imported. file: for people."""
    keys = list(keys)
    for other in RELATIVES:
        if any(re.match(other.keys, key) for key in keys):
            raise BadCheckpointError(f"{file} holds {other.what}.", other.fix)


def described(keys: Iterable[str]) -> str:
    """What weights with these names look like, for "holds ..."."""
    keys = list(keys)
    found = next((what for start, what in PARTS if any(key.startswith(start) for key in keys)), None)
    return found or f"another network ({', '.join(keys[:3])}, ...)"
